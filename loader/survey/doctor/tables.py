"""The place and the revision of mdload's tables."""

from __future__ import annotations

from urllib.parse import quote

from loader.db.rows import Session
from loader.store import shape
from loader.store.schema import REVISIONS, head
from loader.survey.doctor.check import Check

_MIGRATE = "run: mdload migrate"


def tables(session: Session) -> Check:
    """Whether the tables are in this connection's search_path, at the newest revision."""
    found = session.rows("doctor_schemas")
    if not found:
        return Check("schema", "fail", "the database has no tables of mdload yet", _MIGRATE)
    place, *_ = found
    name = place["name"]
    if not place["current"] and place["searched"] and not place["usable"]:
        told = f"mdload's tables are in the schema {name!r}, which this role may not enter"
        return Check("schema", "fail", told, "it lacks rights: see rights")
    if not place["current"]:
        told = f"mdload's tables are in the schema {name!r}, where this connection does not look"
        hint = f"end the URL with ?options=-csearch_path%3D{quote(quote(name))}"
        return Check("schema", "fail", told, hint)
    revision = session.rows("doctor_revision")[0]["revision"]
    if revision == head():
        return Check("schema", "ok", f"revision {revision}, the newest, in the schema {name!r}")
    if revision in REVISIONS:
        told = f"revision {revision} is older than {head()}, which this mdload needs"
        return Check("schema", "fail", told, _MIGRATE)
    told = f"revision {revision} is newer than this mdload knows ({head()})"
    return Check("schema", "fail", told, "run: pip install --upgrade mdload")


def bars(session: Session) -> Check:
    """Whether the tables of bars have the columns and the key that mdload made, and no trigger of
    others that can keep rows out."""
    columns, keys, triggers, _ = session.one("bars_state")
    if columns is None:
        return _without(tables(session))
    if found := shape.altered(columns, keys):
        return Check("tables", "fail", *found)
    if triggers:
        names = ", ".join(repr(name) for name in triggers.splitlines())
        told = f"triggers of others on bars_ohlcv can keep rows out: {names}; such a load fails"
        return Check("tables", "warn", told, "ALTER TABLE bars_ohlcv DISABLE TRIGGER NAME")
    places = session.rows("doctor_schemas")
    if places and (open_to := session.row("doctor_creators", places[0]["name"])):
        role, schema = open_to
        told = f"{role} may create functions in the schema of the bars, which loads might run"
        return Check("tables", "warn", told, f"REVOKE CREATE ON SCHEMA {schema} FROM {role};")
    return Check("tables", "ok", "the bars have mdload's columns and key")


def exist(session: Session) -> bool:
    """Whether this connection finds a table of bars."""
    return session.one("bars_state")[0] is not None


def _without(schema: Check) -> Check:
    """The finding where this connection finds no table of bars. `schema` is that of `tables`."""
    if schema.state == "ok":
        told = "bars_ohlcv and its revisions were dropped: the schema is at its newest revision"
        return Check("tables", "fail", told, "restore them from a backup of this database")
    told = "do not exist yet" if schema.hint == _MIGRATE else "are out of this connection's reach"
    return Check("tables", "fail", f"the tables of bars {told}", schema.hint)


def left_to_loads(check: Check) -> Check:
    """The same check for the embedded server: its next load does what `mdload migrate` would."""
    if check.hint != _MIGRATE:
        return check
    return Check(check.name, "ok", f"{check.what}; the next load sees to that")
