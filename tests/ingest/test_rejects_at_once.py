"""Rejects that are sent while their file is read: the same rows as if they had waited, or none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loader.db import retries
from loader.db.arrow import connect
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import LoadResult
from loader.results.events import Event, RowsDone
from loader.settings import RejectLimit, Settings
from loader.store import quarantine
from loader.store.quarantine import waiting
from tests.conftest import database, pieces_of
from tests.support.sql import fetch

START = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
ROWS = 1_200
#: All of the first 400 rows are wrong, and every other one of those that follow.
WRONG = [n for n in range(ROWS) if n < 400 or n % 2]
#: Rows that the load sends at once: after these, new bars are under way.
FIRST = 450
HELD = """
SELECT row_number, rules, raw, provider, symbol, interval, ts, run_id, file_id FROM bars_rejected
 ORDER BY row_number
"""
BOOKS = """
SELECT rows_read, rows_inserted, rows_updated, rows_unchanged, rows_duplicate, rows_failed
  FROM job_run_files WHERE path LIKE '%mixed%'
"""
BARS = "SELECT ts, open, high, low, close, volume FROM bars_ohlcv ORDER BY ts"
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def made(rows: int, wrong: list[int]) -> pl.DataFrame:
    number = pl.Series(range(rows))
    high = pl.when(number.is_in(wrong)).then(1.0 + number).otherwise(20_000.0 + number)
    return pl.select(
        provider=pl.lit("made"), symbol=pl.lit("AAA"), interval=pl.lit("1m"),
        ts=pl.Series([START + timedelta(minutes=n) for n in range(rows)]),
        open=10_000.0 + number, high=high, low=5_000.0 + number, close=11_000.0 + number,
        volume=100.0 + number,
    )  # fmt: skip


def loaded(
    url: str, path: Path, listener: Callable[[Event], None] | None = None, **given: Any
) -> LoadResult:
    given = {"batch_rows": pieces_of(100), "max_rejects": RejectLimit(share=1.0), **given}
    with find([str(path)]) as sources:
        return load(Settings(**given), url, sources, [listener] if listener else [])


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows were sent at once, one number a frame."""
    frames: list[int] = []
    takes = quarantine.Sender.takes

    def counting(sender: quarantine.Sender, frame: pl.DataFrame) -> bool:
        if taken := takes(sender, frame):
            frames.append(frame.height)
        return taken

    monkeypatch.setattr(waiting, "_FEWEST", 1)
    monkeypatch.setattr(quarantine.Sender, "takes", counting)
    return frames


@pytest.mark.parametrize("limit", ["100%", "1200"])
@pytest.mark.parametrize("way", ["in order", "shuffled", "in parts"])
def test_the_rows_are_those_that_had_waited(
    way: str,
    limit: str,
    server_url: str,
    template: str,
    database_url: str,
    tmp_path: Path,
    sent: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = made(ROWS, []).slice(900, 100).with_columns(volume=pl.lit(1.0))
    stored.write_parquet(tmp_path / "stored.parquet")
    mixed = made(ROWS, WRONG)
    mixed = mixed.sample(ROWS, shuffle=True, seed=5) if way == "shuffled" else mixed
    mixed.write_parquet(tmp_path / "mixed.parquet")
    given: dict[str, Any] = {"max_rejects": RejectLimit.parse(limit)}
    given |= {"commit_every": 500, "batch_rows": 100} if way == "in parts" else {}

    def both(url: str) -> list[list[tuple[Any, ...]]]:
        assert loaded(url, tmp_path / "stored.parquet").counts.inserted == 100
        assert loaded(url, tmp_path / "mixed.parquet", **given).status == "success"
        return [fetch(url, query) for query in (HELD, BOOKS, BARS)]

    at_once = both(database_url)
    # A part begins without a COPY: the second one has 250 rows, of which the first 50 are sent.
    assert sum(sent) == {"in order": FIRST, "in parts": FIRST + 50 + 50}.get(way, sum(sent))
    assert sent
    monkeypatch.setattr(RejectLimit, "allows_all", lambda limit, of: False)
    sent.clear()
    with database(server_url, template) as other:
        assert both(other) == at_once
    assert not sent

    held, books, bars = at_once
    assert bars == [
        (
            START + timedelta(minutes=n),
            *(start + n for start in (10_000.0, 20_000.0, 5_000.0, 11_000.0)),
            1.0 if n in WRONG else 100.0 + n,
        )
        for n in range(ROWS)
        if n not in WRONG or 900 <= n < 1_000
    ]
    assert books == [(ROWS, 350, 50, 0, 0, 800)]
    numbers = {ts: number for number, ts in enumerate(mixed["ts"], 1)}
    assert [(row[0], row[6]) for row in held] == sorted(
        (numbers[ts], ts) for ts in (START + timedelta(minutes=n) for n in WRONG)
    )
    third = next(row for row in held if row[6] == START + timedelta(minutes=2))
    assert third[1:6] == (
        ["high_below_low", "open_outside_range", "close_outside_range"],
        {
            "provider": "made", "symbol": "AAA", "interval": "1m",
            "ts": "2024-03-04 14:32:00.000000+00:00", "open": "10002.0", "high": "3.0",
            "low": "5002.0", "close": "11002.0", "volume": "102.0",
        },
        "made", "AAA", "1m",
    )  # fmt: skip


@pytest.mark.parametrize("at", [2, 5, 9])
@pytest.mark.parametrize("end", ["the sessions die", "Ctrl-C"])
def test_an_end_in_the_middle_leaves_none(
    end: str,
    at: int,
    database_url: str,
    tmp_path: Path,
    sent: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made(ROWS, WRONG).write_parquet(tmp_path / "mixed.parquet")
    seen = 0

    def listen(event: Event) -> None:
        nonlocal seen
        if isinstance(event, RowsDone) and event.rows > 0:
            seen += 1
            if seen == at and end == "Ctrl-C":
                raise KeyboardInterrupt
            if seen == at:
                fetch(database_url, TERMINATE)

    monkeypatch.setattr(retries, "ATTEMPTS", 1)
    monkeypatch.setenv("MDLOAD_OUTAGE_SECONDS", "0")
    if end == "Ctrl-C":
        with pytest.raises(KeyboardInterrupt):
            loaded(database_url, tmp_path / "mixed.parquet", listen)
    else:
        assert loaded(database_url, tmp_path / "mixed.parquet", listen).status == "failure"
    assert sent
    assert fetch(database_url, "SELECT count(*) FROM bars_rejected") == [(0,)]
    assert loaded(database_url, tmp_path / "mixed.parquet").status == "success"
    numbers = "SELECT row_number FROM bars_rejected ORDER BY id"
    assert sorted(fetch(database_url, numbers)) == [(n + 1,) for n in WRONG]


def test_a_file_that_may_be_refused_for_its_rejects_sends_none(
    database_url: str, tmp_path: Path, sent: list[int]
) -> None:
    """Its rejects are recorded in another transaction."""
    path = tmp_path / "mixed.parquet"
    made(ROWS, WRONG).write_parquet(path)
    result = loaded(database_url, path, max_rejects=RejectLimit.parse("66%"))
    assert (result.files[0].state, sent) == ("refused", [])
    held = fetch(database_url, "SELECT row_number FROM bars_rejected ORDER BY row_number")
    assert held == [(n + 1,) for n in WRONG]


def test_a_session_in_the_middle_of_a_copy_takes_none(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_FEWEST", 2)
    row = (1, ["high_below_low"], json.dumps({"a": "b"}), "p", "A", "1m", START)
    two = pl.DataFrame([row, row], schema=quarantine.BAD, orient="row")
    ids = {"id": pl.Int64()}
    with connect(database_url) as session, quarantine.Waiting() as rejects, session.transaction():
        rejects.sender = quarantine.Sender(session, 7, 8)
        session.run("rejects_marked_create")

        def copied() -> Any:
            rejects.append(two)
            yield pl.DataFrame({"id": [1]}, schema=ids)

        session.ingest("mdload_replayed", ids, copied(), temporary=True)
        assert rejects.rows == 2
        rejects.append(two)
        rejects.append(two[:1])
        assert rejects.rows == 3
        assert quarantine.keep(session, rejects, 7, 8) == 5
    assert (
        fetch(database_url, "SELECT run_id, file_id, raw FROM bars_rejected")
        == [(7, 8, {"a": "b"})] * 5
    )


@pytest.mark.parametrize(
    ("limit", "rows", "allows"),
    [("100%", None, True), ("99.9%", 10, False), ("10", 10, True), ("10", 11, False),
     ("10", None, False), ("0", 0, True), ("0%", 0, False)],
)  # fmt: skip
def test_a_limit_allows_all_rows_only_if_none_can_exceed_it(
    limit: str, rows: int | None, allows: bool
) -> None:
    assert RejectLimit.parse(limit).allows_all(rows) is allows
