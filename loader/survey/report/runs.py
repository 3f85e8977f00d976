"""Runs, their files, and what the guard found in them."""

from __future__ import annotations

from typing import Any, Final

from loader.db.rows import Session
from loader.lazy import dataclass
from loader.survey.report.asked import Asked, Row
from loader.text import redact

#: Runs of a report: the newest.
_RUNS: Final = 1_000
_FILES: Final = 500
_FINDINGS: Final = 500
#: A run that has given no sign of life for so long is stuck, as in `mdload job-runs stuck`.
_SILENT_MS: Final = 15 * 60_000


@dataclass(frozen=True, slots=True)
class Runs:
    """
    Attributes:
        total: how many runs began in the time of the report.
        runs: the newest of them: the columns of `job_runs` without symbols and metadata, and
            `outcome`: its status, or `stuck`.
        jobs: by job how many `runs`, how many by outcome, the last run's `outcome` and start, and
            the median `elapsed_ms`.
        files: of these runs, those with trouble first; `files_total` of them there are.
        findings: of the guard in these files, newest first: run_id, file_id, path, kind, action,
            text, provider, symbol, interval; `findings_total` of them there are.
    """

    total: int
    runs: list[Row]
    jobs: list[Row]
    files: list[Row]
    files_total: int
    findings: list[Row]
    findings_total: int

    @property
    def ids(self) -> tuple[int, int]:
        """The lowest and the highest id; (1, 0) if there are none."""
        ids = [run["id"] for run in self.runs]
        return (min(ids), max(ids)) if ids else (1, 0)


def runs(session: Session, asked: Asked) -> Runs:
    found = session.rows("report_runs", asked.since, _RUNS)
    total = found[0]["of"] if found else 0
    rows = [_run(row) for row in found]
    ids = [row["id"] for row in rows]
    span = (min(ids), max(ids)) if ids else (1, 0)
    files = session.rows("report_files", *span, _FILES)
    findings = session.rows("report_findings", *span, _FINDINGS)
    return Runs(
        total, rows, _jobs(rows),
        [_without_secrets(_bare(row)) for row in files], files[0]["of"] if files else 0,
        [_finding(row) for row in findings], findings[0]["of"] if findings else 0,
    )  # fmt: skip


def _run(row: Row) -> Row:
    stuck = row["status"] == "running" and row["silent_ms"] > _SILENT_MS
    return _without_secrets(_bare(row) | {"outcome": "stuck" if stuck else row["status"]})


def _bare(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "of"}


def _without_secrets(row: Row) -> Row:
    return {name: redact(value) if isinstance(value, str) else value for name, value in row.items()}


def _jobs(rows: list[Row]) -> list[Row]:
    jobs: dict[str, list[Row]] = {}
    for row in rows:
        jobs.setdefault(row["job_name"], []).append(row)
    return [_job(name, own) for name, own in sorted(jobs.items())]


def _job(name: str, own: list[Row]) -> Row:
    """`own` are its runs, newest first."""
    took = sorted(row["elapsed_ms"] for row in own if row["elapsed_ms"] is not None)
    outcomes = ("success", "failure", "cancelled", "running", "stuck")
    return {
        "job_name": name, "runs": len(own),
        **{outcome: sum(row["outcome"] == outcome for row in own) for outcome in outcomes},
        "last_run": own[0]["id"], "last_outcome": own[0]["outcome"],
        "last_started_at": own[0]["started_at"],
        "median_ms": took[len(took) // 2] if took else None,
        "rows_inserted": sum(row["rows_inserted"] for row in own),
        "rows_updated": sum(row["rows_updated"] for row in own),
        "rows_failed": sum(row["rows_failed"] for row in own),
    }  # fmt: skip


def _finding(row: Row) -> Row:
    found: dict[str, Any] = row["finding"] if isinstance(row["finding"], dict) else {}
    names = ("kind", "action", "text", "provider", "symbol", "interval")
    told = {name: found.get(name) for name in names}
    return _without_secrets(
        {name: row[name] for name in ("run_id", "file_id", "path", "state", "started_at")} | told
    )
