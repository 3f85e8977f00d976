"""Arrow's types as Polars has them, value for value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import polars as pl
import pyarrow as pa

from loader.errors import Unfinished, UnreadableFile
from loader.read import bounds
from loader.read.batch import unique_names

#: Rows that Polars takes over sooner in the thread that asks than in all of its threads.
_FEW: Final = 20_000


class Translation:
    """How the columns of one Arrow schema become Polars columns, every value unchanged.

    Dictionaries become their values, seconds milliseconds (Polars has none, and would wrap on
    overflow), a zone that Polars does not know UTC, decimals wider than 128 bits text. Each field
    of a struct becomes a column of its own, `ohlc.open`. A column that Polars cannot hold is left
    out, with a note.

    Attributes:
        metadata: what the schema says of the table, without what pandas and Arrow keep there.

    Raises:
        UnreadableFile: no column is left.
    """

    def __init__(self, schema: Any, name: str) -> None:
        self._take: list[tuple[tuple[int, ...], Callable[[Any], Any]]] = []
        self._standing: list[tuple[int, ...]] = []  # those of words that stand for others
        names, notes = [], []
        for at, column, kind in _leaves(schema, (), ""):
            convert, note = _conversion(kind)
            if note:
                notes.append(f"column {column!r}: {note}")
            if convert:
                self._take.append((at, convert))
                if _stands_for_others(kind):
                    self._standing.append(at)
                names.append(column)
        if not names:
            raise UnreadableFile.of(name, "has no column that mdload can hold")
        self.columns, renamed = unique_names(names)
        self.notes = (*renamed, *notes)
        self.metadata = {
            key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
            for key, value in (schema.metadata or {}).items()
            if key not in {b"pandas", b"ARROW:schema"}
        }

    def frames(self, batch: Any) -> Iterator[pl.DataFrame]:
        """The rows of `batch`; in several frames where its dictionaries stand for so much text
        that they are not spelled out at once."""
        batch.validate(
            full=True
        )  # Arrow lets text through that is no UTF-8, and Polars panics on it
        yield from self._pieces(batch)

    def _pieces(self, batch: Any) -> Iterator[pl.DataFrame]:
        half = batch.num_rows // 2
        if half and self._spelled_size(batch) > bounds.PIECE:
            yield from self._pieces(batch.slice(0, half))
            yield from self._pieces(batch.slice(half))
        else:
            yield self._frame(batch)

    def _spelled_size(self, batch: Any) -> int:
        """Bytes of the text that dictionaries and runs of one value stand for."""
        arrays = (_leaf(batch.column(at[0]), at[1:]) for at in self._standing)
        return sum(map(_spelled_size, arrays))

    def _frame(self, batch: Any) -> pl.DataFrame:
        columns = [convert(_leaf(batch.column(at[0]), at[1:])) for at, convert in self._take]
        named = list(zip(self.columns, columns, strict=True))
        words = [each.alias(name) for name, each in named if isinstance(each, pl.Series)]
        rest = {name: each for name, each in named if not isinstance(each, pl.Series)}
        if not rest:
            return pl.DataFrame(words)
        frame = _in_polars(pa.RecordBatch.from_arrays(list(rest.values()), list(rest)))
        return frame.with_columns(words).select(self.columns) if words else frame


def _in_polars(batch: Any) -> pl.DataFrame:
    if batch.num_rows <= _FEW:
        return pl.DataFrame(batch)
    frame = pl.from_arrow(batch)  # in all of Polars' threads
    assert isinstance(frame, pl.DataFrame)  # for mypy: a record batch gives no Series
    return frame


def _leaves(
    fields: Iterable[Any], above: tuple[int, ...], prefix: str
) -> Iterator[tuple[tuple[int, ...], str, Any]]:
    """The place, name and type of each column; of a struct, those of its fields."""
    for index, field in enumerate(fields):
        at, name, kind = (*above, index), prefix + field.name, field.type
        if pa.types.is_struct(kind) and kind.num_fields:
            yield from _leaves(list(kind), at, f"{name}.")
        else:
            yield at, name, kind


def _leaf(array: Any, at: tuple[int, ...]) -> Any:
    """The field `at` of a struct; null where the struct is."""
    for index in at:
        array = array.flatten()[index]
    return array


def _conversion(kind: Any) -> tuple[Callable[[Any], Any] | None, str | None]:
    """What to do with an array of type `kind` (None: leave it out), and a note where it matters."""
    is_ = pa.types
    none = None, f"left out, its type {kind} cannot be held"
    if is_.is_dictionary(kind) or is_.is_run_end_encoded(kind):
        of, decode = kind.value_type, _spelled_out if is_.is_dictionary(kind) else _repeated
        # Of lists one short value may stand for gigabytes.
        inner, note = none if is_.is_nested(of) or is_.is_dictionary(of) else _conversion(of)
        return inner and (lambda array: decode(array, inner)), note
    if is_.is_timestamp(kind):
        unit, to_unit = ("ms", _milliseconds) if kind.unit == "s" else (kind.unit, _unchanged)
        target, note = pa.timestamp(unit, kind.tz), None
        if kind.tz and not _knows_zone(target):
            target = pa.timestamp(unit, "UTC")
            note = f"its time zone {kind.tz!r} has no name in the time zone database: taken as UTC"
        return (_unchanged if kind == target else (lambda array: to_unit(array).cast(target))), note
    if is_.is_date64(kind):
        return (lambda array: array.cast(pa.date32())), None
    if is_.is_decimal256(kind) or (is_.is_decimal(kind) and kind.scale < 0):
        return (lambda array: array.cast(pa.string())), None
    if _unknown_to_polars(kind):
        return none
    is_bytes = is_.is_binary(kind) or is_.is_large_binary(kind) or is_.is_binary_view(kind)
    return _text if is_bytes else _unchanged, None


def _unchanged(array: Any) -> Any:
    return array


def _text(array: Any) -> Any:
    """Bytes as the text that they are in UTF-8, as writers without a type for text leave them. What
    is not UTF-8 gets a mark in it, for which a check refuses the cell."""
    try:
        return array.cast(pa.large_string())
    except pa.ArrowInvalid:
        cells = (cell and cell.decode("utf-8", "replace") for cell in array.to_pylist())
        return pa.array(cells, pa.large_string())


def _milliseconds(seconds: Any) -> Any:
    """Timestamps in seconds as int64 milliseconds; beyond those the outermost, which no bar has."""
    import pyarrow.compute as pc  # noqa: PLC0415  # takes as long to import as all the rest

    limit = (2**63 - 1) // 1000
    number = pc.max_element_wise(seconds.cast(pa.int64()), -limit, skip_nulls=False)
    return pc.multiply(pc.min_element_wise(number, limit, skip_nulls=False), 1000)


def _repeated(array: Any, inner: Callable[[Any], Any]) -> Any:
    import pyarrow.compute as pc  # noqa: PLC0415  # as above

    return inner(pc.run_end_decode(array))


def _spelled_out(array: Any, inner: Callable[[Any], Any]) -> pl.Series:
    """The values of a dictionary, each of which is converted once. By Polars: PyArrow would import
    its functions for it, and cannot decode the string views of Polars' categoricals."""
    values = _series(inner(array.dictionary))
    if len(values) == 1 and not array.null_count:
        return values.new_from_index(0, len(array))
    places = _series(array.indices)
    return values.gather(places)


def _series(array: Any) -> pl.Series:
    """An array alone; of itself Polars would import PyArrow's functions for it."""
    frame = pl.from_arrow(pa.RecordBatch.from_arrays([array], ["x"]))
    assert isinstance(frame, pl.DataFrame)
    return frame.to_series()


def _stands_for_others(kind: Any) -> bool:
    """Whether one word of a column stands for that of many rows."""
    return bool(pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind))


def _spelled_size(array: Any) -> int:
    """Bytes of the text in `array`, spelled out: it is of words that stand for it."""
    is_, kind = pa.types, array.type
    if not len(array):
        return 0
    words = array.dictionary if is_.is_dictionary(kind) else array.values
    if not (len(words) and words.nbytes * len(array) > bounds.PIECE):
        return 0
    if is_.is_fixed_size_binary(words.type):
        return int(words.type.byte_width) * len(array)
    if is_.is_primitive(words.type) or is_.is_boolean(words.type) or is_.is_decimal(words.type):
        return 0
    sizes: Any = _series(words).cast(pl.Binary).bin.size()
    longest = int(sizes.max() or 0) * len(array)
    if longest <= bounds.PIECE or is_.is_run_end_encoded(kind):
        return longest
    places = _series(array.indices).drop_nulls()
    return int(sizes.gather(places).sum() or 0)


def _unknown_to_polars(kind: Any) -> bool:
    """Whether Polars would fail on it, for some types with a panic that ends the process."""
    is_ = pa.types
    if is_.is_union(kind) or is_.is_interval(kind) or is_.is_run_end_encoded(kind):
        return True
    if is_.is_decimal(kind):
        return is_.is_decimal256(kind) or bool(kind.scale < 0)
    if is_.is_dictionary(kind):
        return _unknown_to_polars(kind.value_type)
    if is_.is_timestamp(kind):
        return bool(kind.tz) and not _knows_zone(kind)
    return any(_unknown_to_polars(kind.field(i).type) for i in range(kind.num_fields))


@cache
def _knows_zone(kind: Any) -> bool:
    try:
        pl.from_arrow(pa.RecordBatch.from_arrays([pa.nulls(0, kind)], ["ts"]))
    except pl.exceptions.PolarsError:
        return False
    return True


@contextmanager
def damaged(name: str, done: Callable[[], str] = str) -> Iterator[None]:
    """Translates what Arrow raises; `done` says how far the reading came, for the message.

    Raises:
        UnreadableFile: the file is cut short, damaged, or packed in a way that Arrow cannot read.
    """
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as exc:
        reason = str(exc).split("\n")[0].rstrip(".")
        raise Unfinished.of(
            name,
            f"is damaged or cut short{done()}: {reason}",
            hint="get the file again from where it came, or write it again",
        ) from exc
