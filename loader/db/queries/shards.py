"""Statements about bars that Citus has distributed over servers by symbol.

What one server answers in one statement is there one statement per shard, with its symbols and the
wanted rows as literals: then the coordinator hands it on as it is. A statement that names no symbol
runs on every shard.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

import polars as pl
import pyarrow as pa

from loader.bars import SERIES, TS
from loader.db.executor import Executor
from loader.db.queries import queries, query
from loader.settings.datasets import BARS_OHLCV

#: The symbol of a wanted row, in the order in which they count.
_SYMBOL: Final = ("other_symbol", "symbol")
_SYMBOLS: Final = ":symbols"
_WANTED: Final = ":wanted"
_TIMES: Final = {"first", "last"}
#: Rows that are put in order one by one: more of them take longer than an import that sorts faster.
_FEW: Final = 2_000


class NoAnswer(Exception):
    """What a server of the cluster gave instead of an answer."""


class Shards:
    """Where the bars of each symbol are, as one session knows it.

    Args:
        ask: gives the shard of each symbol of a JSON array.

    Attributes:
        wanted: the JSON array that `wanted_set` has been given last.
    """

    def __init__(self, ask: Callable[[str], Mapping[str, int]]) -> None:
        self._ask = ask
        self._of: dict[str, int] = {}
        self.wanted = "[]"

    def numbers(self, symbols: Iterable[str]) -> list[int]:
        """The shard of each symbol."""
        named = list(symbols)
        if unknown := sorted(set(named).difference(self._of)):
            self._of.update(self._ask(json.dumps(unknown, ensure_ascii=False)))
        return [self._of[symbol] for symbol in named]

    def statements(
        self, name: str, wanted: str | None, timed: Callable[[str], str]
    ) -> Iterator[str]:
        """Query `name` once for each shard that the wanted rows (JSON) touch, in order of shards.
        `timed` puts the times of the query in their places."""
        sql = timed(query(name, spread=True))
        rows: dict[int, list[Any]] = {}
        every = json.loads(self.wanted if wanted is None else wanted)
        symbols = [_symbol(row) for row in every]
        for row, number in zip(every, self.numbers(symbols), strict=True):
            rows.setdefault(number, []).append(row)
        for number in sorted(rows):
            own = rows[number]
            names = ", ".join(_literal(name) for name in sorted({_symbol(row) for row in own}))
            text = sql.replace(_SYMBOLS, f"CAST(ARRAY[{names}] AS text[])")
            yield text.replace(_WANTED, _literal(json.dumps(own, ensure_ascii=False)))

    def on_coordinator(self, name: str) -> str:
        """Query `name`, which the coordinator puts together itself."""
        return _text(name).replace(_WANTED, _literal(self.wanted))

    def everywhere(self, name: str, timed: Callable[[str], str]) -> str:
        """Query `name` as the command that each shard runs: it gives a JSON array of rows."""
        text = timed(query(name, spread=True)).replace("%", "%%")
        text = text.replace(BARS_OHLCV.table, "%1$s")
        text = text.replace(_WANTED, _literal(self.wanted.replace("%", "%%")))
        return query("of_every_shard").replace(f"TABLE {BARS_OHLCV.table}", text)


def found(session: Executor) -> Shards | None:
    """Prepares a new session that loads or reads bars. Where Citus has distributed them, gives the
    way to their shards."""
    if not (session.one("session_setup")[1] and session.one("bars_spread")[0]):
        return None

    return Shards(lambda symbols: json.loads(session.one("shards_of", symbols)[0]))


def is_spread(name: str) -> bool:
    """Whether query `name` takes one statement per shard."""
    return _SYMBOLS in query(name, spread=True)


def is_everywhere(name: str) -> bool:
    """Whether query `name` names no symbol, and looks for all series."""
    return query(name).startswith("WITH RECURSIVE series AS") and not is_spread(name)


def rows_of(results: Sequence[tuple[bool, str | None]]) -> pl.DataFrame:
    """The rows of all shards, in order of series. Times are UTC.

    Raises:
        NoAnswer: a shard did not answer.
    """
    rows: list[dict[str, Any]] = []
    for success, result in results:
        if not success:
            raise NoAnswer(result or "no reason given")
        rows += json.loads(result) if result else []
    if not rows:
        return pl.DataFrame()
    frame = pl.DataFrame(rows, infer_schema_length=None)
    times = [name for name in frame.columns if name in _TIMES]
    frame = frame.with_columns(
        pl.col(times).cast(pl.String).str.to_datetime(time_unit="us", time_zone="UTC").cast(TS)
    )
    return frame.sort([name for name in SERIES if name in frame.columns])


def in_order(tables: Sequence[pa.Table]) -> list[pa.RecordBatch]:
    """The rows of all shards as one batch, in the order in which one server gives them; none where
    nothing was wanted."""
    if not tables:
        return []
    table = pa.concat_tables(tables)
    keys = [name for name in ("sid", *SERIES) if name in table.column_names]
    rows = pl.from_arrow(table.select(keys))
    assert isinstance(rows, pl.DataFrame)
    place = rows.with_row_index("place").sort(keys, nulls_last=True, maintain_order=True)["place"]
    if not place.len():
        nothing = [pa.nulls(0, field.type) for field in table.schema]
        return [pa.RecordBatch.from_arrays(nothing, schema=table.schema)]
    # Not `take`, nor `from_pylist` above: PyArrow imports its compute module for them, or pandas.
    if place.len() <= _FEW:
        ordered = pa.concat_tables([table.slice(at, 1) for at in place])
    else:
        ordered = table.take(place.to_arrow())
    return list(ordered.combine_chunks().to_batches())


@cache
def _text(name: str) -> str:
    """The text of query `name`, or of the one that takes its place where bars are distributed."""
    other = f"spread_{name}"
    return query(other if other in queries() else name, spread=True)


def _symbol(row: Any) -> str:
    if isinstance(row, str):
        return row
    return str(next(row[name] for name in _SYMBOL if name in row))


def _literal(text: str) -> str:
    """`text` quoted by dollars: a backslash means itself, whatever the session is set to."""
    tag, number = "$mdload$", 0
    while tag in text:
        number += 1
        tag = f"$mdload{number}$"
    return f"{tag}{text}{tag}"
