"""Missing bars, against a slow oracle that asks the calendar package minute by minute."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.db.arrow import connect
from loader.errors import SettingsError
from loader.store.series import SeriesFilter, stored_series
from loader.survey.gaps import Gap, SeriesGaps, Span, check, unknown
from loader.survey.waivers import Bound, Waiver, add, stored_waivers, withdraw
from tests.conftest import database, plain_only
from tests.support.accesses import accesses

LATER = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def store(url: str, interval: str, stamps: Sequence[datetime], symbol: str = "A") -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            'INSERT INTO bars_ohlcv (provider, symbol, "interval", ts, open, high, low, close)'
            " SELECT 'p', %s, %s, ts, 1, 1, 1, 1 FROM unnest(%s::timestamptz[]) ts",
            [symbol, interval, list(stamps)],
        )


def checked(
    url: str,
    name: str,
    span: Span,
    waivers: Sequence[Waiver] = (),
    asked: SeriesFilter | None = None,
) -> list[SeriesGaps]:
    with connect(url, autocommit=True) as connection:
        series = stored_series(connection, asked or SeriesFilter())
        return list(check(connection, series, name, span, waivers))


def found(url: str, name: str, *, since: Bound | None = None, until: Bound | None = None,
          waivers: Sequence[Waiver] = ()) -> list[tuple[str, str, int, int]]:  # fmt: skip
    """The gaps of the only series: first and last missing bar, bars, whole sessions."""
    (only,) = checked(url, name, Span(since, until, LATER), waivers)
    assert only.expected == only.stored + only.waived + only.missing
    return [
        (f"{gap.first:%m-%d %H:%M}", f"{gap.last:%m-%d %H:%M}", gap.bars, gap.sessions)
        for gap in only.gaps
    ]


def days(*texts: str) -> list[datetime]:
    return [utc(text) for text in texts]


def minutes(first: str, last: str, step: int = 1) -> list[datetime]:
    begin, end = utc(first), utc(last)
    return [begin + n * step * MINUTE for n in range(int((end - begin) / (step * MINUTE)) + 1)]


def test_holidays_and_weekends_are_no_gaps(database_url: str) -> None:
    store(database_url, "1d", days("2024-07-01", "2024-07-03", "2024-07-05", "2024-07-09"))
    assert found(database_url, "XNYS") == [
        ("07-02 00:00", "07-02 00:00", 1, 1),
        ("07-08 00:00", "07-08 00:00", 1, 1),
    ]


def test_minutes_missing_around_a_half_day(database_url: str) -> None:
    store(database_url, "1m", minutes("2024-07-02T13:30", "2024-07-02T19:58"))
    store(database_url, "1m", minutes("2024-07-03T13:31", "2024-07-03T16:59"))
    store(database_url, "1m", minutes("2024-07-08T13:30", "2024-07-08T13:30"))
    assert found(database_url, "XNYS") == [
        ("07-02 19:59", "07-03 13:30", 2, 0),
        ("07-05 13:30", "07-05 19:59", 390, 1),
    ]


def test_bounds_say_what_should_be_there(database_url: str) -> None:
    store(database_url, "1d", days("2024-07-03"))
    assert found(database_url, "XNYS") == []
    gaps = found(database_url, "XNYS", since=date(2024, 7, 1), until=date(2024, 7, 7))
    assert gaps == [("07-01 00:00", "07-02 00:00", 2, 2), ("07-05 00:00", "07-05 00:00", 1, 1)]
    assert found(database_url, "XNYS", until=date(2024, 7, 2)) == []
    assert found(database_url, "XNYS", since=date(2024, 7, 6), until=date(2024, 7, 7)) == []


def test_a_series_that_fell_silent_lacks_all_bars_up_to_now(database_url: str) -> None:
    store(database_url, "1d", days("2024-07-03"))
    since = date(2024, 7, 4)
    (only,) = checked(database_url, "XNYS", Span(since, None, utc("2024-07-09T21:00")))
    assert [(f"{g.first:%m-%d}", f"{g.last:%m-%d}", g.bars) for g in only.gaps] == [
        ("07-05", "07-09", 3)
    ]
    store(database_url, "1d", days("2024-07-08"), "B")  # then the span ends where each series does
    told = checked(database_url, "XNYS", Span(since, None, utc("2024-07-09T21:00")))
    assert [(c.symbol, c.missing) for c in told] == [("A", 0), ("B", 1)]


def test_a_moment_as_a_bound_is_a_bar(database_url: str) -> None:
    store(database_url, "1m", minutes("2024-07-03T13:30", "2024-07-03T13:34"))
    gaps = found(database_url, "XNYS", until=utc("2024-07-03T13:36"))
    assert gaps == [("07-03 13:35", "07-03 13:36", 2, 0)]


@pytest.mark.parametrize(
    ("stamps", "way", "gap"),
    [
        (minutes("2024-11-29T14:30", "2024-11-29T17:30", 60), "open", "11-29 15:30"),
        (minutes("2024-11-29T14:00", "2024-11-29T17:00", 60), "clock", "11-29 15:00"),
    ],
)
def test_hours_are_counted_as_the_series_counts_them(
    database_url: str, stamps: list[datetime], way: str, gap: str
) -> None:
    store(database_url, "1h", [stamps[0], *stamps[2:]])
    (only,) = checked(database_url, "XNYS", Span(None, None, LATER))
    assert (only.counted_from, only.stored, only.missing, only.outside) == (way, 3, 1, 0)
    assert [f"{g.first:%m-%d %H:%M}" for g in only.gaps] == [gap]


def test_a_week_is_there_whichever_day_it_is_stamped_with(database_url: str) -> None:
    store(database_url, "1w", days("2024-01-05", "2024-01-08", "2024-01-26"))
    assert found(database_url, "XNYS") == [("01-15 00:00", "01-15 00:00", 1, 1)]
    store(database_url, "1w", days("2024-01-19"))
    assert found(database_url, "XNYS") == []


def test_bars_outside_of_sessions_are_counted_and_no_matter(database_url: str) -> None:
    store(database_url, "1m", minutes("2024-07-02T08:00", "2024-07-03T23:00"))
    (only,) = checked(database_url, "XNYS", Span(None, None, LATER))
    # Between the first and the last expected bar: the night from 20:00 to 13:30.
    assert (only.expected, only.missing, only.outside) == (390 + 210, 0, 17 * 60 + 30)


def test_series_by_series_and_an_interval_that_nobody_knows(database_url: str) -> None:
    store(database_url, "1d", days("2024-07-01", "2024-07-05"), "A")
    store(database_url, "1d", days("2024-07-01", "2024-07-02", "2024-07-03"), "B")
    store(database_url, "3d", days("2024-07-01", "2024-07-07"), "B")
    told = checked(database_url, "XNYS", Span(None, None, LATER))
    assert [(c.symbol, c.interval, c.missing) for c in told] == [("A", "1d", 2), ("B", "1d", 0)]
    with connect(database_url, autocommit=True) as connection:
        assert unknown(stored_series(connection, SeriesFilter())) == ["3d"]
        assert unknown(stored_series(connection, SeriesFilter(symbols=["A"]))) == []


def test_many_series_are_read_in_groups(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loader.survey.gaps._READ_TIMES", 4)
    stamps = days("2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08")
    for number in range(7):
        store(database_url, "1d", [s for n, s in enumerate(stamps) if n != number], f"S{number}")
    told = checked(database_url, "XNYS", Span(date(2024, 7, 1), date(2024, 7, 8), LATER))
    assert [[f"{g.first:%m-%d}" for g in c.gaps] for c in told] == [
        ["07-01"], ["07-02"], ["07-03"], ["07-05"], ["07-08"], [], []
    ]  # fmt: skip


def test_what_is_waived_is_left_out(database_url: str) -> None:
    store(database_url, "1m", minutes("2024-07-02T13:30", "2024-07-02T13:39"))
    store(database_url, "1m", minutes("2024-07-05T13:30", "2024-07-05T13:39"))
    whole = ("07-02 13:40", "07-03 16:59", 380 + 210, 1)
    assert found(database_url, "XNYS") == [whole]
    session = Waiver("A", date(2024, 7, 3), date(2024, 7, 4), "early close")
    assert found(database_url, "XNYS", waivers=[session]) == [
        ("07-02 13:40", "07-02 19:59", 380, 0)
    ]
    middle = Waiver("A", utc("2024-07-02T15:00"), utc("2024-07-02T15:09"), "halt", "p", "1m")
    assert found(database_url, "XNYS", waivers=[session, middle]) == [
        ("07-02 13:40", "07-02 14:59", 80, 0),
        ("07-02 15:10", "07-02 19:59", 290, 0),
    ]
    others = [
        dataclasses.replace(session, symbol="B"),
        dataclasses.replace(session, provider="q"),
        dataclasses.replace(session, interval="1d"),
    ]
    assert found(database_url, "XNYS", waivers=others) == [whole]


def test_waivers_are_kept_once_and_can_be_withdrawn(database_url: str) -> None:
    waivers = [
        Waiver("B", date(2024, 7, 3), date(2024, 7, 5), "halted", "p", "1m"),
        Waiver("A", utc("2024-07-03T14:00"), utc("2024-07-03T14:59"), "no trade"),
    ]
    with connect(database_url, autocommit=True) as connection:
        for waiver in [*waivers, *waivers]:
            add(connection, waiver)
        kept = stored_waivers(connection)
        assert [
            dataclasses.replace(w, id=None, waived_by=None, created_at=None) for w in kept
        ] == waivers[::-1]
        assert [w.waived_by for w in kept] == ["postgres"] * 2
        withdraw(connection, int(kept[0].id or 0))
        assert [w.symbol for w in stored_waivers(connection)] == ["B"]
        with pytest.raises(SettingsError, match="there is no waiver 99"):
            withdraw(connection, 99)


@plain_only
def test_the_index_alone_is_read_and_each_bar_once(database_url: str) -> None:
    for symbol in ("A", "B", "C"):
        store(database_url, "1m", minutes("2024-07-02T00:00", "2024-07-08T23:59"), symbol)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")  # commits here are not synchronous
        connection.execute("VACUUM bars_ohlcv")
    before = accesses(database_url)
    (only,) = checked(
        database_url, "24/7", Span(None, None, LATER), asked=SeriesFilter(symbols=["B"])
    )
    made = accesses(database_url) - before
    assert (only.symbol, only.stored) == ("B", 10_080)
    # Beside B's bars: the provider, the symbol, the interval, and the two ends; of the table only
    # which of its pages are visible to all.
    assert made.scans == 0
    assert 10_080 <= made.entries <= 10_080 + 8
    assert made.blocks <= 20  # of 130 that hold B's bars


# Against the oracle.


@dataclass(frozen=True)
class Days:
    """A stretch of a calendar with something special in it."""

    name: str
    first: date
    last: date


STRETCHES = (
    Days("XNYS", date(2024, 11, 27), date(2024, 12, 3)),  # Thanksgiving, a half day, a weekend
    Days("XHKG", date(2024, 12, 23), date(2024, 12, 30)),  # breaks, a half day, Christmas
    Days("CMES", date(2024, 7, 3), date(2024, 7, 8)),  # opens on the evening before
    Days("24/7", date(2024, 2, 28), date(2024, 3, 1)),
)


@cache
def grid(days: Days, step: int) -> list[tuple[datetime, date, datetime]]:
    """Start, session and end of each bar of `step` minutes, one minute after the other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import exchange_calendars

        known = exchange_calendars.get_calendar(days.name, start="2024-01-02", end="2025-01-15")
        bars: list[tuple[datetime, date, datetime]] = []
        part = 0  # minutes since the open, or since the end of the break
        before: tuple[date, datetime] | None = None
        for stamp in known.sessions_minutes(str(days.first), str(days.last)):
            minute = stamp.to_pydatetime().astimezone(UTC)
            session = known.minute_to_session(stamp).date()
            part = part + 1 if before == (session, minute - MINUTE) else 0
            before = session, minute
            if part % step == 0:
                bars.append((minute, session, minute + MINUTE))
            else:  # the bar goes on
                bars[-1] = (*bars[-1][:2], minute + MINUTE)
    return bars


@dataclass(frozen=True)
class Example:
    days: Days
    step: int
    removed: frozenset[int]
    extra: tuple[datetime, ...]
    span: Span
    waivers: tuple[Waiver, ...]

    @property
    def bars(self) -> list[tuple[datetime, date, datetime]]:
        return grid(self.days, self.step)

    def stored(self) -> list[datetime]:
        kept = [ts for n, (ts, *_) in enumerate(self.bars) if n not in self.removed]
        return sorted({*kept, *self.extra})

    def expected(self) -> list[tuple[datetime, date]]:
        stored, span = self.stored(), self.span
        begin = span.since
        if begin is not None and not isinstance(begin, datetime):
            begin = datetime(begin.year, begin.month, begin.day, tzinfo=UTC)
        end_of_all = span.now if begin is not None and stored[-1] < begin else stored[-1]

        def within(ts: datetime, session: date, end: datetime) -> bool:
            since, until = span.since or stored[0], span.until or end_of_all
            after = ts >= since if isinstance(since, datetime) else session >= since
            before = ts <= until if isinstance(until, datetime) else session <= until
            return after and before and end <= span.now

        return [(ts, session) for ts, session, end in self.bars if within(ts, session, end)]

    def waived(self, ts: datetime, session: date) -> bool:
        return any(
            w.concerns("p", "A", f"{self.step}m")
            and (w.first <= (session if w.of_sessions else ts) <= w.last)  # type: ignore[operator]
            for w in self.waivers
        )

    def gaps(self) -> list[Gap]:
        stored = set(self.stored())
        runs: list[list[tuple[datetime, date]]] = [[]]
        for bar in self.expected():
            if bar[0] in stored or self.waived(*bar):
                runs.append([])
            else:
                runs[-1].append(bar)
        return [self._gap(run) for run in runs if run]

    def _gap(self, run: list[tuple[datetime, date]]) -> Gap:
        missing = set(run)
        present = {session for ts, session, end in self.bars
                   if end <= self.span.now and (ts, session) not in missing}  # fmt: skip
        whole = len({session for _, session in run} - present)
        return Gap(
            "p", "A", f"{self.step}m", run[0][0], run[-1][0], len(run), whole, run[0][1], run[-1][1]
        )


@st.composite
def examples(draw: st.DrawFn) -> Example:
    days = draw(st.sampled_from(STRETCHES))
    step = draw(st.sampled_from([1, 5, 30]))
    bars = grid(days, step)
    last = len(bars) - 1
    removed: set[int] = set()
    for _ in range(draw(st.integers(0, 4))):
        begin = draw(st.integers(0, last))
        removed |= set(range(begin, begin + draw(st.sampled_from([1, 2, 60, 400]))))
    removed -= {draw(st.integers(0, last))}  # at least one stays
    moments = st.integers(0, last).map(lambda n: bars[n][0])
    sessions = st.sampled_from(sorted({session for _, session, _ in bars}))
    bound = st.none() | moments | sessions
    waivers = []
    for _ in range(draw(st.integers(0, 3))):
        ends = sorted(draw(st.tuples(*[draw(st.sampled_from([moments, sessions]))] * 2)))
        waivers.append(
            Waiver(draw(st.sampled_from("AAAB")), *ends, "why",
                   draw(st.sampled_from([None, "p", "q"])),
                   draw(st.sampled_from([None, f"{step}m", "1d"])))
        )  # fmt: skip
    span = Span(draw(bound), draw(bound), draw(st.just(LATER) | moments))
    night = bars[0][0] - timedelta(minutes=30)
    return Example(
        days,
        step,
        frozenset(removed),
        (night,) if days.name[0] == "X" and draw(st.booleans()) else (),
        span,
        tuple(waivers),
    )


@pytest.fixture(scope="module")
def shared_url(server_url: str, template: str) -> Iterator[str]:
    with database(server_url, template) as url:
        yield url


@settings(max_examples=60)
@given(example=examples())
def test_exactly_what_the_oracle_misses(shared_url: str, example: Example) -> None:
    with psycopg.connect(shared_url) as connection:
        connection.execute("TRUNCATE bars_ohlcv")
    store(shared_url, f"{example.step}m", example.stored())
    told: list[Any] = checked(shared_url, example.days.name, example.span, example.waivers)
    (only,) = told
    assert list(only.gaps) == example.gaps()
    expected = [ts for ts, _ in example.expected()]
    assert only.expected == len(expected)
    assert only.stored == len(set(expected) & set(example.stored()))
    assert only.missing == sum(gap.bars for gap in example.gaps())
    assert only.waived == only.expected - only.stored - only.missing
