"""Activity in the database: runs without a heartbeat, and mdload's locks."""

from __future__ import annotations

from typing import Final

from loader.db.rows import Row, Session
from loader.store.runs.records import JobRun
from loader.store.schema import LOCK
from loader.survey.doctor.check import Check
from loader.text import counted, duration

_SILENT_MINUTES: Final = 15  # as mdload job-runs stuck has it
_LISTED: Final = 5


def runs(session: Session) -> Check:
    """Whether a run is recorded as running but has given no sign of life for 15 minutes."""
    stuck = _running(session, _SILENT_MINUTES)
    if not stuck:
        going = counted(len(_running(session)), "run")
        return Check("runs", "ok", f"{going} going on, none stuck")
    told = ", ".join(
        f"{run.id} ({run.job_name}, silent for {duration(run.silence.total_seconds() * 1000)})"
        for run in stuck[:_LISTED]
    )
    more = f" and {len(stuck) - _LISTED} more" if len(stuck) > _LISTED else ""
    return Check("runs", "fail", f"{counted(len(stuck), 'run')} stuck: {told}{more}",
                 "run: mdload job-runs stuck --mark-failed")  # fmt: skip


def locks(session: Session) -> Check:
    """Who holds the lock of a job or of a migration. The server frees a lock when the holder's
    session ends, so only a process that hangs can keep one."""
    held = session.rows("doctor_locks", LOCK)
    stuck = {run.id for run in _running(session, _SILENT_MINUTES)}
    hanging = [row for row in held if row["run_id"] in stuck]
    if hanging:
        return Check(
            "locks", "warn", f"held by a process that hangs: {'; '.join(map(_holder, hanging))}",
            "\n".join(f"SELECT pg_terminate_backend({row['pid']});" for row in hanging),
        )  # fmt: skip
    told = f"held: {'; '.join(map(_holder, held))}" if held else "no job is held"
    return Check("locks", "ok", told)


def _running(session: Session, silent_minutes: float | None = None) -> list[JobRun]:
    rows = session.rows("job_runs_find", None, None, "running", None, silent_minutes, None)
    return [JobRun(**row) for row in rows]


def _holder(row: Row) -> str:
    if row["migrates"]:
        holder = "mdload migrate"
    elif row["run_id"] is None:
        holder = str(row["application"])
    else:
        where = f" on {row['host']}" if row["host"] else ""
        holder = f"{row['job_name']} by run {row['run_id']}{where}"
    since = row["connected"]
    return holder + (f" for {duration(since.total_seconds() * 1000)}" if since else "")
