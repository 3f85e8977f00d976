"""Jobs of mdload.toml, run as cron would: once at a time, retried, in time, all of it recorded."""

from loader.nightly.result import JobResult
from loader.nightly.run import Asked, run_job

__all__ = ["Asked", "JobResult", "run_job"]
