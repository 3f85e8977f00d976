"""Settings of the server that affect speed or safety. The figures are measured: docs/doctor.md."""

from __future__ import annotations

from typing import Any, Final

from loader.db.rows import Session
from loader.survey.doctor.check import Check

_RELOAD: Final = "SELECT pg_reload_conf();"
_MB: Final = {"kB": 1 / 1024, "8kB": 1 / 128, "MB": 1, "GB": 1024}


def settings(session: Session) -> list[Check]:
    """The server's settings that affect loads, one finding for each."""
    found = {row["name"]: row for row in session.rows("doctor_settings")}
    return [_max_wal_size(found), _checkpoint_timeout(found), _commit(found), _wal_buffers(found),
            _work_mem(found), _safety(found)]  # fmt: skip


def _max_wal_size(found: dict[str, Any]) -> Check:
    row = found["max_wal_size"]
    if _megabytes(row) >= 4096:
        return _ok("max_wal_size", found)
    return Check(
        "max_wal_size", "warn",
        f"{row['shown']}: large loads force checkpoints, after which whole pages go to the log "
        "again (5 % of 4 million bars restated: 1.3 GB of log with 1GB, 0.8 GB with 4GB)",
        f"ALTER SYSTEM SET max_wal_size = '4GB'; {_RELOAD}",
    )  # fmt: skip


def _checkpoint_timeout(found: dict[str, Any]) -> Check:
    row = found["checkpoint_timeout"]
    if int(row["setting"]) >= 300:  # seconds
        return _ok("checkpoint_timeout", found)
    return Check(
        "checkpoint_timeout", "warn",
        f"{row['shown']}: loads meet many checkpoints, after which whole pages go to the log again",
        f"ALTER SYSTEM SET checkpoint_timeout = '15min'; {_RELOAD}",
    )  # fmt: skip


def _commit(found: dict[str, Any]) -> Check:
    word = found["synchronous_commit"]["shown"]
    standbys = found["synchronous_standby_names"]["shown"]
    if word == "off":
        return Check(
            "synchronous_commit", "warn",
            "off: a crash of the server can lose files that were reported as loaded, and loads are "
            "no faster for it: they commit once per file",
            "ALTER ROLE CURRENT_USER SET synchronous_commit = on;",
        )  # fmt: skip
    waits = f"; each commit waits for {standbys}" if standbys and word != "local" else ""
    return _ok("synchronous_commit", found, waits)


def _wal_buffers(found: dict[str, Any]) -> Check:
    few = _megabytes(found["wal_buffers"]) < 64
    more = "; with 64MB two workers load large files a tenth faster" if few else ""
    return _ok("wal_buffers", found, more)


def _work_mem(found: dict[str, Any]) -> Check:
    return _ok("work_mem", found, "; loads are no faster with more")


def _safety(found: dict[str, Any]) -> Check:
    off = [name for name in ("fsync", "full_page_writes", "autovacuum")
           if found[name]["setting"] == "off"]  # fmt: skip
    if not off:
        return Check("safety", "ok", "fsync, full_page_writes and autovacuum are on")
    told = {
        "fsync": "fsync is off: a power cut can destroy the database",
        "full_page_writes": "full_page_writes is off: a power cut can destroy the database",
        "autovacuum": "autovacuum is off: bars that changed leave their old rows on disk",
    }
    return Check(
        "safety", "warn", "; ".join(told[name] for name in off),
        " ".join(f"ALTER SYSTEM SET {name} = on;" for name in off) + f" {_RELOAD}",
    )  # fmt: skip


def _megabytes(row: dict[str, Any]) -> float:
    return int(row["setting"]) * _MB[row["unit"]]


def _ok(name: str, found: dict[str, Any], more: str = "") -> Check:
    return Check(name, "ok", f"{found[name]['shown']}{more}")
