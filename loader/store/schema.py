"""The schema of the database: bring it to a revision, say which one it has, insist on the newest.

mdload's tables live in the connection's current schema, the first of its search_path that exists.
alembic is imported only to migrate: importing it costs more time than most commands take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, LiteralString, cast

import psycopg

from loader.db.conninfo import conninfo
from loader.db.queries import resource
from loader.errors import DatabaseError, SchemaOutOfDate

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Engine

#: Every revision, oldest first; a test compares them with `migrations/versions`.
REVISIONS: Final = ("0001", "0002", "0003")
#: Not alembic's own name, so that a neighbour's `alembic_version` is never mistaken for ours.
VERSION_TABLE: Final = "mdload_alembic_version"
#: Key of the advisory lock that lets one migrator work at a time: "mdload" in ASCII.
LOCK: Final = 0x6D646C6F6164

_CURRENT: Final[LiteralString] = """
    SELECT version_num
    FROM mdload_alembic_version AS version
    JOIN pg_class ON pg_class.oid = version.tableoid
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = current_schema()
"""
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


def current(database: psycopg.Connection[Any] | str) -> str | None:
    """The revision of a database, by connection or URL; None where mdload's tables are not.

    A connection's transaction is left as it was.

    Raises:
        DatabaseError: the server cannot be reached or refuses.
    """
    with _translated("looking at its schema"):
        if isinstance(database, str):
            with psycopg.connect(conninfo(database)) as connection:
                return current(connection)
        try:
            with database.transaction():
                row = database.execute(_CURRENT).fetchone()
        except psycopg.errors.UndefinedTable:
            return None
    return str(row[0]) if row else None


def require_head(database: psycopg.Connection[Any] | str) -> None:
    """Nothing, if the schema is the one that this mdload works with. One cheap query.

    Raises:
        SchemaOutOfDate: mdload's tables are absent, older or newer; the hint says what to run.
        DatabaseError: the server cannot be reached or refuses.
    """
    if isinstance(database, str):
        with (
            _translated("looking at its schema"),
            psycopg.connect(conninfo(database)) as connection,
        ):
            return require_head(connection)
    found = current(database)
    _refuse_newer(found, database)
    if found != head():
        has = "no tables of mdload yet" if found is None else f"schema revision {found}"
        raise SchemaOutOfDate(
            f"the database {database.info.dbname!r} has {has}; this mdload needs revision {head()}",
            hint="run: mdload migrate",
        )
    return None


def upgrade(
    url: str, revision: str = "head", *, notice: Callable[[str], None] | None = None
) -> list[str]:
    """Brings a database up to `revision`, in one transaction. Two at once do not collide.

    `url` is libpq's (`loader.db.target` makes it of other spellings).
    Returns the revisions applied, oldest first: none where there was nothing to do. `notice` gets
    what the server says on the way, such as that its TimescaleDB cannot compress.

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


def engine(url: str, notice: Callable[[str], None] | None = None) -> Engine:
    """A SQLAlchemy engine whose connections libpq makes, so that services, sockets and PG* work."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    def hear(said: psycopg.errors.Diagnostic) -> None:
        if notice and said.severity_nonlocalized in ("NOTICE", "WARNING"):
            notice(said.message_primary or "")

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(conninfo(url))
        connection.add_notice_handler(hear)
        return connection

    return create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=NullPool,
        isolation_level="READ COMMITTED",
    )


def _migrate(
    direction: str, url: str, revision: str, notice: Callable[[str], None] | None
) -> list[str]:
    from alembic import command

    applied: list[str] = []

    def on_version_apply(*, step: Any, **_: Any) -> None:
        applied.append(str(step.up_revision_id))

    with (
        _translated("migrating"),
        _config() as config,
        engine(url, notice).connect() as connection,
    ):
        driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        _refuse_newer(current(driver), driver)
        config.attributes["connection"] = connection
        config.attributes["on_version_apply"] = on_version_apply
        getattr(command, direction)(config, revision)
    return applied


def _refuse_newer(found: str | None, connection: psycopg.Connection[Any]) -> None:
    if found is not None and found not in REVISIONS:
        raise SchemaOutOfDate(
            f"the database {connection.info.dbname!r} has schema revision {found}, which is newer "
            f"than this mdload knows ({head()})",
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
def _translated(doing: str) -> Iterator[None]:
    """psycopg's errors, bare or wrapped by SQLAlchemy, as mdload's."""
    try:
        yield
    except Exception as error:
        cause = getattr(error, "orig", error)
        if not isinstance(cause, psycopg.Error):
            raise
        from loader.db.translate import translate

        said = translate(cause, doing)
        if said.sqlstate in _HINTS:
            raise DatabaseError(
                str(said), hint=_HINTS[said.sqlstate], sqlstate=said.sqlstate
            ) from error
        raise said from error
