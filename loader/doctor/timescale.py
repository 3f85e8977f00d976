"""TimescaleDB: is it there, are the bars its hypertable, does its compression policy live."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from loader.doctor.check import Check, State
from loader.report import duration, utc
from loader.runs.session import Session

_OLDEST: Final = (2, 16)
#: A policy that is due for longer has nobody who runs it.
_OVERDUE: Final = timedelta(days=1)

_CONVERT: Final = (
    "with nobody loading: SELECT create_hypertable('bars_ohlcv', by_range('ts', "
    "interval '7 days'), create_default_indexes => false, migrate_data => true);"
)
_COMPRESS: Final = (
    "ALTER TABLE bars_ohlcv SET (timescaledb.compress, timescaledb.compress_orderby = 'ts', "
    "timescaledb.compress_segmentby = 'provider, symbol, interval');"
)
_ADD: Final = "SELECT add_compression_policy('bars_ohlcv', compress_after => interval '90 days');"
_ERRORS: Final = "SELECT * FROM timescaledb_information.job_errors WHERE job_id ="
_WORKERS: Final = (
    "SELECT _timescaledb_functions.start_background_workers(); and see "
    "timescaledb.max_background_workers"
)


def timescaledb(session: Session) -> Check:
    """Whether it is installed and at work on the bars. That it is absent is no fault."""
    (extension,) = session.rows("doctor_extension")
    version = extension["installed"]
    if version is None:
        there = extension["available"]
        told = f"not in this database, though the server has {there}" if there else "not installed"
        return Check("timescaledb", "ok", f"{told}: bars_ohlcv is a plain table")
    if tuple(int(n) for n in version.split("-")[0].split(".")[:2]) < _OLDEST:
        update = "ALTER EXTENSION timescaledb UPDATE; to 2.16 or newer"
        return Check("timescaledb", "fail", f"version {version} is too old", update)
    bars = session.rows("timescale_bars")
    state, told, hint = _bars(bars[0]) if bars else (
        "warn", "but bars_ohlcv is a plain table, migrated before it came", _CONVERT,
    )  # fmt: skip
    return Check("timescaledb", state, f"version {version}, {told}", hint)


def _bars(bars: dict[str, Any]) -> tuple[State, str, str | None]:
    """State, words and hint for a row of `timescale_bars`."""
    state: State = "warn"
    job = bars["policy"]
    policy = f"whose compression policy (job {job})"
    if not bars["compresses"] and bars["license"] == "apache":
        state, told, hint = "ok", "a hypertable; its Apache licence has no compression", None
    elif not bars["compresses"]:
        told, hint = "a hypertable that does not compress", f"{_COMPRESS}\n{_ADD}"
    elif job is None:
        told, hint = "a hypertable without a compression policy", _ADD
    elif not bars["scheduled"]:
        told, hint = f"{policy} is switched off", f"SELECT alter_job({job}, scheduled => true);"
    elif bars["last_status"] == "Failed":
        state, told = "fail", f"{policy} failed at {utc(bars['last_run'])}"
        hint = f"{_ERRORS} {job};"
    elif bars["overdue"] is not None and bars["overdue"] > _OVERDUE:
        late = duration(bars["overdue"].total_seconds() * 1000)
        told, hint = f"{policy} should have run {late} ago", _WORKERS
    else:
        ran = f"ran at {utc(bars['last_run'])}" if bars["last_run"] else "has not run yet"
        state, told, hint = "ok", f"a hypertable; its compression policy {ran}", None
    return state, told, hint
