"""Job runs: who loaded what, when, how much of it, and how it ended."""

from loader.store.runs.active import ActiveRun
from loader.store.runs.records import ExpiredRuns, JobRun, JobRunFile, RunSummary
from loader.store.runs.tracker import JobRunTracker

__all__ = ["ActiveRun", "ExpiredRuns", "JobRun", "JobRunFile", "JobRunTracker", "RunSummary"]
