"""What `StoreClient`, `AsyncStoreClient` and `JobRunTracker` count without a line of set-up."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import psycopg
import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter

from loader.client import AsyncStoreClient, StoreClient
from loader.listen.metrics import Metrics
from loader.store.runs import JobRunTracker
from tests.support.candles import Candle, minutes

WRITTEN = "store_bars_written_total"
UPSERT = {"method": "UPSERT", "status": "success"}
OUTCOMES = ("inserted", "updated", "unchanged", "duplicate", "skipped", "rejected")


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return registry.get_sample_value(name, labels) or 0.0


def rows(registry: CollectorRegistry, job_name: str, mode: str = "live") -> tuple[float, ...]:
    job = {"job_name": job_name, "mode": mode}
    return tuple(value(registry, "store_rows_total", **job, outcome=one) for one in OUTCOMES)


def test_clients_count_in_the_default_registry(database_url: str) -> None:
    before = value(REGISTRY, WRITTEN, **UPSERT)
    writes = value(REGISTRY, "store_bars_write_latency_seconds_count", method="UPSERT")
    with StoreClient(database_url) as one, StoreClient(database_url) as two:
        one.write_bars(minutes(3))
        two.write_bars(minutes(5))
    assert value(REGISTRY, WRITTEN, **UPSERT) == before + 5
    assert value(REGISTRY, "store_bars_write_latency_seconds_count", method="UPSERT") == writes + 2


def test_the_asynchronous_client_counts_too(database_url: str) -> None:
    before = value(REGISTRY, WRITTEN, **UPSERT)

    async def write() -> None:
        async with AsyncStoreClient(database_url) as client:
            await client.write_bars(minutes(4))

    asyncio.run(write())
    assert value(REGISTRY, WRITTEN, **UPSERT) == before + 4


def test_a_registry_that_is_given_and_none(database_url: str) -> None:
    default, given = value(REGISTRY, WRITTEN, **UPSERT), CollectorRegistry()
    with (
        StoreClient(database_url, metrics=given) as counted,
        StoreClient(database_url, metrics=given) as again,
        StoreClient(database_url, metrics=None) as silent,
    ):
        counted.write_bars(minutes(2))
        again.write_bars(minutes(2, start=2))
        silent.write_bars(minutes(2, start=4))
    assert value(given, WRITTEN, **UPSERT) == 4
    assert value(REGISTRY, WRITTEN, **UPSERT) == default


def test_a_listener_for_the_same_registry_is_not_doubled(database_url: str) -> None:
    metrics = Metrics()
    with StoreClient(database_url, listeners=[metrics], metrics=metrics.registry) as client:
        client.write_bars(minutes(3))
    assert value(metrics.registry, WRITTEN, **UPSERT) == 3
    with (
        metrics.run("feed") as run,
        StoreClient(database_url, listeners=[run], metrics=metrics.registry) as client,
    ):
        client.write_bars(minutes(4, symbol="B"))
    assert value(metrics.registry, WRITTEN, **UPSERT) == 7


def test_a_registry_with_a_stranger_under_our_name(database_url: str) -> None:
    registry = CollectorRegistry()
    Counter(WRITTEN, "Somebody else's.", registry=registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        StoreClient(database_url, metrics=registry)


@pytest.mark.parametrize("copied", [False, True], ids=["statement", "copy"])
def test_a_client_counts_the_rows_of_its_job(
    database_url: str, copied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if copied:
        monkeypatch.setattr("loader.client.transaction.STATEMENT_ROWS", 0)
    registry = CollectorRegistry()
    with (
        JobRunTracker(database_url, metrics=registry) as tracker,
        tracker.run("kraken", provider="kraken") as run,
        StoreClient(database_url, run_id=run.id, metrics=registry) as client,
    ):
        assert rows(registry, "kraken") == (0, 0, 0, 0, 0, 0)
        client.write_bars(minutes(3))
        client.write_bars([*minutes(2), *minutes(1, close=10.25, start=2), Candle(high=1.0)])
        client.write_bars([*minutes(2, start=5), *minutes(1, start=5)])
        job = {"job_name": "kraken", "mode": "live"}
        assert rows(registry, "kraken") == (5, 1, 2, 1, 0, 1)
        assert value(registry, "store_rows_rejected_total", **job, rule="high_below_low") == 1
        assert value(registry, "store_job_last_commit_timestamp_seconds", **job) > 1.7e9
    assert value(registry, "store_job_last_run_rows", **job, outcome="inserted") == 5
    assert value(registry, "store_job_last_run_rows", **job, outcome="rejected") == 1
    run_labels = {**job, "provider": "kraken"}
    assert value(registry, "store_job_runs_total", **run_labels, status="started") == 1
    assert value(registry, "store_job_runs_total", **run_labels, status="success") == 1


def test_a_tracker_counts_in_the_default_registry(database_url: str) -> None:
    job = {"job_name": "default registry", "mode": "backfill"}
    labels = {**job, "provider": "polygon"}
    with JobRunTracker(database_url) as tracker, JobRunTracker(database_url) as other:
        run_id = tracker.start_run("default registry", provider="polygon", mode="backfill")
        assert value(REGISTRY, "store_job_runs_total", **labels, status="started") == 1
        assert value(REGISTRY, "store_job_last_start_timestamp_seconds", **job) > 1.7e9
        other.update_progress(run_id, rows_written=7, rows_updated=2, rows_failed=1)
        assert rows(REGISTRY, "default registry", "backfill") == (5, 2, 0, 0, 0, 1)
        other.complete_run(run_id, "failure", "no")
    assert value(REGISTRY, "store_job_runs_total", **labels, status="failure") == 1
    assert value(REGISTRY, "store_job_runs_total", **labels, status="success") == 0
    assert value(REGISTRY, "store_job_runs_duration_seconds_count", **labels, status="failure") == 1
    assert value(REGISTRY, "store_job_last_failure_timestamp_seconds", **job) > 1.7e9
    assert REGISTRY.get_sample_value("store_job_last_success_timestamp_seconds", job) is None
    assert value(REGISTRY, "store_job_last_run_rows", **job, outcome="updated") == 2


def test_a_stuck_run_that_is_ended_counts_as_a_failure(database_url: str) -> None:
    registry = CollectorRegistry()
    with JobRunTracker(database_url, metrics=registry) as tracker:
        run_id = tracker.start_run("stuck")
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("UPDATE job_runs SET started_at = now() - interval '1 hour'")
        assert tracker.mark_failed([run_id], "silent", 15) == [run_id]
    labels = {"job_name": "stuck", "mode": "live", "provider": "unknown", "status": "failure"}
    assert value(registry, "store_job_runs_total", **labels) == 1
    assert value(registry, "store_job_runs_duration_seconds_sum", **labels) >= 3600


def test_a_tracker_without_metrics(database_url: str) -> None:
    with JobRunTracker(database_url, metrics=None) as tracker:
        tracker.complete_run(tracker.start_run("uncounted"))
    labels = {"job_name": "uncounted", "mode": "live", "provider": "unknown", "status": "started"}
    assert REGISTRY.get_sample_value("store_job_runs_total", labels) is None


def test_the_library_is_imported_when_a_client_is_made() -> None:
    script = (
        "import sys; from loader.client import StoreClient; from loader.store.runs import "
        "JobRunTracker; a = 'prometheus_client' in sys.modules; "
        "StoreClient('postgresql://', metrics=None); b = 'prometheus_client' in sys.modules; "
        "StoreClient('postgresql://'); print(a, b, 'prometheus_client' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False", "True"]
