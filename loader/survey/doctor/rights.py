"""The privileges that loads need, which of them are missing, and the GRANT for each."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from loader.db.rows import Session
from loader.survey.doctor.check import Check

#: The privileges of mdload_loader in docs/roles.sql; a test compares them.
_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "bars_gap_waivers": ("SELECT",),
    "bars_loads": ("SELECT", "INSERT"),
    "bars_ohlcv": ("SELECT", "INSERT", "UPDATE"),
    "bars_ohlcv_revisions": ("SELECT", "INSERT"),
    "bars_pins": ("SELECT", "INSERT"),
    "bars_rejected": ("SELECT", "INSERT", "UPDATE (replayed_by)"),
    "job_run_files": ("SELECT", "INSERT", "UPDATE"),
    "job_runs": ("SELECT", "INSERT", "UPDATE"),
    "job_runs_summary": ("SELECT",),
    "mdload_alembic_version": ("SELECT",),
    "provider_symbols": ("SELECT", "INSERT"),
}
_SEQUENCES: Final = (
    "bars_ohlcv_revisions_id_seq", "bars_rejected_id_seq", "job_run_files_id_seq",
    "job_runs_id_seq",
)  # fmt: skip
_ROLE: Final = "mdload_loader"


def rights(session: Session) -> Check:
    """Whether this connection's role has all privileges that `backfill` and `run` need."""
    places = session.rows("doctor_schemas")
    schema = places[0]["name"] if places else None
    (server,) = session.rows("doctor_server")
    role = server["role"]
    missing = _grants(session, schema, role)
    if not missing and schema is None:
        told = f"the role {role!r} may do all that can be checked before the tables exist"
        return Check("rights", "ok", told)
    if not missing:
        return Check("rights", "ok", f"the role {role!r} may do all that loads need")
    group = session.rows("doctor_role", _ROLE)
    if group and group[0]["held"]:
        missing = _grants(session, schema, _ROLE) or missing
    elif group and not _grants(session, schema, _ROLE):
        missing = [f"GRANT {_ROLE} TO {server['quoted_role']};"]
    told = f"the role {role!r} lacks rights that loads need"
    return Check("rights", "fail", told, "\n".join(missing))


def needed() -> list[dict[str, str | None]]:
    """Every right, as {kind, name, right, column}."""
    found: list[dict[str, str | None]] = [_right("DATABASE", None, "TEMPORARY"),
                                          _right("SCHEMA", None, "USAGE")]  # fmt: skip
    for table, granted in _TABLES.items():
        found += [_right("TABLE", table, right) for right in granted]
    return found + [_right("SEQUENCE", name, "USAGE") for name in _SEQUENCES]


def _right(kind: str, name: str | None, right: str) -> dict[str, str | None]:
    right, _, column = right.partition(" ")
    return {"kind": kind, "name": name, "right": right, "column": column.strip("()") or None}


def _grants(session: Session, schema: str | None, role: str) -> list[str]:
    """The GRANTs that `role` lacks, one for each object."""
    lacking: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in session.rows("doctor_rights", schema, json.dumps(needed()), role):
        column = f" ({row['column']})" if row["column"] else ""
        lacking[row["object"], row["role"]].append(row["right"] + column)
    return [f"GRANT {', '.join(r)} ON {object} TO {to};" for (object, to), r in lacking.items()]
