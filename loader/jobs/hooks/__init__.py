"""Commands, webhooks and a healthcheck that hear about the runs of a job.

Their failures are logged, and never change the result of a run.
"""

from loader.jobs.hooks.occasions import announce, busy, notify, programs, test, unusable

__all__ = ["announce", "busy", "notify", "programs", "test", "unusable"]
