"""`mdload.toml`: the database, the defaults, the jobs and dialects of one's own."""

from loader.config.jobs import JobConfig, Value, every_job, job
from loader.config.read import Config, read

__all__ = ["Config", "JobConfig", "Value", "every_job", "job", "read"]
