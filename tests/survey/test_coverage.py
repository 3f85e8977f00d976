"""Coverage, against reading all of the store."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.bars import INTERVAL_SECONDS
from loader.db.arrow import Connection, connect
from loader.errors import NothingStored
from loader.store.series import SeriesFilter, stored_series
from loader.survey.coverage import Coverage, coverage
from tests.conftest import database, not_on_citus
from tests.support.accesses import accesses

T0 = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
uncounted = not_on_citus("the shards count what is read of them")
Key = tuple[str, str, str]


def store(url: str, key: Key, stamps: Sequence[datetime]) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            'INSERT INTO bars_ohlcv (provider, symbol, "interval", ts, open, high, low, close)'
            " SELECT %s, %s, %s, ts, 1, 1, 1, 1 FROM unnest(%s::timestamptz[]) ts",
            [*key, list(stamps)],
        )


def every(step: timedelta, number: int, first: datetime = T0) -> list[datetime]:
    return [first + n * step for n in range(number)]


def covered(url: str, cells: int = 10, asked: SeriesFilter | None = None, **given: Any) -> Coverage:
    with connect(url, autocommit=True) as connection:
        return coverage(connection, asked or SeriesFilter(), cells, **given)


def strip(found: Coverage, number: int = 0) -> str:
    """The cells in tenths; a blank is outside of the series."""
    return "".join(
        " " if c is None else f"{min(int(c * 10), 9)}" for c in found.series[number].cells
    )


def test_days_with_a_hole(database_url: str) -> None:
    store(database_url, ("p", "A", "1d"), [*every(DAY, 30), *every(DAY, 40, T0 + 60 * DAY)])
    found = covered(database_url)
    (series,) = found.series
    assert (series.first, series.last) == (T0, T0 + 99 * DAY)
    assert (series.bars, series.exact) == (70, True)
    assert (found.origin, found.cell) == (T0, 10 * DAY)
    assert strip(found) == "9990009999"


def test_all_share_one_time(database_url: str) -> None:
    store(database_url, ("p", "A", "1d"), every(DAY, 100))
    store(database_url, ("p", "B", "1d"), every(DAY, 25, T0 + 50 * DAY))
    store(database_url, ("p", "C", "1mo"), [T0, T0.replace(month=2), T0.replace(month=3)])
    found = covered(database_url)
    assert [strip(found, n) for n in range(3)] == ["9999999999", "     999  ", "9999999999"]


def test_minutes_by_day_only(database_url: str) -> None:
    """Half of each day: all slices of a cell of ten days have bars; those of an hour do not."""
    for day in range(100):
        store(database_url, ("p", "A", "1m"), every(timedelta(minutes=10), 72, T0 + day * DAY))
    assert set(strip(covered(database_url, 10))) == {"9"}
    found = covered(database_url, 4, SeriesFilter(until=T0 + DAY - timedelta(microseconds=1)))
    assert strip(found) == "9999"  # from midnight to noon is all there is
    assert found.series[0].bars == 72


def test_bounds_narrow_everything(database_url: str) -> None:
    store(database_url, ("p", "A", "1d"), every(DAY, 100))
    store(database_url, ("p", "B", "1d"), every(DAY, 10))
    found = covered(database_url, asked=SeriesFilter(since=T0 + 20 * DAY, until=T0 + 29 * DAY))
    (series,) = found.series
    assert (series.symbol, series.first, series.last, series.bars) == (
        "A", T0 + 20 * DAY, T0 + 29 * DAY, 10
    )  # fmt: skip
    assert covered(database_url, asked=SeriesFilter(since=T0 + 200 * DAY)).series == ()


KEYS = [(p, s, i) for p in ("a", "b", "B") for s in ("A", "AA", "B.B") for i in ("1d", "1m", "zz")]


@settings(max_examples=25)
@given(
    keys=st.sets(st.sampled_from(KEYS), min_size=1),
    provider=st.sampled_from([None, "a", "B"]),
    symbols=st.sets(st.sampled_from(["A", "B.B"])),
    interval=st.sampled_from([None, "1d", "zz"]),
)
def test_series_are_found_as_distinct_finds_them(
    shared_url: str, keys: set[Key], provider: str | None, symbols: set[str], interval: str | None
) -> None:
    with psycopg.connect(shared_url) as connection:
        connection.execute("TRUNCATE bars_ohlcv")
    for key in keys:
        store(shared_url, key, [T0, T0 + DAY])
    asked = SeriesFilter(provider, sorted(symbols), interval)
    expected = sorted(
        key
        for key in keys
        if provider in (None, key[0])
        and (not symbols or key[1] in symbols)
        and interval in (None, key[2])
    )
    with connect(shared_url, autocommit=True) as connection:
        if not expected or {key[1] for key in expected} < symbols:
            with pytest.raises(NothingStored):
                stored_series(connection, asked)
            return
        found = stored_series(connection, asked)
    assert found.select("provider", "symbol", "interval").rows() == expected
    assert found["sid"].to_list() == list(range(len(expected)))
    assert set(found.select("first", "last").rows()) == {(T0, T0 + DAY)}


@st.composite
def stamps(draw: st.DrawFn) -> tuple[str, list[datetime]]:
    interval = draw(st.sampled_from(["1s", "1m", "1h", "1d", "1w"]))
    step = timedelta(seconds=INTERVAL_SECONDS[interval])
    places = draw(st.sets(st.integers(0, 400), min_size=1, max_size=80))
    return interval, [T0 + n * step for n in sorted(places)]


@settings(max_examples=40)
@given(series=st.lists(stamps(), min_size=1, max_size=3), cells=st.integers(1, 13))
def test_strips_against_marking_every_bar(
    shared_url: str, series: list[tuple[str, list[datetime]]], cells: int
) -> None:
    with psycopg.connect(shared_url) as connection:
        connection.execute("TRUNCATE bars_ohlcv")
    for number, (interval, times) in enumerate(series):
        store(shared_url, ("p", f"S{number}", interval), times)
    found = covered(shared_url, cells)
    lengths = [timedelta(seconds=INTERVAL_SECONDS[interval]) for interval, _ in series]
    end = max(times[-1] + length for length, (_, times) in zip(lengths, series, strict=True))
    origin = min(times[0] for _, times in series)
    microsecond = timedelta(microseconds=1)
    slice_ = -(-((end - origin) // microsecond) // (cells * 8)) * microsecond
    assert found.origin == origin
    for length, (_, times), told in zip(lengths, series, found.series, strict=True):
        reach = length - microsecond if length > slice_ else timedelta()
        marked = {
            number
            for ts in times
            for number in range((ts - origin) // slice_, (ts + reach - origin) // slice_ + 1)
        }
        inside = range(min(marked), max(marked) + 1)
        for cell, share in enumerate(told.cells):
            own = [n for n in inside if n // 8 == cell]
            assert share == (sum(n in marked for n in own) / len(own) if own else None)
        assert (told.first, told.last, told.bars) == (times[0], times[-1], len(times))


@pytest.fixture(scope="module")
def shared_url(server_url: str, template: str) -> Iterator[str]:
    with database(server_url, template) as url:
        yield url


@pytest.fixture(scope="module")
def large(server_url: str, template: str) -> Iterator[str]:
    """Two years of minutes of trading days, 390 a day, of three symbols, one with a hole."""
    with database(server_url, template) as url:
        for symbol, hole in (("A", "2030-01-01"), ("B", "2023-06-01"), ("C", "2030-01-01")):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(
                    "INSERT INTO bars_ohlcv"
                    ' (provider, symbol, "interval", ts, open, high, low, close)'
                    " SELECT 'p', %s, '1m', day + make_interval(mins => 870 + m), 1, 1, 1, 1"
                    " FROM generate_series('2023-01-02Z'::timestamptz, '2024-12-31Z', '1 day') day"
                    " CROSS JOIN generate_series(0, 389) m"
                    " WHERE extract(isodow FROM day AT TIME ZONE 'UTC') < 6"
                    " AND NOT day BETWEEN %s::timestamptz AND %s::timestamptz + interval '90 d'",
                    [symbol, hole, hole],
                )
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")  # commits here are not synchronous
            connection.execute("VACUUM ANALYZE bars_ohlcv")
        yield url


def test_what_is_estimated_is_near_and_says_so(large: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = covered(large, 48)
    assert all(s.exact for s in exact.series)
    days = 522  # from 2023-01-02 to 2024-12-31, without weekends
    assert [s.bars for s in exact.series] == [days * 390, (days - 65) * 390, days * 390]
    for counted in (2_000_000, 1_000_000, 300_000):
        monkeypatch.setattr("loader.survey.counts._COUNTED", counted)
        near = covered(large, 48)
        assert not any(s.exact for s in near.series)
        assert [s.cells for s in near.series] == [s.cells for s in exact.series]
        for one, other in zip(near.series, exact.series, strict=True):
            assert abs(one.bars / other.bars - 1) < 0.05
        assert [s.bars for s in covered(large, 48, exact=True).series] == [
            s.bars for s in exact.series
        ]


def test_an_estimate_keeps_to_the_bounds(large: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten days from the middle of a week to the middle of another, all of one week counted."""
    asked = SeriesFilter(
        since=datetime(2024, 3, 6, tzinfo=UTC), until=datetime(2024, 3, 19, 23, 59, tzinfo=UTC)
    )
    monkeypatch.setattr("loader.survey.counts._COUNTED", 1)
    monkeypatch.setattr("loader.survey.counts._LEAST", 1)
    for series in covered(large, 48, asked).series:
        assert (series.bars, series.exact) == (2 * 5 * 390, False)


@pytest.mark.parametrize("known", ["analyzed", "never analyzed"])
def test_a_probe_for_each_slice_and_no_scan(
    large: str, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    if known == "never analyzed":
        with psycopg.connect(large, autocommit=True) as connection:
            connection.execute("DELETE FROM pg_statistic WHERE starelid = 'bars_ohlcv'::regclass")
            connection.execute(
                "UPDATE pg_class SET (reltuples, relpages) = (-1, 0)"
                " WHERE relname IN ('bars_ohlcv', 'bars_ohlcv_pk')"
            )
    monkeypatch.setattr("loader.survey.counts._COUNTED", 1)
    monkeypatch.setattr("loader.survey.counts._LEAST", 1)
    before = accesses(large)
    found = covered(large, 48)
    made = accesses(large) - before
    assert len(found.series) == 3
    assert made.scans == 0
    week = 5 * 390  # is counted of each
    assert made.entries <= 3 * (48 * 8 + 3 + week)


@uncounted
def test_many_series_are_looked_at_less_closely(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.survey.coverage._PROBES", 100)
    for number in range(10):
        store(database_url, ("p", f"S{number}", "1h"), every(timedelta(hours=1), 300))
    before = accesses(database_url)
    found = covered(database_url, 10)
    assert [set(s.cells) for s in found.series] == [{1.0}] * 10
    # Ten slices of each series; then the bars, which are few enough to be counted.
    assert (accesses(database_url) - before).entries <= 10 * (10 + 4) + 3_000


def test_an_empty_store(database_url: str) -> None:
    with pytest.raises(NothingStored, match="no bars are stored"):
        covered(database_url)


def test_a_random_store_is_counted_exactly(database_url: str) -> None:
    seed = random.Random(4)
    for symbol in ("A", "B"):
        every_second = sorted(seed.sample(range(100_000), 3_000))
        store(database_url, ("p", symbol, "1s"), [T0 + timedelta(seconds=s) for s in every_second])
    assert [(s.bars, s.exact) for s in covered(database_url, 7).series] == [(3_000, True)] * 2


def test_series_are_shared_out_among_sessions_and_thousands_have_fewer_cells(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        store(database_url, ("p", f"S{number:02}", "1h"), every(timedelta(hours=1), 300 + number))
    alone = covered(database_url, 24)
    monkeypatch.setattr("loader.survey.coverage._MANY", 12)
    opened = []

    def another() -> Connection:
        opened.append(connect(database_url, autocommit=True))
        return opened[-1]

    assert covered(database_url, 24, another=another) == alone
    assert len(opened) == 3
    monkeypatch.setattr("loader.survey.coverage._PROBES", 12 * 15)
    fewer = covered(database_url, 24, another=another)
    assert [len(s.cells) for s in fewer.series] == [15] * 12
    assert [(s.first, s.last, s.bars) for s in fewer.series] == [
        (s.first, s.last, s.bars) for s in alone.series
    ]
    monkeypatch.setattr("loader.survey.coverage._PROBES", 1)
    assert {len(s.cells) for s in covered(database_url, 24).series} == {12}


@uncounted
def test_thousands_of_series_have_a_week_counted_each(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four whole weeks of hours each, from a Monday; one of the four is counted."""
    for number in range(8):
        store(database_url, ("p", f"S{number}", "1h"), every(timedelta(hours=1), 4 * 7 * 24))
    monkeypatch.setattr("loader.survey.counts._COUNTED", 1)
    monkeypatch.setattr("loader.survey.counts._WEEKS", 8)
    before = accesses(database_url)
    found = covered(database_url, 4)
    assert [(s.bars, s.exact) for s in found.series] == [(4 * 7 * 24, False)] * 8
    assert (accesses(database_url) - before).entries <= 8 * (7 * 24 + 4 * 8 + 4)


def test_a_picture_of_coverage(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from loader.survey.pictures import strips

    store(database_url, ("p", "A<B>", "1d"), [*every(DAY, 30), *every(DAY, 40, T0 + 60 * DAY)])
    store(database_url, ("p", "B", "1d"), every(DAY, 25, T0 + 50 * DAY))
    found = covered(database_url)
    picture = ElementTree.fromstring(str(strips.of_coverage(found)))
    name = "{http://www.w3.org/2000/svg}"
    cells = [rect.get("class") for rect in picture.iter(f"{name}rect")]
    assert cells[:5] == [
        "bg",
        "q6",
        "q0",
        "q6",
        "q6",
    ]  # a hole; B only where it has time of its own
    assert [text.text for text in picture.iter(f"{name}text")][:2] == ["A<B> 1d p", "B 1d p"]
    monkeypatch.setattr("loader.survey.pictures.strips._SINGLE", 1)
    grouped = ElementTree.fromstring(str(strips.of_coverage(found)))
    assert next(grouped.iter(f"{name}text")).text == "p 1d (2)"
