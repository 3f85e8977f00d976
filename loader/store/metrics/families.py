"""The metrics by name: kind, labels and meaning. docs/metrics.md says more about each."""

from __future__ import annotations

from typing import Final, Literal

from loader.lazy import dataclass

_JOB: Final = ("job_name", "mode")
_RUN: Final = ("job_name", "provider", "mode", "status")


@dataclass(frozen=True, slots=True)
class Family:
    """`name` is the name in queries; a histogram's has `_bucket`, `_sum` and `_count` added."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()

    @property
    def args(self) -> tuple[str, str, tuple[str, ...]]:
        """As prometheus_client's classes take them."""
        return self.name, self.help, self.labels


BARS_WRITTEN: Final = Family(
    "store_bars_written_total", "counter",
    "Bars inserted or updated (success), or sent and rolled back (failure)", ("method", "status"),
)  # fmt: skip
WRITE_LATENCY: Final = Family(
    "store_bars_write_latency_seconds", "histogram",
    "Seconds that a transaction took to write its bars, committed or not", ("method",),
    (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)  # fmt: skip
RUNS: Final = Family(
    "store_job_runs_total", "counter",
    "Job runs that were started, and that ended as success, failure or cancelled", _RUN,
)  # fmt: skip
RUN_DURATION: Final = Family(
    "store_job_runs_duration_seconds", "histogram", "Seconds from a run's start to its end", _RUN,
    (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0),
)  # fmt: skip
ROWS: Final = Family(
    "store_rows_total", "counter", "Rows that were committed, by what became of them",
    (*_JOB, "outcome"),
)  # fmt: skip
REJECTED: Final = Family(
    "store_rows_rejected_total", "counter", "Rejected rows by broken rule; a row can break several",
    (*_JOB, "rule"),
)  # fmt: skip
HISTORY: Final = Family(
    "store_bars_history_total", "counter",
    "What files did to stored bars: changed, inserted_between, gone, deleted", (*_JOB, "change"),
)  # fmt: skip
FINDINGS: Final = Family(
    "store_guard_findings_total", "counter",
    "Findings of the guard by kind and what came of them: noted, accepted, refused",
    (*_JOB, "kind", "action"),
)  # fmt: skip
FILES: Final = Family(
    "store_files_total", "counter", "Source files by final state", (*_JOB, "state")
)
BYTES_READ: Final = Family(
    "store_bytes_read_total", "counter", "Bytes on disk of the source files that were read", _JOB
)
WAL_BYTES: Final = Family(
    "store_wal_bytes_total", "counter",
    "Bytes of write-ahead log that the server wrote while runs lasted, whoever caused them", _JOB,
)  # fmt: skip
LAST_START: Final = Family(
    "store_job_last_start_timestamp_seconds", "gauge", "When the job's last run started", _JOB
)
LAST_COMMIT: Final = Family(
    "store_job_last_commit_timestamp_seconds", "gauge", "When the job last committed", _JOB
)
LAST_END: Final = Family(
    "store_job_last_end_timestamp_seconds", "gauge", "When a run of the job last ended", _JOB
)
LAST_SUCCESS: Final = Family(
    "store_job_last_success_timestamp_seconds", "gauge",
    "When a run of the job last ended in success", _JOB,
)  # fmt: skip
LAST_FAILURE: Final = Family(
    "store_job_last_failure_timestamp_seconds", "gauge",
    "When a run of the job last ended in failure", _JOB,
)  # fmt: skip
LAST_RUN_ROWS: Final = Family(
    "store_job_last_run_rows", "gauge", "Rows of the job's last ended run, by what became of them",
    (*_JOB, "outcome"),
)  # fmt: skip

FAMILIES: Final = (
    BARS_WRITTEN, WRITE_LATENCY, RUNS, RUN_DURATION, ROWS, REJECTED, HISTORY, FINDINGS, FILES,
    BYTES_READ, WAL_BYTES, LAST_START, LAST_COMMIT, LAST_END, LAST_SUCCESS, LAST_FAILURE,
    LAST_RUN_ROWS,
)  # fmt: skip
