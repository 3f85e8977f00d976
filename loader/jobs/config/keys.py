"""The keys of mdload.toml, as data: what is checked, shown, declared to editors and documented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from loader.jobs.config.kinds import (
    COMMAND,
    CRON,
    DURATION,
    FLAG,
    LIMIT,
    PAIRS,
    PATH,
    POWER,
    SOURCES,
    TEXT,
    ZONE,
    Kind,
    choice,
    whole,
)


@dataclass(frozen=True)
class Key:
    """A key of a section.

    Attributes:
        doc: one line.
        default: as it would be written in the file; None where there is none.
        option: the option of `backfill` that it stands for.
        env: the environment variable that precedes the file.
        inherited: whether a job has it from `[defaults]`.
        secret: whether it is a URL or command whose parts must not be shown.
    """

    name: str
    kind: Kind
    doc: str
    default: Any = None
    option: str | None = None
    env: str | None = None
    inherited: bool = True
    secret: bool = False


def _by_name(*keys: Key) -> Mapping[str, Key]:
    return {key.name: key for key in keys}


#: Keys that stand for options of `backfill`: in `[defaults]` for that command, and for jobs.
OPTIONS: Final = _by_name(
    Key("provider", TEXT, "Who the bars are from.", option="--provider"),
    Key("interval", TEXT, "Length of a bar: 1m, 5m, 1h, 1d, …", option="--interval"),
    Key("symbol", TEXT, "Of files that name none.", option="--symbol"),
    Key("dialect", TEXT, "Take the files for this format.", option="--dialect"),
    Key("timezone", TEXT, "Of local times, e.g. America/New_York.", option="--timezone"),
    Key("time_format", TEXT, "Of times: as in strptime, or a unit of numbers: s, ms, us, ns.",
        option="--time-format"),
    Key("stamp", choice("start", "end"), "Which end of their bars the times are.",
        option="--stamp"),
    Key("price_divisor", POWER, "Prices are whole numbers of one part in so many.",
        option="--price-divisor"),
    Key("volume_factor", POWER, "Volume is in lots of so many.", option="--volume-factor"),
    Key("columns", PAIRS, "Bar field = the file's name for it.", option="--column"),
    Key("symbol_convention", TEXT, "How symbols are spelled: cqs, yahoo, cms, …",
        option="--symbol-convention"),
    Key("symbol_map", PATH, "CSV of your own names for symbols.", option="--symbol-map"),
    Key("keep_skipped", FLAG, "Load rows that the format takes for no bars.", False,
        option="--keep-skipped"),
    Key("allow_nonpositive_prices", FLAG, "Load prices of zero and below.", False,
        option="--allow-nonpositive-prices"),
    Key("off_grid", FLAG, "Load bars that do not start on their interval's grid.", False,
        option="--off-grid"),
    Key("max_rejects", LIMIT, "Refuse a file with more rejected rows than that.", "1%",
        option="--max-rejects"),
    Key("workers", whole(1, 64), "Files to load at a time.", 1, option="--workers",
        env="MDLOAD_WORKERS"),
    Key("batch_rows", whole(1, 5_000_000), "Rows in memory at a time.", 100_000,
        option="--batch-rows"),
    Key("commit_every", whole(1), "Commit a huge file in parts of so many rows.",
        option="--commit-every"),
    Key("recompress", FLAG, "Compress the TimescaleDB chunks again that it has written into.",
        False, option="--recompress"),
    Key("metrics_textfile", PATH, "Add the run's metrics to this file, which node_exporter reads.",
        option="--metrics-textfile", env="MDLOAD_METRICS_TEXTFILE"),
    Key("push_gateway", TEXT, "Push the run's metrics to this Pushgateway.",
        option="--push-gateway", env="MDLOAD_PUSH_GATEWAY"),
)  # fmt: skip

#: What a job has besides.
RUNNING: Final = _by_name(
    Key("source", SOURCES, "Paths, globs, folders or URLs, with dates: dumps/{date-1d}.csv.",
        inherited=False),
    Key("dataset", TEXT, "Recorded with each run, as its dataset_name.", inherited=False),
    Key("mode", choice("backfill", "live"), "What each run is recorded as.", "backfill"),
    Key("days", whole(1, 3660), "Load the last so many days, oldest first.", 1),
    Key("timezone_of_date", ZONE, "Where it is decided what day it is.", "UTC"),
    Key("missing", choice("fail", "warn", "ignore"), "What a source that is not there means.",
        "fail"),
    Key("calendar", TEXT, "Expect sources for its trading days only, e.g. XNYS."),
    Key("settle", DURATION, "How long a file must have been left alone to count as whole.", "5s"),
    Key("schedule", CRON, "When it is to run: a cron expression.", inherited=False),
    Key("retries", whole(0, 100), "Further attempts where another can succeed.", 3),
    Key("retry_wait", DURATION, "Before the first of them; it doubles each time.", "10s"),
    Key("deadline", DURATION, "Stop the job, and fail it, after so long."),
    Key("on_success", COMMAND, "Command or URL that gets the result of a run that succeeded.",
        secret=True),
    Key("on_failure", COMMAND, "Command or URL that gets the result of a run that failed.",
        secret=True),
    Key("on_rejects", COMMAND, "Command or URL that gets the result of a run with rejected rows.",
        secret=True),
    Key("healthcheck", TEXT, "URL that is pinged when a run starts, ends and fails.", secret=True),
    Key("hook_timeout", DURATION, "What a command or URL may take.", "10s"),
)  # fmt: skip

JOB: Final[Mapping[str, Key]] = {
    "source": RUNNING["source"], "dataset": RUNNING["dataset"], **OPTIONS, **RUNNING,
}  # fmt: skip
DEFAULTS: Final[Mapping[str, Key]] = {
    "job_name": Key("job_name", TEXT, "The name under which backfill records its run.",
                    option="--job-name"),
    **{name: key for name, key in JOB.items() if key.inherited},
}  # fmt: skip
DATABASE: Final = _by_name(
    Key("url", TEXT, "The server; the environment precedes it.", option="--database",
        env="MDLOAD_DATABASE_URL", secret=True),
)  # fmt: skip
