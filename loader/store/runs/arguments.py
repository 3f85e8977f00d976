"""Checks of what a caller gives a `JobRunTracker`, before it goes to the database."""

from __future__ import annotations

from collections.abc import Sequence

from loader.text import redact


def one_of(what: str, value: str, allowed: Sequence[str]) -> None:
    """Raises:
    ValueError: `value` is not one of those `allowed`.
    """
    if value not in allowed:
        raise ValueError(f"{what} is one of {', '.join(allowed)}, not {value!r}")


def not_negative(days: int) -> int:
    """The days.

    Raises:
        ValueError: they are negative.
    """
    if days < 0:
        raise ValueError(f"days cannot be negative: {days}")
    return days


def storable(message: str) -> str:
    """`message` without passwords, and without characters that PostgreSQL's text cannot hold."""
    clean = redact(message).replace("\0", "\N{SYMBOL FOR NULL}")
    return clean.encode("utf-8", "backslashreplace").decode("utf-8")
