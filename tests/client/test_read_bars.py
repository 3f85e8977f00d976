"""Bars come back into Python exactly as they are stored, and only those that were asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from loader.bars import COLUMNS, SCHEMA
from loader.client import AsyncStoreClient, StoreClient
from loader.errors import NothingStored, SettingsError
from loader.store import export
from tests.support.candles import T0, Candle, minutes

DAY = timedelta(days=1)


@pytest.fixture
def client(database_url: str) -> Iterator[StoreClient]:
    with StoreClient(database_url) as client:
        yield client


def closes(frame: pl.DataFrame) -> list[tuple[str, float]]:
    return frame.select("symbol", "close").rows()


def test_all_values_come_back(client: StoreClient) -> None:
    full = Candle(symbol="A", open=0.1 + 0.2, high=0.5, low=0.1, close=0.3, volume=1e300,
                  vwap=0.25, trade_count=2**53 + 1)  # fmt: skip
    bare = Candle(symbol="B", interval="1d", ts=T0.replace(hour=0, minute=0), volume=None)
    client.write_bars([bare, full])
    found = client.read_bars()
    assert found.schema == SCHEMA
    assert found.rows() == [
        ("p", "A", "1m", T0, 0.30000000000000004, 0.5, 0.1, 0.3, 1e300, 0.25, 9007199254740993),
        ("p", "B", "1d", T0.replace(hour=0, minute=0), 10.0, 11.0, 9.0, 10.5, None, None, None),
    ]


def test_only_what_was_asked_for(client: StoreClient) -> None:
    client.write_bars(
        [
            *(Candle(symbol=s, close=c) for s, c in (("A", 9.5), ("B", 9.75), ("C", 10.0))),
            Candle(symbol="A", provider="q", close=10.25),
            Candle(symbol="A", interval="1h", ts=T0.replace(minute=0), close=10.125),
        ]
    )
    assert closes(client.read_bars("p", "a", "1m")) == [("A", 9.5)]
    assert closes(client.read_bars("p", ["C", "B"])) == [("B", 9.75), ("C", 10.0)]
    assert closes(client.read_bars("q")) == [("A", 10.25)]
    assert closes(client.read_bars(interval="60min")) == [("A", 10.125)]
    assert client.symbols() == ["A", "B", "C"]
    assert client.symbols("q") == ["A"]
    assert client.symbols(interval="1h") == ["A"]
    assert client.series("p").rows() == [
        ("p", "A", "1h", T0.replace(minute=0), T0.replace(minute=0)),
        ("p", "A", "1m", T0, T0),
        ("p", "B", "1m", T0, T0),
        ("p", "C", "1m", T0, T0),
    ]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, [0, 1, 2, 3]),
        (T0 + DAY, None, [1, 2, 3]),
        (T0 + DAY + timedelta(microseconds=1), None, [2, 3]),
        (None, T0 + DAY, [0, 1]),
        (date(2024, 3, 5), date(2024, 3, 6), [1, 2]),
        ("2024-03-05", "2024-03-05", [1]),
        ("2024-03-05T14:30:00Z", "2024-03-06T09:30:00-05:00", [1, 2]),
        ("2025-01-01", None, []),
    ],
)
def test_both_bounds_are_included(
    client: StoreClient, start: Any, end: Any, expected: list[int]
) -> None:
    client.write_bars([Candle(ts=T0 + n * DAY, trade_count=n) for n in range(4)])
    found = client.read_bars("p", "AA", "1m", start, end)
    assert found["trade_count"].to_list() == expected
    assert found.schema == SCHEMA


def test_frames_of_a_size_make_up_the_whole(
    client: StoreClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PIECE", 7)
    client.write_bars([bar for s in "ABC" for bar in minutes(23, symbol=s)])
    frames = list(client.iter_bars(batch_size=10))
    assert [frame.height for frame in frames] == [10] * 6 + [9]
    assert_frame_equal(pl.concat(frames), client.read_bars())


def test_leaving_early_frees_the_session(client: StoreClient, database_url: str) -> None:
    client.write_bars(minutes(50))
    with closing(client.iter_bars(batch_size=5)) as frames:
        assert next(frames).height == 5
    with psycopg.connect(database_url) as connection:
        sessions = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%'"
        ).fetchone()
    assert sessions == (0,)
    assert client.write_bars(minutes(1, start=60)).inserted == 1


def test_one_snapshot_while_others_write(
    client: StoreClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PIECE", 5)
    client.write_bars(minutes(100))
    frames = client.iter_bars(batch_size=5)
    first = next(frames)
    with StoreClient(database_url) as other:
        other.write_bars(minutes(100, close=9.25))
    assert {*first["close"], *(c for frame in frames for c in frame["close"])} == {10.5}
    assert set(client.read_bars()["close"]) == {9.25}


def test_the_past(client: StoreClient, database_url: str) -> None:
    client.write_bars(minutes(2))
    between = datetime.now(UTC)
    client.write_bars(minutes(3, close=9.5))
    assert closes(client.read_bars(as_of=between)) == [("AA", 10.5)] * 2
    assert closes(client.read_bars()) == [("AA", 9.5)] * 3
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO bars_pins (name, known_at, load_id) SELECT 'first', known_at, id"
            " FROM bars_loads ORDER BY id LIMIT 1"
        )
    assert closes(client.read_bars(pin="first")) == [("AA", 10.5)] * 2
    with pytest.raises(NothingStored, match="no pin named 'second'"):
        client.read_bars(pin="second")
    with pytest.raises(SettingsError, match="in the future"):
        client.read_bars(as_of=datetime.now(UTC) + DAY)


def test_nothing_stored(client: StoreClient) -> None:
    assert client.symbols() == []
    assert client.series().schema == {
        **dict.fromkeys(("provider", "symbol", "interval"), pl.String),
        **dict.fromkeys(("first", "last"), SCHEMA["ts"]),
    }
    with pytest.raises(NothingStored):
        client.read_bars()
    client.write_bars(minutes(1, provider="yfinance-adjusted"))
    with pytest.raises(NothingStored, match="no bars of XX are stored"):
        client.read_bars(symbol="XX")
    with pytest.raises(NothingStored) as raised:
        client.read_bars(provider="yfinance")
    assert raised.value.hint == "did you mean yfinance-adjusted? See what there is: mdload coverage"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": datetime(2024, 1, 1)}, "start has no time zone"),
        ({"end": "yesterday"}, "end is not a date or time of ISO 8601: 'yesterday'"),
        ({"start": "2024-02-01", "end": "2024-01-01"}, "start 2024-02-01 is after end 2024-01-01"),
        ({"as_of": T0, "pin": "x"}, "as_of and pin name two instants"),
        ({"as_of": datetime(2024, 1, 1)}, "as_of has no time zone"),
    ],
)
def test_wrong_arguments(client: StoreClient, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        client.read_bars(**options)


@settings(max_examples=40)
@given(data=st.data())
def test_random_stores_and_questions(client: StoreClient, data: st.DataObject) -> None:
    """Against a plain filter of what was written."""
    with psycopg.connect(client._address.url, autocommit=True) as connection:
        connection.execute("TRUNCATE bars_ohlcv")
    some = st.sampled_from
    keys = data.draw(
        st.sets(st.tuples(some("pq"), some(["A", "B.B", "É"]), some(["1m", "1d"]),
                          st.integers(0, 5)), min_size=1, max_size=40)
    )  # fmt: skip
    midnight = T0.replace(hour=0, minute=0)
    bars = [
        Candle(provider=p, symbol=s, interval=i, ts=midnight + n * DAY, trade_count=n)
        for p, s, i, n in keys
    ]
    client.write_bars(bars)
    provider = data.draw(some([None, "p", "q"]))
    interval = data.draw(some([None, "1m", "1d"]))
    symbols = data.draw(st.sets(some(["A", "B.B", "É"])))
    lo, hi = sorted(data.draw(st.tuples(st.integers(0, 6), st.integers(0, 6))))
    selected = [
        key for key in keys
        if (provider in (None, key[0]) and interval in (None, key[2])
            and (not symbols or key[1] in symbols))
    ]  # fmt: skip
    question = {"provider": provider, "symbol": sorted(symbols), "interval": interval,
                "start": midnight + lo * DAY, "end": midnight + hi * DAY}  # fmt: skip
    if not selected or symbols - {key[1] for key in selected}:
        with pytest.raises(NothingStored):
            client.read_bars(**question)
        return
    expected = sorted(
        (key for key in selected if lo <= key[3] <= hi),
        key=lambda key: (key[0], key[1].encode(), key[2], key[3]),
    )
    found = client.read_bars(**question).select(*COLUMNS[:3], "trade_count").rows()
    assert found == expected


def test_asynchronously(database_url: str) -> None:
    async def use() -> None:
        async with AsyncStoreClient(database_url) as client:
            await client.write_bars(minutes(25))
            assert (await client.read_bars(symbol="AA")).height == 25
            assert [f.height async for f in client.iter_bars(batch_size=10)] == [10, 10, 5]
            assert await client.symbols() == ["AA"]
            assert (await client.series()).height == 1

    asyncio.run(use())
