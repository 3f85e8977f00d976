"""What a shell's completion offers for values: formats, conventions, calendars, jobs, stored names.

The database has a short time to answer: a person waits for it in the middle of a line.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

import click

from loader.cli.context import Context

Complete = Callable[[click.Context, click.Parameter, str], list[str]]

#: Seconds for the database to answer.
_PATIENCE: Final = 1.5
#: Names that are offered.
_MOST: Final = 200


def _offering(names: Callable[[Context], Iterable[str]], *, upper: bool = False) -> Complete:
    """A callback of click's that offers those of `names` that begin like the word so far. It offers
    nothing where they cannot be had: an error would be printed into the person's line."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        begun = incomplete.upper() if upper else incomplete
        try:
            found = sorted({name for name in names(_context(ctx)) if name.startswith(begun)})
        except Exception:  # a completion that fails must not print into the line; it offers none
            return []
        return found[:_MOST]

    return complete


def _context(ctx: click.Context) -> Context:
    """The options of the whole command, before and after the subcommand."""
    before, after = ctx.find_root().params, ctx.meta
    database, config_file = (
        after.get(f"mdload.{name}") or before.get(name) for name in ("database", "config_file")
    )
    return Context(database=database, config_file=config_file)


def _dialects(context: Context) -> Iterable[str]:
    from loader.dialects.known import dialects

    return [*dialects(), *context.config.dialects]


def _conventions(context: Context) -> Iterable[str]:
    from loader.bars.conventions import CONVENTIONS

    return CONVENTIONS


def _calendars(context: Context) -> Iterable[str]:
    from loader.survey.calendars import names

    return names()


def _jobs(context: Context) -> Iterable[str]:
    return context.config.jobs


def _stored(column: str) -> Callable[[Context], Iterable[str]]:
    """The names in a column of the stored series. The server has to be there: none is started."""

    def ask(context: Context) -> Iterable[str]:
        from loader.store import series  # noqa: F401 - what takes long is imported before the clock

        found: list[str] = []
        thread = threading.Thread(target=lambda: found.extend(_asked(context, column)), daemon=True)
        thread.start()
        thread.join(_PATIENCE)
        return list(found)

    return ask


def _asked(context: Context, column: str) -> list[str]:
    from contextlib import suppress

    from loader.db.arrow import connect
    from loader.db.embedded import status
    from loader.db.target import named
    from loader.errors import MdloadError
    from loader.store.series import SeriesFilter, stored_series

    with suppress(MdloadError):
        chosen = named(context.database, context.configured)
        server = None if chosen else status(context.home)
        url = chosen.url if chosen else server.url if server and server.running else None
        if url is not None:
            with connect(url, autocommit=True) as connection:
                return [str(name) for name in stored_series(connection, SeriesFilter())[column]]
    return []


jobs: Final = _offering(_jobs)
calendars: Final = _offering(_calendars)
stored_symbols: Final = _offering(_stored("symbol"), upper=True)
stored_providers: Final = _offering(_stored("provider"))
stored_intervals: Final = _offering(_stored("interval"))

#: By the names of load options.
LOAD: Final = {
    "dialect": _offering(_dialects),
    "provider": _offering(lambda context: [*_dialects(context), *_stored("provider")(context)]),
    "symbol": stored_symbols,
    "symbol_convention": _offering(_conventions),
}
