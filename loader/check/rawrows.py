"""Raw rows of rejects as a frame again: what `rawjson` has written, read back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import polars as pl

#: Columns of rows of which no cell can be read; see `ragged` and the lines of a feed.
#: A name, and its value: text, or null.
_CELL: Final = r'("(?:[^"\\]|\\.)*"): (?:"(?:[^"\\]|\\.)*"|null)'
_TEXT: Final = frozenset({"line", "why"})


def decoded(raw: str) -> dict[str, str | None]:
    """The cells of one row by the names of their columns."""
    found = json.loads(raw)
    return {_plain(name): None if cell is None else _plain(cell) for name, cell in found.items()}


def tables(raw: pl.Series) -> Iterator[tuple[pl.Series, pl.DataFrame]]:
    """The rows as frames of text, one for each set of columns: the places of its rows in `raw`
    (UInt32), and the rows."""
    shapes = raw.str.replace_all(_CELL, "$1")
    for shape in shapes.unique(maintain_order=True):
        here = (shapes == shape).arg_true()
        names = _names(shape)
        if names is None:
            yield from _slowly(raw, here)
            continue
        own = {name: pl.String() for name in names}
        decoded_ = raw.gather(here).str.json_decode(pl.Struct(own)).struct.unnest()
        yield here, _without_marks(decoded_)


def _names(shape: str) -> list[str] | None:
    """The names in `{"ts", "low"}`; None if it is not of that form."""
    try:
        names = json.loads(f"[{shape[1:-1]}]")
    except json.JSONDecodeError:
        return None
    fits = names and all(isinstance(name, str) for name in names) and len({*names}) == len(names)
    return names if fits else None


def _slowly(raw: pl.Series, places: pl.Series) -> Iterator[tuple[pl.Series, pl.DataFrame]]:
    groups: dict[frozenset[str], list[tuple[int, dict[str, str | None]]]] = {}
    for place, text in zip(places, raw.gather(places), strict=True):
        cells = decoded(text)
        groups.setdefault(frozenset(cells), []).append((place, cells))
    for rows in groups.values():
        names = list(rows[0][1])
        frame = pl.DataFrame(
            {name: [cells[name] for _, cells in rows] for name in names},
            schema=dict.fromkeys(names, pl.String()),
        )
        yield pl.Series([place for place, _ in rows], dtype=pl.UInt32), frame


def _without_marks(frame: pl.DataFrame) -> pl.DataFrame:
    columns = []
    for column in frame:
        name = _plain(column.name)
        if column.str.contains("[␛␀]").any():
            texts = [None if cell is None else _plain(cell) for cell in column]
            columns.append(pl.Series(name, texts, dtype=pl.String))
        else:
            columns.append(column.alias(name))
    return pl.DataFrame(columns)


def is_text(cells: Iterable[str]) -> bool:
    """Whether these are the columns of a row that was kept as a line of text, so that nobody can
    say which cell belongs where."""
    return set(cells) == _TEXT


def _plain(text: Any) -> str:
    """Without the marks for what jsonb does not take."""
    if not isinstance(text, str):
        text = json.dumps(text)
    if "␛" not in text and "␀" not in text:
        return str(text)
    parts = text.split("␛")
    found = [parts[0].replace("␀", "\0")]
    escaped = False
    for part in parts[1:]:
        if not part and not escaped:  # ␛␛: the mark itself
            escaped = True
            found.append("␛")
        elif escaped:
            escaped = False
            found.append(part.replace("␀", "\0"))
        else:  # ␛␀: a symbol for NUL that the file has
            found.append(part[:1] + part[1:].replace("␀", "\0"))
    return "".join(found)
