"""TimescaleDB: whether it is installed, holds the bars, and runs its compression policy."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from loader.db.rows import Row, Session
from loader.store.timescale import OLDEST, Extension, recompress
from loader.survey.doctor import tables
from loader.survey.doctor.check import Check, State
from loader.text import bytes_, counted, duration, utc

#: If a policy is overdue for longer, no background worker runs it.
_OVERDUE: Final = timedelta(days=1)

#: Bytes that may lie uncompressed beside compressed chunks: what the policy's next runs clear away.
_BESIDE: Final = 1 << 30

_ENABLE: Final = "with nobody loading, as the owner of bars_ohlcv: mdload timescale enable --yes"
_ADD: Final = "SELECT add_compression_policy('bars_ohlcv', compress_after => interval '90 days');"
_ERRORS: Final = "SELECT * FROM timescaledb_information.job_errors WHERE job_id ="
_WORKERS: Final = (
    "SELECT _timescaledb_functions.start_background_workers(); and see "
    "timescaledb.max_background_workers"
)


def timescaledb(session: Session) -> Check:
    """Whether it is installed and manages the bars. A database without it is fine."""
    found = session.rows("timescale_extension")
    if not found:
        there = session.rows("timescale_available")[0]["version"]
        told = f"not in this database, though the server has {there}" if there else "not installed"
        plain = ": bars_ohlcv is a plain table" if tables.exist(session) else ""
        return Check("timescaledb", "ok", told + plain)
    extension = Extension(**found[0])
    version = extension.version
    if extension.number < OLDEST:
        update = "ALTER EXTENSION timescaledb UPDATE; to 2.16 or newer"
        return Check("timescaledb", "fail", f"version {version} is too old", update)
    if not tables.exist(session):  # the finding on the schema has the next step
        return Check("timescaledb", "ok", f"version {version}, without a table of bars yet")
    bars = session.rows("bars_hypertable")
    state, told, hint = _bars(bars[0], extension) if bars else (
        "warn", "but bars_ohlcv is a plain table, migrated before it came", _ENABLE,
    )  # fmt: skip
    if state == "ok" and bars and (partial := recompress.beside(session)):
        size = sum(chunk.bytes for chunk in partial)
        told += f"; {counted(len(partial), 'compressed chunk')} with {bytes_(size)} beside"
        if size > _BESIDE:
            state, hint = "warn", "as the owner of bars_ohlcv: mdload timescale recompress"
    return Check("timescaledb", state, f"version {version}, {told}", hint)


def _bars(bars: Row, extension: Extension) -> tuple[State, str, str | None]:
    """State, sentence and hint for a row of `bars_hypertable`."""
    state: State = "warn"
    job = bars["policy"]
    policy = f"a hypertable with a compression policy (job {job}) that"
    if not bars["compresses"] and not extension.compresses:
        state, told, hint = "ok", "a hypertable; its Apache licence has no compression", None
    elif not bars["compresses"]:
        told, hint = "a hypertable that does not compress", _ENABLE
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
