"""The result of a job."""

from __future__ import annotations

from datetime import date

from loader.lazy import dataclass
from loader.results import LoadResult, as_object


@dataclass(frozen=True, slots=True)
class JobResult:
    """One job of one invocation.

    Attributes:
        load: its files over all attempts, each as its last attempt left it.
        runs: ids of the rows in `job_runs`, one per attempt.
        days: the days that it was for, oldest first.
        missing: sources that were expected and are not there.
        unfinished: sources that are left for the next run, as they are still being written.
        error, hint: why it failed, unless single files failed.
    """

    job: str
    exit_code: int
    load: LoadResult
    runs: tuple[int, ...]
    days: tuple[date, ...]
    missing: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    error: str | None = None
    hint: str | None = None

    def as_object(self) -> dict[str, object]:
        """The object of `backfill --json`, with the fields of a job before it."""
        return {
            "job": self.job,
            "exit_code": self.exit_code,
            "runs": list(self.runs),
            "days": list(self.days),
            "missing": list(self.missing),
            "unfinished": list(self.unfinished),
            "error": self.error,
            "hint": self.hint,
            **as_object(self.load),
        }
