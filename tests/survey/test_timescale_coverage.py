"""Coverage over many chunks, compressed and not, against plain SQL that marks every bar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
import psycopg
import pytest

from loader.bars import INTERVAL_SECONDS, KEY
from loader.db.arrow import connect
from loader.store.export import export
from loader.store.series import SeriesFilter, stored_series
from loader.store.timescale.chunks import stretches
from loader.survey.coverage import coverage
from tests.conftest import database, needs_timescale

pytestmark = needs_timescale
T0 = datetime(2020, 1, 2, tzinfo=UTC)  # a Thursday, on which chunks begin
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
MICROSECOND = timedelta(microseconds=1)
Key = tuple[str, str, str]
FIELDS = "(provider, symbol, interval, ts, open, high, low, close)"

ASKED = [
    SeriesFilter(),
    SeriesFilter(symbols=["B", "C"]),
    SeriesFilter(provider="p", interval="1h"),
    SeriesFilter(since=T0 + 3 * WEEK + 5 * HOUR, until=T0 + 17 * WEEK + 7 * HOUR),
    SeriesFilter(since=T0 + 9 * DAY, until=T0 + 9 * DAY + 3 * HOUR),
    SeriesFilter(since=T0 + 27 * WEEK),
    SeriesFilter(symbols=["A"], until=T0 - DAY),
]


@pytest.fixture(scope="module")
def mixed(server_url: str, template: str) -> Iterator[str]:
    """Thirty weeks: 0 to 11, 14 and 15 to 19 compressed, bars that came later beside those of
    weeks 3 and 16, and one series in them alone; nothing at all in weeks 12 and 13."""
    with database(server_url, template) as url, psycopg.connect(url, autocommit=True) as connection:
        insert = f"INSERT INTO bars_ohlcv {FIELDS} SELECT %s, %s, %s, ts, 1, 1, 1, 1 FROM "
        series = "generate_series(%s::timestamptz, %s, %s) ts WHERE ts NOT BETWEEN %s AND %s"
        hole = [T0 + 12 * WEEK, T0 + 14 * WEEK - MICROSECOND]
        for key, first, last, step in [
            (("p", "A", "1h"), T0, T0 + 30 * WEEK - HOUR, HOUR),
            (("p", "B", "1h"), T0 + 5 * WEEK + 7 * HOUR, T0 + 25 * WEEK, 3 * HOUR),
            (("q", "A", "1d"), T0 + 2 * DAY, T0 + 29 * WEEK, DAY),
            (("q", "C", "1h"), T0 + 27 * WEEK, T0 + 27 * WEEK + 2 * DAY, HOUR),
        ]:
            connection.execute((insert + series).encode(), [*key, first, last, step, *hole])
        connection.execute(
            "SELECT compress_chunk(c) FROM show_chunks('bars_ohlcv', older_than => %s) AS c",
            [T0 + 20 * WEEK],
        )
        for week in (3, 16):
            late = T0 + week * WEEK + 13 * HOUR + timedelta(minutes=30)
            for key in (("p", "A", "1h"), ("q", "L", "zz")):
                values = [*key, late, late + 5 * HOUR, HOUR, *hole]
                connection.execute((insert + series).encode(), values)
        yield url


def within(url: str, asked: SeriesFilter) -> dict[Key, list[datetime]]:
    """All ts of each series within the bounds, as a plain SELECT gives them."""
    found: dict[Key, list[datetime]] = {}
    with psycopg.connect(url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for provider, symbol, interval, ts in connection.execute(
            "SELECT provider, symbol, interval, ts FROM bars_ohlcv ORDER BY 1, 2, 3, 4"
        ):
            if (
                asked.provider in (None, provider)
                and asked.interval in (None, interval)
                and (not asked.symbols or symbol in asked.symbols)
            ):
                times = found.setdefault((provider, symbol, interval), [])
                times += [ts] if asked.lo <= ts <= asked.hi else []
    return found


def test_chunks_are_told_apart(mixed: str) -> None:
    with connect(mixed, autocommit=True) as connection:
        found = stretches(connection)
    assert [(s.lo - T0, s.hi - T0 + MICROSECOND, s.whole) for s in found] == [
        (0 * WEEK, 20 * WEEK, True), (20 * WEEK, 28 * WEEK, False), (28 * WEEK, 30 * WEEK, False),
    ]  # fmt: skip


def test_chunks_with_few_bars_of_each_series_are_read_whole(server_url: str, template: str) -> None:
    """Weeks 0 and 1 have 7 bars of each of 30 series, week 2 has 168 of each, week 3 was never
    analyzed."""
    with database(server_url, template) as url, psycopg.connect(url, autocommit=True) as connection:
        insert = (
            f"INSERT INTO bars_ohlcv {FIELDS} SELECT 'p', 'S' || n, %s, ts, 1, 1, 1, 1 FROM "
            "generate_series(1, 30) n, generate_series(%s::timestamptz, %s, %s) ts"
        )
        insert_ = insert.encode()
        connection.execute(insert_, ["1d", T0, T0 + 2 * WEEK - DAY, DAY])
        connection.execute(insert_, ["1h", T0 + 2 * WEEK, T0 + 3 * WEEK - HOUR, HOUR])
        connection.execute("ANALYZE bars_ohlcv")
        connection.execute(insert_, ["1d", T0 + 3 * WEEK, T0 + 4 * WEEK - DAY, DAY])
        with connect(url, autocommit=True) as reading:
            assert [(s.lo - T0, s.hi - T0 + MICROSECOND, s.whole) for s in stretches(reading)] == [
                (0 * WEEK, 2 * WEEK, True),
                (2 * WEEK, 4 * WEEK, False),
            ]
            assert [s.whole for s in stretches(reading, few=True)] == [False]
            found = stored_series(reading, SeriesFilter(until=T0 + 9 * DAY))
        assert found.select("symbol", "interval", "first", "last").rows() == [
            (f"S{n}", i, T0 if i == "1d" else None, T0 + 9 * DAY if i == "1d" else None)
            for n in sorted(range(1, 31), key=str)
            for i in ("1d", "1h")
        ]


@pytest.mark.parametrize("asked", ASKED)
def test_series_are_those_of_a_plain_select(mixed: str, asked: SeriesFilter) -> None:
    expected = within(mixed, asked)
    with connect(mixed, autocommit=True) as connection:
        found = stored_series(connection, asked)
    assert found.select("provider", "symbol", "interval", "first", "last").rows() == [
        (*key, times[0] if times else None, times[-1] if times else None)
        for key, times in expected.items()
    ]
    assert found["sid"].to_list() == list(range(len(expected)))


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("cells", [3, 10, 30])
def test_counts_and_strips_are_those_of_every_bar(
    mixed: str, asked: SeriesFilter, cells: int
) -> None:
    expected = {key: times for key, times in within(mixed, asked).items() if times}
    with connect(mixed, autocommit=True) as connection:
        found = coverage(connection, asked, cells)
    assert [(s.provider, s.symbol, s.interval) for s in found.series] == list(expected)
    for told, (key, times) in zip(found.series, expected.items(), strict=True):
        assert (told.first, told.last) == (times[0], times[-1])
        assert (told.bars, told.exact) == (len(times), True)
        assert found.origin is not None
        slice_ = found.cell / 8
        length = timedelta(seconds=INTERVAL_SECONDS.get(key[2], 1))
        reach = length - MICROSECOND if length > slice_ else timedelta()
        marked = {
            number
            for ts in times
            for number in range(
                (ts - found.origin) // slice_, (ts + reach - found.origin) // slice_ + 1
            )
        }
        inside = range(min(marked), max(marked) + 1)
        for cell, share in enumerate(told.cells):
            own = [number for number in inside if number // 8 == cell]
            assert share == (sum(number in marked for number in own) / len(own) if own else None)


@pytest.mark.parametrize("asked", ASKED)
def test_an_export_is_the_plain_select_in_order(
    mixed: str, asked: SeriesFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.store.export.PIECE", 150)  # less than a week of hours
    monkeypatch.setattr("loader.store.export._LEAST", DAY)  # two weeks without a bar are in several
    expected = [(*key, ts) for key, times in within(mixed, asked).items() for ts in times]
    frames: list[pl.DataFrame] = []
    assert export(mixed, asked, KEY, frames.append).rows == len(expected)
    assert [row for frame in frames for row in frame.rows()] == expected


def test_only_chunks_that_are_not_compressed_are_estimated(
    mixed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.survey.counts._COUNTED", 1)
    with connect(mixed, autocommit=True) as connection:
        near = coverage(connection, SeriesFilter(), 30)
        exact = coverage(connection, SeriesFilter(), 30, exact=True)
    # Ten weeks of A are not compressed, of which at least six are counted, all of them alike.
    assert [(s.symbol, s.interval) for s in near.series if not s.exact] == [
        ("A", "1h"), ("A", "1d")
    ]  # fmt: skip
    for one, other in zip(near.series, exact.series, strict=True):
        assert other.exact
        assert abs(one.bars - other.bars) <= 0.05 * other.bars
        assert one.cells == other.cells
