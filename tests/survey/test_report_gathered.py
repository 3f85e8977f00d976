"""The figures of a report are those of the database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import exchange_calendars
import pytest

from loader.db.arrow import connect
from loader.db.rows import connect as connect_rows
from loader.errors import NothingStored
from loader.store.series import SeriesFilter
from loader.store.timescale.chunks import ALL_TIME, Stretch
from loader.store.versions.instants import Instant
from loader.survey.report import Asked, Report, as_object, gather
from tests.conftest import database, plain_only
from tests.support.made_store import fill
from tests.support.sql import fetch

#: Of how exchange_calendars uses pandas.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values:Warning")
TODAY = date(2026, 11, 28)
NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)


def report(url: str, **asked: Any) -> Report:
    with connect(url, autocommit=True) as connection, connect_rows(url) as session:
        wanted = Asked(**{"calendar": "XNYS", "now": NOW, **asked})
        return gather(connection, session, wanted, Instant("now", None))


def stamps(url: str, row: dict[str, Any]) -> set[datetime]:
    key = [row[name] for name in ("provider", "symbol", "interval")]
    asked = "SELECT ts FROM bars_ohlcv WHERE provider = %s AND symbol = %s AND interval = %s"
    return {ts for (ts,) in fetch(url, asked, *key)}


@pytest.fixture(scope="module")
def made(server_url: str, template: str) -> Iterator[str]:
    with database(server_url, template) as url:
        fill(url, TODAY)
        yield url


@pytest.fixture(scope="module")
def whole(made: str) -> Report:
    return report(made)


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has all bars but those of a year and a half read at once, as of chunks with few bars."""
    ends = [ALL_TIME.lo, datetime(2024, 6, 20, tzinfo=UTC), datetime(2025, 12, 31, tzinfo=UTC)]
    tick = timedelta(microseconds=1)
    apart = [
        Stretch(lo, hi - tick, n != 1)
        for n, (lo, hi) in enumerate(zip(ends, [*ends[1:], ALL_TIME.hi], strict=True))
    ]
    monkeypatch.setattr("loader.store.series.stretches", lambda *_, few: apart)


def test_series_and_bars_are_those_that_are_stored(made: str, whole: Report) -> None:
    stored = fetch(
        made,
        "SELECT provider, symbol, interval, min(ts), max(ts), count(*) FROM bars_ohlcv"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    )
    names = ("provider", "symbol", "interval", "first", "last", "bars")
    assert [tuple(row[name] for name in names) for row in whole.coverage.series] == stored
    assert whole.overview.bars == sum(row[-1] for row in stored)
    assert whole.overview.series == len(stored)


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"calendar": None},
        {"bars": SeriesFilter(since=NOW - timedelta(days=90))},
        {"bars": SeriesFilter("tiingo", until=NOW - timedelta(days=400)), "calendar": None},
        {"bars": SeriesFilter(symbols=["ALFA", "GOLF"], interval="1d")},
    ],
)  # fmt: skip
def test_bars_read_at_once_are_covered_as_those_that_are_probed(
    made: str, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    probed = report(made, **asked).coverage
    at_once(monkeypatch)
    assert report(made, **asked).coverage == probed
    assert len(probed.series) > 1


def test_bars_read_at_once_are_looked_for_everywhere(
    made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once(monkeypatch)
    before = SeriesFilter("tiingo", until=NOW - timedelta(days=4_000))
    assert report(made, bars=before).coverage.series == []
    with pytest.raises(NothingStored, match="no bars from nobody are stored"):
        report(made, bars=SeriesFilter("nobody"))


def test_what_is_missing_is_what_the_exchange_s_sessions_lack(made: str, whole: Report) -> None:
    calendar = exchange_calendars.get_calendar("XNYS", start="2023-01-01", end="2026-12-31")
    sessions = [day.date() for day in calendar.sessions]
    waived = "DELT"
    for row in whole.coverage.series:
        if row["interval"] != "1d":
            continue
        stored = {ts.date() for ts in stamps(made, row)}
        due = [day for day in sessions if min(stored) <= day <= max(stored)]
        lacks = len(set(due) - stored)
        # The session of the 27th ended nine hours before NOW, and the 26th is a holiday.
        late = sum(max(stored) < day <= date(2026, 11, 25) for day in sessions)
        assert row["expected"] == len(due)
        assert (row["missing"], row["waived"]) == (
            (0, lacks) if row["symbol"] == waived else (lacks, 0)
        )
        assert row["behind"] == late, row["symbol"]


def test_minutes_outside_of_sessions_do_not_stand_in_for_missing_ones(
    made: str, whole: Report
) -> None:
    calendar = exchange_calendars.get_calendar("XNYS", start="2026-01-01", end="2026-12-31")
    minutes = [moment.to_pydatetime() for moment in calendar.minutes]
    for row in whole.coverage.series:
        if row["interval"] == "1m":
            stored = stamps(made, row)
            first, last = min(stored), max(stored)
            due = {moment for moment in minutes if first <= moment <= last}
            assert row["missing"] == len(due - stored)
            assert not stored <= due  # a half day has been filled with bars after its close


def test_groups_add_up_their_series(whole: Report) -> None:
    for group in whole.coverage.groups:
        key = (group["provider"], group["interval"])
        own = [r for r in whole.coverage.series if (r["provider"], r["interval"]) == key]
        assert group["series"] == len(own)
        for name in ("bars", "expected", "missing", "waived", "behind"):
            assert group[name] == sum(row[name] for row in own)


def test_changes_are_the_revisions(made: str, whole: Report) -> None:
    assert fetch(made, "SELECT count(*), min(ts), max(ts) FROM bars_ohlcv_revisions") == [
        (whole.vintages.total, whole.vintages.first, whole.vintages.last)
    ]
    assert sum(mark["bars"] for mark in whole.vintages.marks) == whole.vintages.total
    loads = fetch(
        made,
        "SELECT provider, symbol, interval, revised_at, count(*) FROM bars_ohlcv_revisions"
        " GROUP BY 1, 2, 3, 4",
    )
    names = ("provider", "symbol", "interval", "known_at", "bars")
    assert {tuple(c[name] for name in names) for c in whole.vintages.changes} == set(loads)
    first = whole.vintages.changes[0]
    assert (first["shape"], first["finding"]) == ("adjustment", "split")
    assert first["bps"] == pytest.approx(5_000)
    shapes = {c["shape"] for c in whole.vintages.changes}
    assert shapes == {"adjustment", "corrections", "restatement"}


def test_bars_that_moved_in_time_are_named(made: str, whole: Report) -> None:
    moved = [c for c in whole.vintages.changes if c["finding"] == "shift"]
    assert [(c["symbol"], c["shape"]) for c in moved] == [("GOLF", "restatement")]
    marks = [m for m in whole.vintages.marks if m["moved"]]
    assert {m["known_at"] for m in marks} == {moved[0]["known_at"]}
    assert fetch(
        made, "SELECT count(*) FROM bars_ohlcv_revisions WHERE run_id = 41 AND symbol = 'GOLF'"
        " AND revised_at = %s", moved[0]["known_at"],
    ) == [(sum(m["bars"] for m in marks),)]  # fmt: skip


def test_runs_and_rejects_are_those_of_the_ledger(made: str, whole: Report) -> None:
    assert fetch(made, "SELECT count(*), sum(rows_failed) FROM job_runs") == [
        (whole.runs.total, whole.overview.rejected)
    ]
    rules = {rule["rule"]: rule["rows"] for rule in whole.rejects.rules}
    counted = fetch(
        made,
        "SELECT key, sum(value::bigint) FROM job_run_files, jsonb_each_text(rejected) GROUP BY 1",
    )
    assert rules == dict(counted)
    for row in whole.rejects.first:
        assert fetch(
            made, "SELECT raw::text FROM bars_rejected WHERE file_id = %s AND row_number = %s",
            row["file_id"], row["row_number"]) == [(row["raw"],)]  # fmt: skip
    failed = fetch(made, "SELECT id FROM job_runs WHERE status = 'failure' ORDER BY id DESC")
    assert [(r["id"],) for r in whole.runs.runs if r["outcome"] == "failure"] == failed
    assert [r["id"] for r in whole.runs.runs if r["outcome"] == "stuck"] == [150]
    refused = fetch(made, "SELECT count(*) FROM job_run_files WHERE state = 'refused'")
    found = [f for f in whole.runs.findings if f["action"] == "refused"]
    assert [(len(found),)] == refused


def test_the_sample_is_the_series_with_most_changes_and_shows_what_was_before(
    made: str, whole: Report
) -> None:
    (sample,) = whole.series
    assert sample.sample
    most = fetch(
        made,
        "SELECT provider, symbol, interval FROM bars_ohlcv_revisions GROUP BY 1, 2, 3"
        " ORDER BY count(*) DESC LIMIT 1",
    )
    assert [(sample.provider, sample.symbol, sample.interval)] == most
    revised = [bar for bar in sample.bars if bar["before"]]
    assert revised
    for bar in revised:
        before = fetch(
            made,
            "SELECT old_close, run_id FROM bars_ohlcv_revisions WHERE provider = %s AND symbol = %s"
            " AND interval = %s AND ts = %s ORDER BY revised_at LIMIT 1",
            *most[0], bar["ts"])  # fmt: skip
        assert before == [(bar["before"]["close"], bar["before"]["run_id"])]


def test_since_leaves_out_what_was_loaded_before(made: str) -> None:
    since = NOW - timedelta(days=20)
    found = report(made, since=since)
    assert fetch(made, "SELECT count(*) FROM job_runs WHERE started_at >= %s", since) == [
        (found.runs.total,)
    ]
    assert fetch(
        made, "SELECT count(*) FROM bars_ohlcv_revisions WHERE revised_at >= %s", since
    ) == [(found.vintages.total,)]


def test_series_are_chosen_by_name(made: str) -> None:
    found = report(made, shown=("tiingo:BRAV:1d", "golf"))
    assert [(one.provider, one.symbol, one.sample) for one in found.series] == [
        ("tiingo", "BRAV", False), ("polygon", "GOLF", False),
    ]  # fmt: skip
    with pytest.raises(NothingStored, match="no series 'NOPE' is stored"):
        report(made, shown=("NOPE",))


def test_the_object_has_a_json_form(whole: Report) -> None:
    from loader.text import plain

    found = json.loads(json.dumps(as_object(whole), default=plain, allow_nan=False))
    assert found["overview"]["bars"] == whole.overview.bars
    assert found["coverage"]["cells"]["count"] == len(found["coverage"]["series"][0]["states"])


def _store(url: str, rows: list[tuple[str, str, str]]) -> None:
    for symbol, interval, ts in rows:
        fetch(
            url, "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
            " VALUES ('p', %s, %s, %s, 1, 1, 1, 1)", symbol, interval, ts)  # fmt: skip


def _march(*days: int) -> list[str]:
    return [f"2024-03-{day:02}T00:00Z" for day in days]


def test_a_cell_for_each_day(database_url: str) -> None:
    """1 March 2024 is a Friday; the 6th is missing, the 7th waived, the 18th after the last bar."""
    _store(database_url, [("A", "1d", ts) for ts in _march(1, 4, 5, 8, 11, 12, 13, 14, 15)])
    fetch(
        database_url,
        "INSERT INTO bars_gap_waivers (symbol, first_session, last_session, reason, waived_by)"
        " VALUES ('A', '2024-03-07', '2024-03-07', 'halt', 'me')",
    )
    until = datetime(2024, 3, 18, 23, 59, tzinfo=UTC)
    (row,) = report(database_url, bars=SeriesFilter(until=until)).coverage.series
    assert row["states"] == "F..FFMWF..FFFFF..A"
    assert [row[name] for name in ("bars", "expected", "missing", "waived", "behind")] == [
        9, 11, 1, 1, 1,
    ]  # fmt: skip


def test_hours_of_a_session(database_url: str) -> None:
    """Seven hours of New York on the 4th; three of the seven on the 5th; none on the 6th."""
    hours = [f"2024-03-04T{hour}:30Z" for hour in range(14, 21)]
    hours += ["2024-03-05T14:30Z", "2024-03-05T16:30Z", "2024-03-05T20:30Z", "2024-03-07T14:30Z"]
    _store(database_url, [("A", "1h", ts) for ts in hours])
    until = datetime(2024, 3, 7, 14, 59, tzinfo=UTC)
    (row,) = report(database_url, bars=SeriesFilter(until=until), now=until).coverage.series
    assert row["states"][:3] == "FPM"
    assert row["missing"] == 4 + 7


@plain_only
def test_without_a_calendar_cells_are_weeks_beside_the_usual(database_url: str) -> None:
    """Ten weeks of five days; the fifth has none, the seventh one."""
    monday = date(2024, 1, 1)
    days = [monday + timedelta(days=7 * week + day) for week in range(10) for day in range(5)
            if week != 4 and not (week == 6 and day)]  # fmt: skip
    _store(database_url, [("A", "1d", f"{day}T00:00Z") for day in days])
    found = report(database_url, calendar=None)
    (row,) = found.coverage.series
    assert row["states"] == "FFFFMFPFFF"
    assert row["missing"] is None
    assert found.coverage.groups[0]["share"] == [1, 1, 1, 1, 0, 1, 0, 1, 1, 1]


def test_an_empty_store_has_a_report(database_url: str) -> None:
    found = report(database_url)
    assert (found.overview.series, found.overview.runs, found.overview.hands) == (0, 0, [])
    assert found.series == []
