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
from loader.db.queries import resource
from loader.db.rows import PsycopgConnection, Session, connect
from loader.errors import DatabaseError, SchemaOutOfDate

if TYPE_CHECKING:
    from alembic.config import Config

#: Every revision, oldest first; a test compares them with `migrations/versions`.
REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005")
#: Not alembic's own name, so that a neighbour's `alembic_version` is never mistaken for ours.
VERSION_TABLE: Final = "mdload_alembic_version"
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
    "3F000": "check that a schema of the connection's search_path exists",
}


def head() -> str:
    """The revision that this mdload works with."""
    return REVISIONS[-1]


def current(database: PsycopgConnection | str) -> str | None:
    """The revision of a database, by connection or URL; None where mdload's tables are not.

    A connection's transaction is left as it was.

    Raises:
        DatabaseError: the server cannot be reached or refuses.
    """
    with _asking(database) as session:
        return _revision(session)


def require_head(database: PsycopgConnection | str) -> None:
    """Returns if the schema is the one that this mdload works with. One cheap query.

    Raises:
        SchemaOutOfDate: mdload's tables are absent, older or newer; the hint says what to run.
        DatabaseError: the server cannot be reached or refuses.
    """
    with _asking(database) as session:
        found = _revision(session)
        _refuse_newer(found, session.database)
        if found != head():
            has = "no tables of mdload yet" if found is None else f"schema revision {found}"
            raise SchemaOutOfDate(
                f"the database {session.database!r} has {has}; this mdload needs revision {head()}",
                hint="run: mdload migrate",
            )


def upgrade(
    url: str, revision: str = "head", *, notice: Callable[[str], None] | None = None
) -> list[str]:
    """Brings a database up to `revision`, in one transaction. Two at once do not collide.

    `url` is libpq's (`loader.db.conninfo.libpq_url` makes it of other spellings).
    Returns the revisions applied, oldest first: none where there was nothing to do. `notice` gets
    the server's notices, such as that its TimescaleDB cannot compress.

    Raises:
        SchemaOutOfDate: the database has been migrated by a newer mdload.
        DatabaseError: the server cannot be reached or refuses; nothing was changed.
    """
    return _migrate("upgrade", url, revision, notice)


def downgrade(url: str, revision: str) -> list[str]:
    """Takes a database down to `revision`; `base` drops all tables of mdload, with what they hold.

    Returns the revisions undone, newest first. Raises as `upgrade` does.
    """
    return _migrate("downgrade", url, revision, None)


def offline_sql() -> str:
    """The SQL script that makes the newest schema where there is none; no database is touched."""
    from alembic import command

    script = StringIO()
    with _config() as config:
        config.output_buffer = script
        command.upgrade(config, "head", sql=True)
    return script.getvalue()


def _migrate(
    direction: str, url: str, revision: str, notice: Callable[[str], None] | None
) -> list[str]:
    from alembic import command

    applied: list[str] = []

    def on_version_apply(*, step: Any, **_: Any) -> None:
        applied.append(str(step.up_revision_id))

    with (
        _hinted(),
        _config() as config,
        engine.connected(url, "migrating", notice) as (connection, driver),
    ):
        _refuse_newer(current(driver), driver.info.dbname)
        config.attributes["connection"] = connection
        config.attributes["on_version_apply"] = on_version_apply
        getattr(command, direction)(config, revision)
    return applied


@contextmanager
def _asking(database: PsycopgConnection | str) -> Iterator[Session]:
    """A session for one question, over a caller's connection or a new one."""
    doing = "looking at its schema"
    if isinstance(database, str):
        with _hinted(), connect(database, doing=doing) as session:
            yield session
    else:
        with _hinted():
            yield Session(database, doing=doing)


def _revision(session: Session) -> str | None:
    try:
        with session.transaction():  # a savepoint, where the caller has a transaction open
            row = session.row("schema_revision")
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


def _refuse_newer(found: str | None, database: str) -> None:
    if found is not None and found not in REVISIONS:
        raise SchemaOutOfDate(
            f"the database {database!r} has schema revision {found}, which is newer than this "
            f"mdload knows ({head()})",
            hint="run: pip install --upgrade mdload",
        )


@contextmanager
def _config() -> Iterator[Config]:
    from alembic.config import Config

    with as_file(resource("migrations")) as directory:
        config = Config()
        config.set_main_option("script_location", str(directory).replace("%", "%%"))
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
