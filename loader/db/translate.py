"""Driver errors as mdload's own. Only this room catches what a driver raises."""

from __future__ import annotations

import re
from typing import Final

import psycopg

from loader.errors import (
    BarsCompressed,
    ConnectionLost,
    Contended,
    DatabaseError,
    SchemaOutOfDate,
)
from loader.lazy import regex

#: Deadlock, serialization, lock timeout; and a unique key that another writer took first.
_CONTENDED = ("40001", "40P01", "55P03", "23505")
#: Connection exceptions, too many connections, a server that shuts down or starts, a session that
#: was idle for too long.
_LOST = ("08", "53300", "57P01", "57P02", "57P03", "57P05")
_MISSING = ("42P01", "42703", "3F000")

_HINTS = {
    "28P01": "check the password in the URL, PGPASSWORD or .pgpass",
    "28000": "check user name and pg_hba.conf",
    "3D000": "create the database first, for example: createdb NAME",
    "42501": "grant the loader role its rights: see docs/roles.sql",
    "25006": "a standby? give the URL of the primary; or default_transaction_read_only is on",
    "53100": "the server's disk is full: free space, then run the same command again",
    "57014": "a timeout on the server (statement_timeout?) or a person cancelled the statement",
}
_UNREACHABLE = regex(
    r"failed to connect|could not connect|connection (to server|refused|not open)|server closed|"
    r"no connection to the server|terminating connection|could not (send|receive) data|"
    r"failed to resolve host|could not translate host name",
    re.IGNORECASE,
)
#: What the coordinator of a Citus cluster says, under many codes, when it has lost another server.
_NODE_LOST = regex(
    r"failed to COPY to shard|server closed the connection unexpectedly|"
    r"connection to the remote node|failure on connection marked as essential|"
    r"could not (connect to|establish connection to) .*node",
    re.IGNORECASE,
)
#: What it says of a key that another writer took first: the code is lost on the way from the shard.
_KEY_TAKEN: Final = "duplicate key value violates unique constraint"
#: What libpq says where no user is named and the account has no name (in containers).
_NAMELESS: Final = regex(r"local user with ID \d+ does not exist")
#: How a server refuses a connection: the drivers give no SQLSTATE for it.
_REFUSALS = {
    r'database ".*" does not exist': "3D000",
    r"password authentication|no password supplied": "28P01",
    r'role ".*" (does not exist|is not permitted)|no pg_hba.conf entry': "28000",
}


#: A load of a few files at a time opens about so many: sessions, sources, scratch files.
_FEW_FILES: Final = 128


def translate(error: Exception, doing: str) -> DatabaseError:
    """The mdload error for the `error` of a driver, to be raised `from` it.

    `doing` completes "the database failed while …".
    """
    sqlstate: str | None = getattr(error, "sqlstate", None) or None
    text = _first_line(str(error))
    kind: type[DatabaseError] = DatabaseError
    hint = _HINTS.get(sqlstate or "")
    taken = sqlstate == "XX000" and _KEY_TAKEN in text
    if taken or (sqlstate and sqlstate.startswith(_CONTENDED)):
        kind, hint = Contended, "another writer was in the way; run the same command again"
    elif sqlstate == "0A000" and "locking compressed tuples" in text:
        kind, hint = BarsCompressed, "run the same command again"
    elif sqlstate and (sqlstate.startswith(_LOST) or _NODE_LOST.search(text)):
        kind, hint = ConnectionLost, "check that the server is up, then run the same command again"
    elif sqlstate in _MISSING:
        kind, hint = SchemaOutOfDate, "run: mdload migrate"
    elif sqlstate is None and _NAMELESS.search(str(error)):
        hint = "this account has no name to connect by: put one into the URL, postgresql://NAME@…"
    elif sqlstate is None and _UNREACHABLE.search(str(error)):
        kind = ConnectionLost
        hint = "check the address with: mdload db url; and that the server is up"
        for words, state in _REFUSALS.items():
            if re.search(words, str(error)):
                kind, hint = DatabaseError, _HINTS[state]
    elif sqlstate is None and isinstance(error, psycopg.OperationalError):
        # psycopg has more ways than ADBC to say that nobody answered.
        kind, hint = ConnectionLost, "check that the server is up, then try again"
    if kind is ConnectionLost and sqlstate is None and (few := _few_files()):
        hint = f"this process may open only {few} files: ulimit -n 1024; or {hint}"
    message = f"the database failed while {doing}: {text}"
    return kind(message, hint=hint, sqlstate=sqlstate, reason=text)


def _few_files() -> int | None:
    """How many files this process may open, if that is so few that it may be the fault."""
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return None
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return allowed if 0 <= allowed < _FEW_FILES else None


def _first_line(text: str) -> str:
    """The server's own sentence, without the driver's prefix and the text of the statement."""
    match = re.search(r"(?:ERROR|FATAL|PANIC):\s+(.+)", text)
    text = match[1] if match else re.sub(r"^[A-Z_]+: (\[libpq\] )?", "", text)
    return " ".join(text.splitlines()[0].split()) if text.strip() else "no reason given"
