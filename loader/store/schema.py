"""The database schema: bring it to a revision, say which one it has, insist on the newest.

mdload's tables are in the connection's current schema, the first of its search_path that exists.
alembic is imported only to migrate: importing it takes longer than most commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from loader.db import engine
from loader.db.pooler import FEWEST
from loader.db.queries import resource
from loader.db.rows import PsycopgConnection, Session, connect
from loader.errors import DatabaseError, SchemaOutOfDate
from loader.lazy import dataclass

if TYPE_CHECKING:
    from alembic.config import Config

#: Every revision, oldest first; a test compares them with `migrations/versions`.
REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
#: Not alembic's own name, so that a neighbour's `alembic_version` is never mistaken for ours.
VERSION_TABLE: Final = "mdload_alembic_version"


@dataclass(frozen=True, slots=True)
class History:
    """A history of revisions, with a version table of its own.

    Attributes:
        revisions: every revision, oldest first.
        folder: its scripts, in `migrations`.
        asks: the query for the revision that a database has.
        what: the tables that it makes, in errors.
        command: what brings them up to date.
    """

    revisions: tuple[str, ...]
    version_table: str
    folder: str
    asks: str
    what: str
    command: str


PLAIN: Final = History(
    REVISIONS, VERSION_TABLE, "versions", "schema_revision", "tables of mdload", "mdload migrate"
)
#: The datasets of tenants: apart, so that no other command meets them.
TENANTS: Final = History(
    ("0001", "0002"), "mdload_tenants_version", "tenants", "tenants_revision",
    "tables of tenants", "mdload migrate --tenants",
)  # fmt: skip
#: Key of the advisory lock that lets one migrator work at a time: "mdload" in ASCII.
LOCK: Final = 0x6D646C6F6164

#: PostgreSQL's code for a table that does not exist.
_NO_TABLE: Final = "42P01"
_TAKEN: Final = (
    "something that mdload did not make has the name already: give mdload a schema of its own, "
    "with ?options=-csearch_path%3DSCHEMA in the URL"
)
_HINTS: Final = {
    "42P07": _TAKEN,
    "42723": _TAKEN,
    "55000": "give the tables that are there this shape; or give mdload a schema of its own, with "
    "?options=-csearch_path%3DSCHEMA in the URL",
    "3F000": "check that a schema of the connection's search_path exists",
}


def head(history: History = PLAIN) -> str:
    """The revision that this mdload works with."""
    return history.revisions[-1]


def current(database: PsycopgConnection | str, history: History = PLAIN) -> str | None:
    """The revision of a database, by connection or URL; None where mdload's tables are not.

    A connection's transaction is left as it was.

    Raises:
        DatabaseError: the server cannot be reached or refuses.
    """
    with _asking(database) as session:
        return _revision(session, history)


def require_head(
    database: PsycopgConnection | str, history: History = PLAIN, *, sessions: int = FEWEST
) -> None:
    """Returns if the schema is the one that this mdload works with. One cheap query.

    Raises:
        SchemaOutOfDate: mdload's tables are absent, older or newer; the hint says what to run.
        DatabaseError: the server cannot be reached or refuses, or does not give `sessions` at once.
    """
    with _asking(database, sessions) as session:
        found = _revision(session, history)
        _refuse_newer(found, session.database, history)
        if found != (needed := head(history)):
            has = f"no {history.what} yet" if found is None else f"schema revision {found}"
            raise SchemaOutOfDate(
                f"the database {session.database!r} has {has}; this mdload needs revision {needed}",
                hint=f"run: {history.command}",
            )


def bring_up(url: str, *, sessions: int = FEWEST) -> None:
    """Brings mdload's own database to the newest schema.

    Raises:
        DatabaseError: the server cannot be reached or refuses, or does not give `sessions` at once.
    """
    try:
        require_head(url, sessions=sessions)
    except SchemaOutOfDate:
        upgrade(url)


def upgrade(
    url: str,
    revision: str = "head",
    *,
    notice: Callable[[str], None] | None = None,
    history: History = PLAIN,
) -> list[str]:
    """Brings a database up to `revision`, in one transaction. Two at once do not collide.

    `url` is libpq's (`loader.db.conninfo.libpq_url` makes it of other spellings).
    Returns the revisions applied, oldest first: none where there was nothing to do. `notice` gets
    the notices of the migrations, such as that the server's TimescaleDB cannot compress.

    Raises:
        SchemaOutOfDate: the database has been migrated by a newer mdload.
        DatabaseError: the server cannot be reached or refuses; nothing was changed.
    """
    return _migrate("upgrade", url, revision, notice, history)


def downgrade(url: str, revision: str, *, history: History = PLAIN) -> list[str]:
    """Takes a database down to `revision`; `base` drops all tables of mdload, with what they hold.

    Returns the revisions undone, newest first. Raises as `upgrade` does.
    """
    return _migrate("downgrade", url, revision, None, history)


def offline_sql(history: History = PLAIN) -> str:
    """The SQL script that makes the newest schema where there is none; no database is touched."""
    from alembic import command

    script = StringIO()
    with _config(history) as config:
        config.output_buffer = script
        command.upgrade(config, "head", sql=True)
    return script.getvalue()


def roles_sql() -> str:
    """The SQL script that makes roles with the minimum privileges, once the tables are there."""
    return (resource("docs") / "roles.sql").read_text("utf-8")


def _migrate(
    direction: str,
    url: str,
    revision: str,
    notice: Callable[[str], None] | None,
    history: History,
) -> list[str]:
    from alembic import command

    applied: list[str] = []

    def on_version_apply(*, step: Any, **_: Any) -> None:
        applied.append(str(step.up_revision_id))

    with (
        _hinted(),
        _config(history) as config,
        engine.connected(url, "migrating", notice) as (connection, driver),
    ):
        _refuse_newer(current(driver, history), driver.info.dbname, history)
        config.attributes["connection"] = connection
        config.attributes["on_version_apply"] = on_version_apply
        getattr(command, direction)(config, revision)
    return applied


@contextmanager
def _asking(database: PsycopgConnection | str, sessions: int = FEWEST) -> Iterator[Session]:
    """A session for one question, over a caller's connection or a new one."""
    doing = "looking at its schema"
    if isinstance(database, str):
        with _hinted(), connect(database, doing=doing, sessions=sessions) as session:
            yield session
    else:
        with _hinted():
            yield Session(database, doing=doing)


def _revision(session: Session, history: History) -> str | None:
    try:
        with session.transaction():  # a savepoint, where the caller has a transaction open
            row = session.row(history.asks)
    except SchemaOutOfDate as error:
        if error.sqlstate != _NO_TABLE:
            raise
        _refuse_closed(session)
        return None
    return str(row[0]) if row else None


def _refuse_closed(session: Session) -> None:
    """
    Raises:
        DatabaseError: the role may not use a schema in which the tables may be: to it they look as
            if they were not there.
    """
    with session.transaction():
        closed = session.row("schema_closed")
    if closed is not None:
        schema, role = closed
        raise DatabaseError(
            f"the role {role!r} may not use the schema {schema!r}, where mdload's tables are",
            hint=f'GRANT USAGE ON SCHEMA {schema} TO "{role}"; and the rest of docs/roles.sql',
        )


def _refuse_newer(found: str | None, database: str, history: History) -> None:
    if found is not None and found not in history.revisions:
        raise SchemaOutOfDate(
            f"the database {database!r} has schema revision {found}, which is newer than this "
            f"mdload knows ({head(history)})",
            hint="run: pip install --upgrade mdload",
        )


@contextmanager
def _config(history: History) -> Iterator[Config]:
    from alembic.config import Config

    with as_file(resource("migrations")) as directory:
        config = Config()
        place = str(directory).replace("%", "%%")
        config.set_main_option("script_location", place)
        config.set_main_option("version_locations", f"{place}/{history.folder}")
        config.set_main_option("version_table", history.version_table)
        config.set_main_option("path_separator", "os")
        yield config


@contextmanager
def _hinted() -> Iterator[None]:
    """Replaces hints of refusals by those that fit a migration."""
    try:
        yield
    except DatabaseError as error:
        if error.sqlstate not in _HINTS:
            raise
        hint, sqlstate = _HINTS[error.sqlstate], error.sqlstate
        raise DatabaseError(str(error), hint=hint, sqlstate=sqlstate) from error
