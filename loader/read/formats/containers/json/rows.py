"""From JSON values to frames of strings, once it is known where their rows stand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest
from typing import Any, Final

import polars as pl

from loader.errors import UnreadableFile
from loader.lazy import regex
from loader.read.batch import marked, unique_names
from loader.read.formats.containers.json.place import Place, Step, nests, plain_arrays
from loader.read.formats.containers.json.regular import head, pattern
from loader.read.formats.containers.json.values import Values, flat

Row = Any  # an object flattened, or an array; anything else is a ragged
Group = tuple[list[Row], dict[str, Any]]

_ROWS: Final = 20_000  # per frame
#: Names that a value of a bar may have: a row must not lose it because it comes late.
_VALUE: Final = regex(
    r"(?i)(.*[._ ])?(open|high|low|close|last|.*price|[ohlcvn]|vwa?p?|.*vol(ume)?|.*trades|.*count|"
    r"transactions)"
)


def groups(value: Any, place: Place, name: str) -> Iterator[Group]:
    """The rows at `place`, an array of them at a time, each with the plain values around it by
    their dotted paths, and with the key it stands under as `key`; one above that is `outer_key`.

    Raises:
        UnreadableFile: arrays that are columns differ in length.
    """
    return _groups(value, place.steps, place, {}, "", name)


def _groups(
    value: Any, steps: tuple[Step, ...], place: Place, around: dict[str, Any], path: str, name: str
) -> Iterator[Group]:
    if not steps:
        yield _whole(value, place, around, path, name)
    elif steps[0] == "[]":
        if not isinstance(value, list):
            return
        if len(steps) == 1 and place.form != "columns":
            rows = [] if place.form == "nothing" else value
            yield [flat(row) for row in rows], around
            return
        for item in value:
            yield from _groups(item, steps[1:], place, around, path, name)
    elif isinstance(value, dict):
        kind = list if steps[1:2] == ("[]",) else dict
        many = steps[0] == "*"
        chosen = {
            k: v for k, v in value.items() if (isinstance(v, kind) if many else k == steps[0])
        }
        rest = {k: v for k, v in value.items() if k not in chosen and not (many and v is None)}
        around = around | flat(rest, path, arrays=False)
        if many and len(steps) == 1 and place.form == "objects":
            rows = [{"key": key, **flat(child)} for key, child in chosen.items()]
            yield rows, _outer(around)
            return
        for key, child in chosen.items():
            inner = path if many else f"{path}{key}."
            there = _outer(around) | {"key": key} if many else around
            yield from _groups(child, steps[1:], place, there, inner, name)


def _outer(around: dict[str, Any]) -> dict[str, Any]:
    """`around`, with the key that stands above another one as `outer_key`."""
    return {"outer_key" if name == "key" else name: value for name, value in around.items()}


def _whole(value: Any, place: Place, around: dict[str, Any], path: str, name: str) -> Group:
    """The rows that one object is: its arrays, position by position, or itself."""
    if place.form == "nothing":
        return [], around | flat(value, path, arrays=False)
    if not isinstance(value, dict) or place.form == "objects":
        return [flat(value)], around
    arrays = plain_arrays(value)
    if len(set(map(len, arrays.values()))) > 1:
        lengths = ", ".join(f"{key!r} {len(cells):,}" for key, cells in arrays.items())
        raise UnreadableFile.of(
            name,
            f"is not a table: its arrays should be equally long, and are not: {lengths}",
            hint="it is damaged: get it again from where it came",
        )
    rest = {key: child for key, child in value.items() if key not in arrays}
    rows = [dict(zip(arrays, cells, strict=True)) for cells in zip(*arrays.values(), strict=True)]
    return rows, around | flat(rest, path, arrays=False)


class Rows:
    """The columns of a JSON table, as its first groups show them, and its rows as frames.

    Attributes:
        columns: of the rows by first appearance, or `column_1` …; then what stands around them.
        around: those of `columns` that stand around the rows.
        notes: what a person should know of them.
        rows: how many the first groups have.
        header: whether they have names of their own.
    """

    def __init__(self, place: Place, first: Iterable[Group]) -> None:
        self._arrays = place.form == "arrays"
        self._head: list[str] = []
        own = dict.fromkeys(place.names if place.form == "columns" else ())
        around: dict[str, None] = {}
        self.rows, widths = 0, Counter[int]()
        for rows, outside in first:
            around |= dict.fromkeys(outside)
            if self._arrays and not widths:
                self._head = head(rows)
            self.rows += len(rows) - (rows.count(self._head) if self._head else 0)
            for row in rows:
                if isinstance(row, dict) and not self._arrays:
                    own.update(row)
                elif isinstance(row, list):
                    widths[len(row)] += 1
        width = max(widths, key=lambda each: (widths[each], each), default=0)
        named = self._head if len(self._head) == width else []
        numbered = named or [f"column_{n}" for n in range(1, width + 1)]
        self.header = bool(named) or not self._arrays
        self._own = numbered if self._arrays else list(own)
        self._around = [key for key in around if key not in self._own]
        self.columns, renamed = unique_names([*self._own, *self._around])
        self.around = self.columns[len(self._own) :]
        hidden = [key for key in around if key in self._own]
        self.notes = (
            *renamed,
            *(f"{key!r} outside the rows is left out: they have their own" for key in hidden),
        )
        self._known = frozenset(self._own)
        self._schema = dict.fromkeys(self.columns, pl.String())
        self._pattern, self._names = "", list[str]()

    def frames(self, groups: Iterable[Group]) -> Iterator[pl.DataFrame]:
        """The rows of `groups`. A row that does not fit the columns stands in the first column as
        JSON, with nulls in the others, so that it becomes a reject that shows its content. Further
        columns are left out, except values of a bar: a row with these does not fit. Arrays
        with more or fewer cells than columns are marked; see `RawBatch.ragged`. A row of names is
        left out, as often as it comes."""
        cells: list[list[Any]] = [[] for _ in self.columns]
        odd: list[tuple[int, int, str]] = []
        for rows, around in groups:
            left = iter([row for row in rows if row != self._head] if self._head else rows)
            while some := list(islice(left, _ROWS)):
                own = self._by_position(some) if self._arrays else self._by_name(some)
                odd += self._odd(some, len(cells[0])) if self._arrays else []
                context = ([around.get(key)] * len(some) for key in self._around)
                for column, new in zip(cells, [*own, *context], strict=True):
                    column.extend(new)
                if len(cells[0]) >= _ROWS:
                    yield marked(self._frame(cells), odd)
                    cells, odd = [[] for _ in self.columns], []
        if cells and cells[0]:
            yield marked(self._frame(cells), odd)

    def regular(self, values: Values) -> pl.DataFrame | None:
        """The next rows, taken off the text of `values` by a pattern; None, and nothing taken, if
        they do not all match it.

        The pattern is the text of one row with a blank for each cell. It matches only valid JSON,
        and Polars matches it at five times the speed of the json module.
        """
        values.fill()
        boundary, text = values.boundary, values.text
        if not boundary or (last := text.rfind(boundary)) < 1:
            return None
        lines = pl.Series("line", [text[1:last]]).str.split(boundary).explode()
        frame = self._matched(lines)
        if frame is None:
            first = text[: text.index(boundary) + 1]
            before, (self._pattern, self._names) = self._pattern, pattern(first, self._own)
            frame = self._matched(lines) if self._pattern != before else None
        if frame is not None:
            values.drop(last + len(boundary) - 1)
        return frame

    def _matched(self, lines: pl.Series) -> pl.DataFrame | None:
        if not self._pattern:
            return None
        groups = pl.col("line").str.extract_groups(self._pattern)
        found = lines.to_frame().lazy().select(groups).unnest("line")
        frame = found.collect(engine="streaming")
        unmatched = pl.all_horizontal(pl.all().is_null())
        if frame.to_series().null_count() and not frame.filter(unmatched).is_empty():
            return None
        frame.columns = self._names
        if self._names != self._own:
            absent = (key for key in self._own if key not in self._names)
            lost = (pl.lit(None, pl.String()).alias(key) for key in absent)
            frame = frame.with_columns(lost).select(self._own)
        frame.columns = list(self.columns[: len(self._own)])
        return frame

    def fit(self, rows: list[Row]) -> bool:
        """Whether all are flat rows of these columns, and of no others."""
        kind = list if self._arrays else dict
        if set(map(type, rows)) != {kind}:
            return False
        if self._arrays:
            return all(len(row) == len(self._own) and not nests(row) for row in rows)
        return all(row.keys() <= self._known and not nests(row.values()) for row in rows)

    def beside(self, own: pl.DataFrame, around: dict[str, Any]) -> pl.DataFrame:
        """A frame of the rows' own columns, in their order, with what stands around them."""
        own.columns = list(self.columns[: own.width])
        names = zip(self._around, self.columns[own.width :], strict=True)
        return own.with_columns(
            pl.lit(_spelled(around.get(key)) or None, pl.String).alias(name) for key, name in names
        )

    def _by_name(self, rows: list[Row]) -> list[list[Any]]:
        fitted = [
            row if isinstance(row, dict) and self._fits(row) else {self._own[0]: _spelled(row)}
            for row in rows
        ]
        return [[row.get(key) for row in fitted] for key in self._own]

    def _fits(self, row: dict[str, Any]) -> bool:
        """Whether a row has columns of these, and no further one that may be a value of its bar."""
        further = row.keys() - self._known
        return not further or (len(further) < len(row) and not any(map(_VALUE.fullmatch, further)))

    def _by_position(self, rows: list[Row]) -> list[list[Any]]:
        width = len(self._own)
        fitted = [
            row if isinstance(row, list) and len(row) <= width else [_spelled(row)] for row in rows
        ]
        columns = [list(cells) for cells in zip_longest(*fitted)]
        return columns + [[None] * len(rows) for _ in range(width - len(columns))]

    def _odd(self, rows: list[Row], start: int) -> list[tuple[int, int, str]]:
        return [
            (at, len(row), _spelled(row) or "")
            for at, row in enumerate(rows, start)
            if isinstance(row, list) and len(row) != len(self._own)
        ]

    def _frame(self, cells: list[list[Any]]) -> pl.DataFrame:
        columns = [_series(*column) for column in zip(self.columns, cells, strict=True)]
        return pl.DataFrame(columns).with_columns(pl.when(pl.all() != "").then(pl.all()))


def _series(name: str, cells: list[Any]) -> pl.Series:
    try:
        return pl.Series(name, cells, pl.String)
    except TypeError:  # not all of it is text
        return pl.Series(name, [_spelled(cell) for cell in cells], pl.String)


def _spelled(cell: Any) -> str | None:
    """A cell as text; what nests in it as JSON."""
    if cell is None:
        return None
    return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
