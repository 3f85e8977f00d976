"""Checks of what a caller gives a `JobRunTracker`, before it goes to the database."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Final, SupportsIndex

from loader.text import redact

LARGEST: Final = 2**63 - 1
_MOST_ROWS: Final = 2**59
#: The longest time that is asked for: a hundred years.
_DAYS: Final = 36_500


def one_of(what: str, value: str, allowed: Sequence[str]) -> None:
    """Raises:
    ValueError: `value` is not one of those `allowed`.
    """
    if value not in allowed:
        raise ValueError(f"{what} is one of {', '.join(allowed)}, not {value!r}")


def whole(what: str, value: object, least: int = 0, most: int = LARGEST) -> int:
    """A whole number that the database can count.

    Raises:
        TypeError: it is not an integer, or a bool.
        ValueError: it is less than `least` or greater than `most`.
    """
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise TypeError(f"{what} is a whole number, not {value!r}")
    number = index(value)
    if not least <= number <= most:
        raise ValueError(f"{what} is a number from {least} to {most}, not {number}")
    return number


def run_key(run_id: object) -> int:
    """The id of a run. Raises as `whole`."""
    return whole("run_id", run_id)


def counts_of(written: int, updated: int, *others: int) -> tuple[int, ...]:
    """Rows inserted, rows updated and the `others`.

    Raises:
        TypeError: a count is not an integer, or a bool.
        ValueError: a count is negative, or too large for all together.
    """
    for each in (written, updated, *others):
        whole("a count of rows", each, -_MOST_ROWS, _MOST_ROWS)
    counts = (index(written) - index(updated), index(updated), *map(index, others))
    if min(counts) < 0:
        raise ValueError("rows cannot be negative, nor fewer be written than updated")
    return counts


def amount(what: str, value: object, most: float) -> float:
    """A time as a number, from 0 to `most`.

    Raises:
        TypeError: it is not a number, or a bool.
        ValueError: it is negative, NaN or too large.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} is a number, not {value!r}")
    if not 0 <= value <= most:
        raise ValueError(f"{what} is a number from 0 to {most:,.0f}, not {value!r}")
    return value


def storable(message: str) -> str:
    """`message` without passwords, and without characters that PostgreSQL's text cannot hold."""
    clean = redact(message).replace("\0", "\N{SYMBOL FOR NULL}")
    return clean.encode("utf-8", "backslashreplace").decode("utf-8")


def minutes(value: object) -> float:
    """Raises as `amount`."""
    return amount("minutes", value, _DAYS * 24 * 60)


def hours(value: object) -> float:
    """Raises as `amount`."""
    return amount("hours", value, _DAYS * 24)


def whole_days(value: object) -> int:
    """Raises as `whole`."""
    return whole("days", value, most=_DAYS)
