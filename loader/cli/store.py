"""The database that a command works on, with its schema in place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from loader.cli.context import Context


@contextmanager
def store(
    ctx: Context, *, checked: bool = True, make: bool = False, workers: int = 0
) -> Iterator[str]:
    """The URL of the chosen database; the embedded one is brought to the newest schema first. A
    server of the user's own that is not to be `checked` may be away for the moment; otherwise it
    has to give the sessions that a load with that number of `workers` takes.

    Raises:
        NoDatabase: none is named, and there is no embedded one yet, which a command that writes
            bars would `make`.
        SchemaOutOfDate: a server of the user's own does not have the schema.
        DatabaseError: it cannot be reached, refuses, or gives fewer sessions.
    """
    from loader.db.conninfo import masked
    from loader.db.pooler import sessions_of
    from loader.db.target import target
    from loader.store import schema

    if not make:
        require_database(ctx)
    with target(ctx.database, ctx.home, ctx.configured) as chosen:
        ctx.mention(f"database: {masked(chosen.url)} ({chosen.source})")
        if chosen.embedded:
            schema.bring_up(chosen.url, sessions=sessions_of(workers))
        elif checked:
            schema.require_head(chosen.url, sessions=sessions_of(workers))
        yield chosen.url


def ask_ahead(ctx: Context) -> str | None:
    """Lets the driver of a load ask a server of the user's own what it needs to know of it, beside
    whatever comes next. Opening the database then reports what is wrong. Gives the URL; None for
    the embedded server."""
    from loader.db.adbc import learn_ahead
    from loader.db.target import named
    from loader.errors import MdloadError

    with suppress(MdloadError):
        if chosen := named(ctx.database, ctx.configured):
            learn_ahead(chosen.url)
            return chosen.url
    return None


def require_database(ctx: Context) -> None:
    """
    Raises:
        NoDatabase: no database is named, and there is no embedded one yet. A command that reads
            would find nothing in a new one, and a monitor would take that for good news.
    """
    from loader.db.embedded import exists
    from loader.db.target import named
    from loader.errors import NoDatabase

    if named(ctx.database, ctx.configured) is None and not exists(ctx.home):
        raise NoDatabase(
            "no database is named, and the embedded one does not exist yet",
            hint="name one with --database URL or MDLOAD_DATABASE_URL;"
            " mdload backfill FILE makes the embedded one",
        )
