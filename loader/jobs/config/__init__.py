"""`mdload.toml`: the database, the defaults, the jobs and the user's own dialects."""

from loader.jobs.config.jobs import JobConfig, Value, defaults, every_job, job, wrong_values
from loader.jobs.config.read import Config, read

__all__ = [
    "Config", "JobConfig", "Value", "defaults", "every_job", "job", "read", "wrong_values"
]  # fmt: skip
