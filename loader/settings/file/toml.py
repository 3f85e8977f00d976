"""TOML text, read without what no setting can hold."""

from __future__ import annotations

from typing import Any, Final

#: Tables and lists within each other. mdload's settings need four.
_DEEPEST: Final = 50


def loads(text: str) -> dict[str, Any]:
    """The tables of a TOML document.

    Raises:
        ValueError: it is not TOML, nested too deeply, or has a NUL character in a text.
    """
    import tomllib  # noqa: PLC0415 - most commands read no file

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ValueError(f"values are nested deeper than {_DEEPEST} times") from None
    _check(tables)
    return tables


def _check(tables: dict[str, Any]) -> None:
    level: list[object] = [tables]
    for _ in range(_DEEPEST):
        below: list[object] = []
        for value in level:
            match value:
                case str() if "\0" in value:
                    raise ValueError(f"the text {value!r} has a NUL character (\\u0000)")
                case dict():
                    below += [*value, *value.values()]
                case list():
                    below += value
        if not below:
            return
        level = below
    raise ValueError(f"values are nested deeper than {_DEEPEST} times")
