"""Events in, numbers out: a scrape after a run with known events."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from loader.check.reasons import REASONS
from loader.errors import Cancelled, ConnectionLost
from loader.listen.metrics import Metrics
from loader.results import Counts, FileResult, LoadResult, Note
from loader.results.events import (
    BarsWritten,
    Committed,
    FileDone,
    FileNote,
    FileStarted,
    RowsDone,
    RunDone,
    RunStarted,
)
from loader.store.metrics.bounded import Bounded
from loader.store.metrics.families import FAMILIES

JOB = {"job_name": "nightly", "mode": "backfill"}
RUN = {**JOB, "provider": "polygon"}
FIRST = Counts(read=10, inserted=4, updated=1, unchanged=2, duplicate=1, skipped=1, rejected=1)
SECOND = Counts(read=5, inserted=2, rejected=3)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def rows(metrics: Metrics, name: str = "store_rows_total") -> dict[str, float]:
    return {
        sample.labels["outcome"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name
    }


def test_a_run_of_two_parts_and_two_files() -> None:
    metrics = Metrics()
    a = FileResult("a.csv", "loaded", FIRST + SECOND, size_bytes=700)
    b = FileResult("b.csv", "known", size_bytes=9000)
    with metrics.run("nightly", "polygon", "backfill") as told:
        for event in (
            RunStarted(7, 2, "nightly", "polygon", "backfill"),
            FileStarted("a.csv", 700),
            FileNote("a.csv", Note("run", "a note")),
            RowsDone("a.csv", 10),
            BarsWritten("a.csv", "COPY", 4, 0.2, True),
            BarsWritten("a.csv", "UPSERT", 1, 0.03, True),
            Committed("a.csv", FIRST, {"high_below_low": 1}),
            BarsWritten("a.csv", "COPY", 2, 2.0, True),
            Committed("a.csv", SECOND, {"high_below_low": 2, "ts_missing": 3}),
            FileDone(a),
            FileDone(b),
            RunDone(LoadResult(7, "success", (a, b), 1500, 4096)),
        ):
            told(event)
    assert rows(metrics) == {
        "inserted": 6, "updated": 1, "unchanged": 2, "duplicate": 1, "skipped": 1, "rejected": 4,
    }  # fmt: skip
    assert rows(metrics, "store_job_last_run_rows") == rows(metrics)
    expected = {
        ("store_bars_written_total", ("COPY", "success")): 6,
        ("store_bars_written_total", ("UPSERT", "success")): 1,
        ("store_bars_written_total", ("COPY", "failure")): 0,
    }
    for (name, (method, status)), number in expected.items():
        assert value(metrics, name, method=method, status=status) == number
    latency = "store_bars_write_latency_seconds"
    assert value(metrics, f"{latency}_count", method="COPY") == 2
    assert value(metrics, f"{latency}_sum", method="COPY") == pytest.approx(2.2)
    assert value(metrics, f"{latency}_bucket", method="COPY", le="0.25") == 1
    assert value(metrics, "store_rows_rejected_total", **JOB, rule="high_below_low") == 3
    assert value(metrics, "store_rows_rejected_total", **JOB, rule="ts_missing") == 3
    assert value(metrics, "store_files_total", **JOB, state="loaded") == 1
    assert value(metrics, "store_files_total", **JOB, state="known") == 1
    assert value(metrics, "store_bytes_read_total", **JOB) == 700
    assert value(metrics, "store_wal_bytes_total", **JOB) == 4096
    runs = {
        s: value(metrics, "store_job_runs_total", **RUN, status=s)
        for s in ("started", "success", "failure", "cancelled")
    }
    assert runs == {"started": 1, "success": 1, "failure": 0, "cancelled": 0}
    duration = "store_job_runs_duration_seconds_count"
    assert value(metrics, duration, **RUN, status="success") == 1
    start, commit, end, success = (
        value(metrics, f"store_job_last_{what}_timestamp_seconds", **JOB)
        for what in ("start", "commit", "end", "success")
    )
    assert None not in (start, commit, end, success)
    assert 1.6e9 < start <= commit <= end <= success
    assert value(metrics, "store_job_last_failure_timestamp_seconds", **JOB) is None


def test_rolled_back_bars_are_failures_and_nothing_else() -> None:
    metrics = Metrics()
    with metrics.run("feed", mode="live") as told:
        told(BarsWritten("-", "UPSERT", 100, 0.5, False))
    assert value(metrics, "store_bars_written_total", method="UPSERT", status="failure") == 100
    assert value(metrics, "store_bars_written_total", method="UPSERT", status="success") == 0
    assert value(metrics, "store_bars_write_latency_seconds_count", method="UPSERT") == 1
    assert set(rows(metrics).values()) == {0}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectionLost("the server is away"), "failure"),
        (ValueError("a fault"), "failure"),
        (KeyboardInterrupt(), "cancelled"),
        (Cancelled("asked to stop"), "cancelled"),
    ],
)
def test_a_block_that_ends_with_an_error(error: BaseException, status: str) -> None:
    metrics = Metrics()
    with pytest.raises(type(error)), metrics.run("nightly", "polygon", "backfill"):
        raise error
    assert value(metrics, "store_job_runs_total", **RUN, status=status) == 1
    assert value(metrics, "store_job_runs_total", **RUN, status="success") == 0
    assert value(metrics, "store_job_last_success_timestamp_seconds", **JOB) is None
    failed = value(metrics, "store_job_last_failure_timestamp_seconds", **JOB)
    assert (failed is not None) == (status == "failure")
    assert value(metrics, "store_job_last_end_timestamp_seconds", **JOB) is not None


def test_the_first_end_of_a_run_counts() -> None:
    metrics = Metrics()
    failed = LoadResult(1, "failure", (), 10, None)
    with metrics.run("nightly", "polygon", "backfill") as told:
        told(RunDone(failed))
        told(RunDone(failed))
    assert value(metrics, "store_job_runs_total", **RUN, status="failure") == 1
    assert value(metrics, "store_job_runs_total", **RUN, status="success") == 0


def test_series_are_there_from_the_start_at_zero() -> None:
    metrics = Metrics()
    with metrics.run("nightly", "polygon", "backfill"):
        for status in ("success", "failure", "cancelled"):
            assert value(metrics, "store_job_runs_total", **RUN, status=status) == 0
        assert set(rows(metrics).values()) == {0}
        assert value(metrics, "store_rows_rejected_total", **JOB, rule="file_refused") == 0
        assert value(metrics, "store_rows_rejected_total", **JOB, rule="volume_negative") == 0
        assert value(metrics, "store_files_total", **JOB, state="refused") == 0


def test_every_reason_to_refuse_a_row_has_a_label_of_its_own() -> None:
    names = {reason.name for reason in REASONS}
    assert {"row_too_short", "row_too_long", "line_not_json", "symbol_collision"} < names
    metrics = Metrics()
    with metrics.run("nightly", "polygon", "backfill") as told:
        assert {value(metrics, "store_rows_rejected_total", **JOB, rule=n) for n in names} == {0}
        for name in names:
            told(Committed("-", Counts(read=1, rejected=1), {name: 1}))
    found = [s for f in metrics.registry.collect() for s in f.samples]
    rejected = [s for s in found if s.name == "store_rows_rejected_total"]
    assert {s.labels["rule"]: s.value for s in rejected} == dict.fromkeys(names, 1)


def test_label_values_are_bounded() -> None:
    metrics = Metrics()
    for n in range(60):
        with metrics.run(f"job {n}", f"provider {n}") as told:
            told(Committed("-", Counts(read=1, rejected=1), {f"no such rule {n}": 1}))
    found = [s for f in metrics.registry.collect() for s in f.samples]
    jobs = {s.labels["job_name"] for s in found if "job_name" in s.labels}
    assert len(jobs) == 51
    assert "other" in jobs
    assert len({s.labels["provider"] for s in found if "provider" in s.labels}) == 51
    rejected = [s for s in found if s.name == "store_rows_rejected_total"]
    assert sum(s.value for s in rejected if s.labels["rule"] == "other") == 60
    assert not any("no such rule" in s.labels.get("rule", "") for s in found)


def test_a_long_value_is_cut() -> None:
    assert Bounded()("x" * 1000) == "x" * 120


def test_values_that_are_in_use_stay_what_they_are() -> None:
    bounded = Bounded({"a", "b"}, most=3)
    assert [bounded(v) for v in ("c", "d", "a", "b", "c")] == ["c", "other", "a", "b", "c"]


def test_every_family_is_exposed_as_declared() -> None:
    metrics = Metrics()
    with metrics.run("nightly", "polygon", "backfill") as told:
        told(Committed("a", FIRST, {}))
        told(BarsWritten("a", "COPY", 4, 0.2, True))
    with pytest.raises(ValueError, match="x"), metrics.run("nightly", "polygon", "backfill"):
        raise ValueError("x")
    exposed = {}
    for family in metrics.registry.collect():
        suffix = "_total" if family.type == "counter" else ""
        labels = {name for s in family.samples for name in s.labels} - {"le"}
        exposed[family.name + suffix] = (family.type, labels)
    assert exposed == {f.name: (f.kind, set(f.labels)) for f in FAMILIES}


def test_names_and_labels_that_dashboards_already_use() -> None:
    declared = {f.name: f.labels for f in FAMILIES}
    assert declared["store_bars_written_total"] == ("method", "status")
    assert declared["store_bars_write_latency_seconds"] == ("method",)
    run = ("job_name", "provider", "mode", "status")
    assert declared["store_job_runs_total"] == run
    assert declared["store_job_runs_duration_seconds"] == run


def test_metrics_share_nothing() -> None:
    one, two = Metrics(), Metrics()
    one(BarsWritten("-", "COPY", 5, 0.1, True))
    assert value(two, "store_bars_written_total", method="COPY", status="success") == 0
    mine = CollectorRegistry()
    Metrics(mine)(BarsWritten("-", "COPY", 5, 0.1, True))
    assert b'store_bars_written_total{method="COPY",status="success"} 5.0' in generate_latest(mine)
