"""`mdload pin` and `mdload pins`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from loader.cli.context import Context
from loader.cli.options import json_option
from loader.cli.when import Moment

if TYPE_CHECKING:
    from loader.db.reconnecting import ReconnectingSession


@click.command(epilog="Example: mdload pin backtest-2024-03 --note 'paper, table 2'")
@click.argument("name", metavar="NAME")
@click.option("--at", type=Moment(), metavar="TIME",
              help="Name this instant instead of now: 2024-03-01T14:30Z, 7d.")  # fmt: skip
@click.option("--note", metavar="TEXT", help="Why, in your words.")
@json_option
@click.pass_obj
def pin(ctx: Context, /, name: str, at: datetime | None, note: str | None, as_json: bool) -> None:
    """Name an instant, to read the bars as they are known then, whatever is loaded later.

    A pin costs nothing to keep. Read at it with mdload export --pin NAME, mdload coverage --pin
    NAME, mdload diff NAME, or in SQL from bars_ohlcv_at('NAME').
    """
    from loader.cli.views.past import show_pin
    from loader.store.versions import pins as stored
    from loader.store.versions.instants import pin_name

    pin_name(name)  # before a server is started for it
    with session_of(ctx) as session:
        made = stored.make(session, name, at, note)
    show_pin(made, as_json)


@click.group(epilog="Example: mdload pins list")
def pins() -> None:
    """List and delete pins: named instants at which the bars can be read again."""


@pins.command("list", epilog="Example: mdload pins list --json")
@json_option
@click.pass_obj
def list_(ctx: Context, /, as_json: bool) -> None:
    """List all pins, the newest instant first."""
    from loader.cli.views.past import show_pins
    from loader.store.versions import pins as stored

    with session_of(ctx) as session:
        found = stored.listed(session)
    show_pins(found, as_json)


@pins.command(epilog="Example: mdload pins delete backtest-2024-03")
@click.argument("name", metavar="NAME")
@json_option
@click.pass_obj
def delete(ctx: Context, /, name: str, as_json: bool) -> None:
    """Delete a pin. The bars do not change; mdload prune may then remove what only it needed."""
    from loader.cli.views.table import print_json
    from loader.listen import log
    from loader.store.versions import pins as stored

    with session_of(ctx) as session:
        stored.delete(session, name)
    if as_json:
        print_json({"deleted": name})
    else:
        log.note(f"pin {name} deleted")


@contextmanager
def session_of(ctx: Context) -> Iterator[ReconnectingSession]:
    """A session with the chosen database."""
    from loader.cli.store import store
    from loader.db.reconnecting import ReconnectingSession

    with store(ctx) as url:
        session = ReconnectingSession(url)
        try:
            yield session
        finally:
            session.close()
