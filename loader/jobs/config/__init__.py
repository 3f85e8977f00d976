"""`mdload.toml`: the database, the defaults, the jobs and dialects of one's own."""

from loader.jobs.config.jobs import JobConfig, Value, blamed, every_job, job, wrong_values
from loader.jobs.config.read import Config, read

__all__ = [
    "Config", "JobConfig", "Value", "blamed", "every_job", "job", "read", "wrong_values"
]  # fmt: skip
