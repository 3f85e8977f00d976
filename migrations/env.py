"""Runs the migrations: for `loader.schema`, which hands over its connection, and for plain alembic."""

import os

from alembic import context
from sqlalchemy import Connection, text

from loader.schema import LOCK, VERSION_TABLE, engine


def migrate(connection: Connection) -> None:
    """All steps in one transaction, one migrator at a time."""
    context.configure(
        connection=connection,
        version_table=VERSION_TABLE,
        on_version_apply=context.config.attributes.get("on_version_apply"),
    )
    with context.begin_transaction():
        # Before alembic looks which revision the database has: a second migrator waits here, then
        # finds the work done.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        context.run_migrations()
        if not context.get_context().get_current_heads():
            connection.execute(text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))


def print_sql() -> None:
    context.configure(
        dialect_name="postgresql",
        version_table=VERSION_TABLE,
        dialect_opts={"paramstyle": "named"},  # keeps % single in what is printed
        output_buffer=context.config.output_buffer,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    print_sql()
elif connection := context.config.attributes.get("connection"):
    migrate(connection)
else:
    url = os.environ.get("MDLOAD_DATABASE_URL") or os.environ.get("DATABASE_URL")
    if not url:
        raise SystemExit("Set MDLOAD_DATABASE_URL to the database to migrate.")
    with engine(url).connect() as connection:
        migrate(connection)
