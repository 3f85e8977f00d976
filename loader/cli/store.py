"""The database that a command works on, with its schema in place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loader.cli.context import Context


@contextmanager
def store(ctx: Context, *, checked: bool = True) -> Iterator[str]:
    """The URL of the chosen database; the embedded one is brought to the newest schema first. A
    server of the user's own that is not to be `checked` may be away for the moment.

    Raises:
        SchemaOutOfDate: a server of the user's own does not have the schema.
    """
    from loader.db.target import target
    from loader.errors import SchemaOutOfDate
    from loader.store import schema

    with target(ctx.database, ctx.home, ctx.configured) as chosen:
        try:
            if checked or chosen.embedded:
                schema.require_head(chosen.url)
        except SchemaOutOfDate:
            if not chosen.embedded:
                raise
            schema.upgrade(chosen.url)
        yield chosen.url
