"""The transaction of one part: what must not commit by halves, whoever feeds it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.bars import SCHEMA
from loader.client import StoreClient
from loader.errors import MergeFailed
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import Counts, LoadResult
from loader.settings import RejectLimit, Settings
from loader.store.runs import JobRunTracker
from tests.support.candles import Candle, minutes
from tests.support.sql import fetch

T0 = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
STORED = (
    "SELECT (SELECT count(*) FROM bars_ohlcv), (SELECT count(*) FROM bars_rejected), "
    "(SELECT count(*) FROM provider_symbols), (SELECT coalesce(sum(rows_read), 0) FROM job_runs)"
)


def written(path: Path, closes: list[float | None]) -> Path:
    """A bar per minute; a close of None makes a reject."""
    rows = [
        ("p", "AA", "1m", T0 + timedelta(minutes=n), 10.0, 20.0, 1.0, close, 1.0, None, None)
        for n, close in enumerate(closes)
    ]
    pl.DataFrame(rows, schema={**SCHEMA}, orient="row").write_parquet(path)
    return path


def loaded(url: str, path: Path, **given: Any) -> LoadResult:
    given.setdefault("max_rejects", RejectLimit(share=1.0))
    with find([str(path)]) as sources:
        return load(Settings(**given), url, sources)


@pytest.fixture
def forgetful_url(database_url: str) -> str:
    """A database with a quarantine that silently drops the second row of each batch."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN IF NEW.row_number = 2 THEN RETURN NULL; END IF; RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER forget BEFORE INSERT ON bars_rejected "
            "FOR EACH ROW EXECUTE FUNCTION forget()"
        )
    return database_url


@pytest.mark.parametrize(
    ("limit", "fewest"), [(1.0, 5_000), (1.0, 1), (0.1, 1)], ids=["merged", "at once", "refused"]
)
def test_a_file_with_a_reject_that_is_not_kept_is_not_committed(
    forgetful_url: str, tmp_path: Path, limit: float, fewest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.store.quarantine.waiting._FEWEST", fewest)
    path = written(tmp_path / "a.parquet", [10.0, None, None])
    (file,) = loaded(forgetful_url, path, max_rejects=RejectLimit(share=limit)).files
    assert (file.state, file.exit_code) == ("failed", MergeFailed.exit_code)
    assert "not all rejected rows reached the quarantine" in str(file.error)
    assert fetch(forgetful_url, STORED) == [(0, 0, 0, 0)]


@pytest.mark.parametrize("statement_rows", [0, 1_500], ids=["copy", "statement"])
def test_a_batch_with_a_reject_that_is_not_kept_is_not_committed(
    forgetful_url: str, statement_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.client.transaction.STATEMENT_ROWS", statement_rows)
    with StoreClient(forgetful_url) as client:
        with pytest.raises(MergeFailed, match="not all rejected rows reached the quarantine"):
            client.write_bars([Candle(), Candle(high=1.0)])
        assert fetch(forgetful_url, STORED) == [(0, 0, 0, 0)]
        assert client.write_bars([Candle(high=1.0), Candle()]) == 1


def test_a_changed_bar_without_its_revision_is_not_committed(database_url: str) -> None:
    """The statement counts what it updates and what it keeps of that: the two must agree."""
    with StoreClient(database_url) as client:
        client.write_bars(minutes(2))
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RETURN NULL; END $$"
            )
            connection.execute(
                "CREATE TRIGGER lose BEFORE INSERT ON bars_ohlcv_revisions "
                "FOR EACH ROW EXECUTE FUNCTION lose()"
            )
        with pytest.raises(MergeFailed, match=r"the old values of 2 bars did not reach .*'lose'"):
            client.write_bars(minutes(2, close=10.25))
    assert fetch(database_url, "SELECT DISTINCT close FROM bars_ohlcv") == [(10.5,)]


def test_rejects_of_a_copied_batch_go_with_its_run(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the stage, as those of files do, and without a file."""
    monkeypatch.setattr("loader.client.transaction.STATEMENT_ROWS", 0)
    with JobRunTracker(database_url) as tracker, tracker.run("feed") as run:
        with StoreClient(database_url, run_id=run.id) as client:
            batch = [*minutes(2), Candle(high=1.0), Candle(ts=None)]
            assert client.write_bars(batch).rejected == 2
            assert client.write_bars(batch).rejected == 2
        run_id = run.id
    kept = fetch(database_url, "SELECT row_number, run_id, file_id FROM bars_rejected ORDER BY id")
    assert kept == [(3, run_id, None), (4, run_id, None)] * 2


@pytest.mark.parametrize("statement_rows", [0, 1_500], ids=["copy", "statement"])
def test_a_run_has_the_span_and_the_symbols_of_all_its_batches(
    database_url: str, statement_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.client.transaction.STATEMENT_ROWS", statement_rows)
    with (
        JobRunTracker(database_url) as tracker,
        tracker.run("feed") as run,
        StoreClient(database_url, run_id=run.id) as client,
    ):
        client.write_bars([*minutes(3, start=4), *minutes(1, start=6, symbol="BB")])
        client.write_bars(minutes(2, start=1))
        client.write_bars(minutes(1, start=3))
    spans = fetch(database_url, "SELECT symbols, min_ts, max_ts FROM job_runs")
    assert spans == [(["AA", "BB"], T0 + timedelta(minutes=1), T0 + timedelta(minutes=6))]


@pytest.mark.parametrize("commit_every", [None, 2], ids=["whole", "parts"])
def test_a_run_has_the_span_and_the_symbols_of_all_its_parts(
    database_url: str, tmp_path: Path, commit_every: int | None
) -> None:
    path = written(tmp_path / "a.parquet", [10.0, 11.0, 12.0, 13.0, 14.0])
    result = loaded(database_url, path, commit_every=commit_every, batch_rows=1)
    assert result.counts == Counts(5, 5)
    for table in ("job_runs", "job_run_files"):
        spans = fetch(database_url, f"SELECT min_ts, max_ts FROM {table}")
        assert spans == [(T0, T0 + timedelta(minutes=4))]
    assert fetch(database_url, "SELECT symbols FROM job_runs") == [(["AA"],)]


def test_a_dry_run_counts_as_the_load_and_writes_nothing(database_url: str, tmp_path: Path) -> None:
    loaded(database_url, written(tmp_path / "1.parquet", [10.0, 11.0, 12.0]))
    before = fetch(database_url, STORED)
    path = written(tmp_path / "2.parquet", [10.0, 11.5, 12.0, None, 14.0])
    dry = loaded(database_url, path, dry_run=True)
    assert dry.counts == Counts(5, 1, 1, 2, rejected=1)
    assert fetch(database_url, STORED) == before
    assert loaded(database_url, path).counts == dry.counts


def test_a_dry_run_of_too_many_rejects_is_refused(database_url: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", [10.0, None])
    dry = loaded(database_url, path, dry_run=True, max_rejects=RejectLimit(rows=0))
    (file,) = dry.files
    assert (file.state, file.counts) == ("refused", Counts(2, rejected=2))
    assert file.rejected["file_refused"] == 1
    assert fetch(database_url, STORED) == [(0, 0, 0, 0)]
