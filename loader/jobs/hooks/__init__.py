"""What is told to others about the runs of a job: commands, webhooks, a healthcheck.

How that goes is logged, and never changes what a run came to.
"""

from loader.jobs.hooks.occasions import announce, misfits, notify

__all__ = ["announce", "misfits", "notify"]
