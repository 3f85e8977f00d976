"""The keys of mdload.toml: those of the table of load options, and keys that only jobs have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from loader.jobs.config.kinds import COMMAND, CRON, DURATION, SOURCES, ZONE
from loader.settings.kinds import TEXT, choice, whole
from loader.settings.load import OPTIONS
from loader.settings.option import Option, by_name

#: Which files a job loads, when, and what happens then.
RUNNING: Final = by_name(
    Option("source", SOURCES,
           "Paths, globs, folders or URLs, with dates: dumps/{date-1d}.csv.", sections=("jobs",)),
    Option("days", whole(1, 3660), "Load the last N days, oldest first.", 1),
    Option("timezone_of_date", ZONE, "Time zone that decides which day today is.", "UTC"),
    Option("missing", choice("fail", "warn", "ignore"),
           "What to do if an expected source is missing.", "fail"),
    Option("calendar", TEXT,
           "Expect sources only on the trading days of this exchange, e.g. XNYS."),
    Option("settle", DURATION,
           "How long a file must stay unchanged before it counts as complete.", "5s"),
    Option("schedule", CRON, "When to run the job: a cron expression.", sections=("jobs",)),
    Option("retries", whole(0, 100), "Further attempts after an error that can pass.", 3),
    Option("retry_wait", DURATION, "Pause before the first retry; it doubles each time.", "10s"),
    Option("deadline", DURATION, "Stop the job after this time, and fail it."),
    Option("on_success", COMMAND, "Command or URL that gets the result of a successful run.",
           secret=True),
    Option("on_failure", COMMAND, "Command or URL that gets the result of a failed run.",
           secret=True),
    Option("on_rejects", COMMAND, "Command or URL that gets the result of a run with rejects.",
           secret=True),
    Option("healthcheck", TEXT, "URL to ping when a run starts, ends and fails.", secret=True),
    Option("hook_timeout", DURATION, "Time limit for each command or URL.", "10s"),
)  # fmt: skip

_EVERY: Final[Mapping[str, Option]] = {
    "source": RUNNING["source"], "dataset": OPTIONS["dataset"], **OPTIONS, **RUNNING,
}  # fmt: skip
JOB: Final = by_name(*(each for each in _EVERY.values() if "jobs" in each.sections))
DEFAULTS: Final = by_name(*(each for each in _EVERY.values() if "defaults" in each.sections))
DATABASE: Final = by_name(
    Option("url", TEXT, "The server; MDLOAD_DATABASE_URL takes precedence.", flag="--database",
           env="MDLOAD_DATABASE_URL", secret=True),
)  # fmt: skip
