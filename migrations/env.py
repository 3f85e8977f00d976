"""Runs the migrations, on a connection from `store.schema` or for plain alembic."""

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, Table, text

from loader.db.engine import engine
from loader.db.target import named
from loader.errors import SettingsError
from loader.store.schema import LOCK, VERSION_TABLE

#: That of the history: `alembic -n tenants` and `store.schema` name another.
VERSIONS = context.config.get_main_option("version_table") or VERSION_TABLE


def migrate(connection: Connection) -> None:
    """Runs all steps in one transaction, one migrator at a time, in the current schema."""
    with connection.begin():
        # Taken before alembic reads the revision: a second migrator waits here, and then finds the
        # work done.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        schema = connection.scalar(text("SELECT current_schema()"))
        context.configure(
            connection=connection,
            version_table=VERSIONS,
            version_table_schema=schema,
            on_version_apply=context.config.attributes.get("on_version_apply"),
        )
        context.run_migrations()
        if not context.get_context().get_current_heads():  # down to base: leave nothing behind
            Table(VERSIONS, MetaData(), schema=schema).drop(connection, checkfirst=True)


def print_sql() -> None:
    context.configure(
        dialect_name="postgresql",
        version_table=VERSIONS,
        dialect_opts={"paramstyle": "named"},  # prints a % as a single %
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    print_sql()
elif "connection" in context.config.attributes:
    migrate(context.config.attributes["connection"])
else:
    try:
        chosen = named()
    except SettingsError as error:
        raise CommandError(str(error)) from error
    if chosen is None:
        raise CommandError("Set MDLOAD_DATABASE_URL to the database to migrate")
    with engine(chosen.url).connect() as connection:
        migrate(connection)
