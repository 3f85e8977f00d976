"""Bars packed by the server come out as they are stored."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.bars import OPTIONAL, SCHEMA, VALUES
from loader.db.arrow import connect
from loader.store.packed import unpacked

T0 = datetime(1999, 12, 31, 23, 58, 59, 999_999, tzinfo=UTC)
NUMBERS = [0.0, -0.0, 1.5, -math.pi, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]
COUNTS = [0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1]
SERIES = ("A", "B", "C")

ALWAYS = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def bars(nulls: float, number: int = 40) -> list[tuple[Any, ...]]:
    """Symbol, ts and values; a share `nulls` of the optional ones is None."""
    seed = random.Random(nulls)

    def optional(values: list[Any]) -> Any:
        return None if seed.random() < nulls else seed.choice(values)

    return [
        (symbol, T0 + n * timedelta(seconds=1), *seed.choices(NUMBERS, k=4),
         optional(NUMBERS), optional(NUMBERS), optional(COUNTS))
        for symbol in SERIES
        for n in range(number)
    ]  # fmt: skip


def stored(url: str, rows: list[tuple[Any, ...]], stretches: list[tuple[str, int, int]]) -> Any:
    """Stores `rows` and reads the stretches (symbol, first and last second) back."""
    with psycopg.connect(url) as plain, plain.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO bars_ohlcv (provider, interval, symbol, ts, {', '.join(VALUES)})"
            " VALUES ('p', '1s'" + ", %s" * 9 + ")",
            rows,
        )
    wanted = [
        {"sid": SERIES.index(symbol), "provider": "p", "symbol": symbol, "interval": "1s",
         "lo": (T0 + timedelta(seconds=lo)).isoformat(),
         "hi": (T0 + timedelta(seconds=hi)).isoformat()}
        for symbol, lo, hi in stretches
    ]  # fmt: skip
    with connect(url, autocommit=True) as reader:
        reader.run("wanted_set", json.dumps(wanted))
        return [unpacked(found) for found in reader.batches("stored_bars", *ALWAYS)]


@pytest.mark.parametrize("nulls", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_every_value_and_every_null_comes_back(database_url: str, nulls: float) -> None:
    rows = bars(nulls)
    frame = pl.concat(stored(database_url, rows, [(s, a, a + 9) for s in SERIES for a in (0, 10)]))
    assert dict(frame.schema) == {
        "sid": pl.Int32, "ts": SCHEMA["ts"], **{v: SCHEMA[v] for v in VALUES}
    }  # fmt: skip
    expected = [(SERIES.index(s), *rest) for s, *rest in rows if rest[0] < T0 + timedelta(0, 20)]
    table = pl.DataFrame(expected, schema=frame.schema, orient="row")
    assert str(frame.rows()) == str(table.rows())  # as text, for -0.0 is not 0.0 there


def test_nulls_of_one_stretch_only(database_url: str) -> None:
    rows = [(*row[:6], *(3 * [None] if row[0] == "B" else [1.0, 2.0, 3])) for row in bars(0.0, 5)]
    frame = pl.concat(stored(database_url, rows, [(s, 0, 9) for s in SERIES]))
    assert frame.select(OPTIONAL).rows() == [row[6:] for row in rows]


def test_where_nothing_is_stored_nothing_comes_back(database_url: str) -> None:
    frames = stored(database_url, bars(0.0, 2), [("A", 5, 9), ("B", 0, 9), ("C", -9, -1)])
    assert [frame["sid"].to_list() for frame in frames] == [[1, 1]]
