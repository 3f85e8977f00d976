"""The schema of the database: bring it to a revision, say which one it has, insist on the newest.

alembic is imported only to migrate: importing it costs more than most commands take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import psycopg

from loader.errors import SchemaOutOfDate
from loader.queries import resource

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Engine

#: Every revision, oldest first; a test compares them with `migrations/versions`.
REVISIONS: Final = ("0001",)
#: Not alembic's own name, so that a neighbour's `alembic_version` is never mistaken for ours.
VERSION_TABLE: Final = "mdload_alembic_version"
#: Key of the advisory lock that lets one migrator work at a time: "mdload" in ASCII.
LOCK: Final = 0x6D646C6F6164


def head() -> str:
    """The revision that this mdload needs."""
    return REVISIONS[-1]


def current(database: psycopg.Connection[Any] | str) -> str | None:
    """The revision of a database, by connection or URL; None where mdload's tables are not.

    Leaves the connection's transaction as it was.
    """
    if isinstance(database, str):
        with psycopg.connect(libpq(database)) as connection:
            return current(connection)
    try:
        with database.transaction():
            row = database.execute("SELECT version_num FROM mdload_alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return str(row[0]) if row else None


def require_head(connection: psycopg.Connection[Any]) -> None:
    """Nothing, if the schema is the one that this mdload works with.

    Raises:
        SchemaOutOfDate: mdload's tables are absent, older or newer; the hint says what to run.
    """
    found = current(connection)
    if found == head():
        return
    where = f"the database {connection.info.dbname!r}"
    if found is None:
        raise SchemaOutOfDate(f"{where} has no mdload tables yet", hint="mdload migrate")
    if found in REVISIONS:
        raise SchemaOutOfDate(
            f"{where} is at schema revision {found}, but this mdload needs {head()}",
            hint="mdload migrate",
        )
    raise SchemaOutOfDate(
        f"{where} is at schema revision {found}, which is newer than this mdload ({head()})",
        hint="pip install --upgrade mdload",
    )


def upgrade(
    url: str, revision: str = "head", *, notice: Callable[[str], None] | None = None
) -> list[str]:
    """Brings the database up to `revision` in one transaction.

    Returns the revisions applied, oldest first: none where there was nothing to do. `notice` is
    called with what the server says on the way, such as that TimescaleDB cannot compress here.
    """
    return _migrate("upgrade", url, revision, notice)


def downgrade(url: str, revision: str) -> list[str]:
    """Takes the database down to `revision` (`base`: nothing of mdload is left), with its data.

    Returns the revisions undone, newest first.
    """
    return _migrate("downgrade", url, revision, None)


def offline_sql() -> str:
    """The SQL that makes the newest schema in an empty database; no database is touched."""
    from alembic import command

    out = StringIO()
    with _config() as config:
        config.output_buffer = out
        command.upgrade(config, "head", sql=True)
    return out.getvalue()


def libpq(url: str) -> str:
    """`url` as libpq understands it: without SQLAlchemy's driver name."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql://{rest}" if separator and "+" in scheme else url


def engine(url: str, notice: Callable[[str], None] | None = None) -> Engine:
    """A SQLAlchemy engine whose connections libpq makes, so that services, sockets and PG* work."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(libpq(url))
        if notice:
            connection.add_notice_handler(lambda said: notice(said.message_primary or ""))
        return connection

    return create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=NullPool,
        isolation_level="READ COMMITTED",
    )


@contextmanager
def _config() -> Iterator[Config]:
    from alembic.config import Config

    with as_file(resource("migrations")) as directory:
        config = Config()
        config.set_main_option("script_location", str(directory).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        yield config


def _migrate(
    direction: str, url: str, revision: str, notice: Callable[[str], None] | None
) -> list[str]:
    from alembic import command

    applied: list[str] = []

    def on_version_apply(*, step: Any, **_: Any) -> None:
        applied.append(str(step.up_revision_id))

    with _config() as config, engine(url, notice).connect() as connection:
        config.attributes["connection"] = connection
        config.attributes["on_version_apply"] = on_version_apply
        getattr(command, direction)(config, revision)
    return applied
