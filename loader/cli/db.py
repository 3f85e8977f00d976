"""`mdload db`: which database is in use, and the embedded server's switch."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from loader.cli.context import Context

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(epilog="Example: mdload db psql -c 'SELECT count(*) FROM bars_ohlcv'")
def db() -> None:
    """Show the database in use, and start and stop the embedded server."""


@db.command(epilog="Example: mdload db url --json")
@click.option("--show-password", is_flag=True, help="Print the URL with its password.")
@click.option("--tcp", is_flag=True, help="The embedded server's, for tools; see db start --port.")
@_json
@click.pass_obj
def url(context: Context, show_password: bool, tcp: bool, as_json: bool) -> None:
    """Print the URL of the database in use."""
    from loader.db.conninfo import masked
    from loader.db.embedded import status
    from loader.db.embedded.binaries import find
    from loader.db.target import Target, named
    from loader.listen import log

    chosen = None if tcp else named(context.database, context.configured)
    if tcp:
        chosen = Target(_tcp(context), "the embedded server", embedded=True)
    if chosen is None:
        server = status(context.home)
        if server.url is None:
            find()  # says what is missing
        chosen = Target(str(server.url), "the embedded server", embedded=True)
        if not server.running:
            log.note("the embedded server is not running; 'mdload db start' starts it")
    shown = chosen.url if show_password else masked(chosen.url)
    found = {"url": shown, "source": chosen.source, "embedded": chosen.embedded}
    click.echo(json.dumps(found) if as_json else shown)


def _tcp(context: Context) -> str:
    """The URL of the embedded server's TCP port, with its password.

    Raises:
        SettingsError: it has none.
    """
    from loader.db.embedded import tcp
    from loader.db.embedded.home import Home
    from loader.errors import SettingsError

    place = Home.at(context.home)
    if place.port is None:
        raise SettingsError(
            "the embedded server does not listen on a port", hint="mdload db start --port 5433"
        )
    return tcp.with_password(place.port, tcp.password(place.password))


@db.command(
    epilog="Example: mdload db status", short_help="Show which database is in use, and its state."
)
@_json
@click.pass_obj
def status(context: Context, as_json: bool) -> None:
    """Show which database is in use, and the state of the embedded server."""
    from dataclasses import asdict

    from loader.cli.views.db import show
    from loader.db.conninfo import masked
    from loader.db.embedded import status
    from loader.db.target import named

    chosen = named(context.database, context.configured)
    server = status(context.home)
    found = {
        "uses": masked(chosen.url) if chosen else server.url,
        "source": chosen.source if chosen else "the embedded server",
        **asdict(server),
    }
    if as_json:
        click.echo(json.dumps(found, default=str))
        return
    state = "running" if server.running else "stopped"
    if server.running and server.pinned:
        state += ", and stays until 'mdload db stop'"
    elif server.running:
        state += ", until the last mdload that uses it ends"
    if server.running and server.pid:
        state += f" (pid {server.pid})"
    show(found, state)


@db.command(epilog="Example: mdload db start", short_help="Start the embedded server and leave it.")
@click.option("--port", metavar="PORT", type=click.IntRange(1024, 65535),
              help="Listen on 127.0.0.1 too, with a password, for other tools.")  # fmt: skip
@_json
@click.pass_obj
def start(context: Context, port: int | None, as_json: bool) -> None:
    """Start the embedded server and keep it running until 'mdload db stop'.

    With --port tools on this machine reach it by TCP, as role mdload. The password is made once and
    kept in a file that only its owner can read.
    """
    from loader.db.embedded import start, status
    from loader.db.target import named
    from loader.listen import log

    url = start(context.home, port)
    server = status(context.home) if port is not None else None
    chosen = named(context.database, context.configured)
    if chosen:
        log.note(f"note: mdload uses another database, named by {chosen.source}")
    found = {"running": True, "url": url}
    if server is not None:
        found |= {"tcp": server.tcp, "password_file": str(server.password_file)}
        log.note(f"the password is in {server.password_file}, in the form of PGPASSFILE; "
                 "mdload db url --tcp --show-password prints it")  # fmt: skip
    click.echo(json.dumps(found) if as_json else found.get("tcp") or url)


@db.command(epilog="Example: mdload db stop", short_help="Stop the embedded server.")
@_json
@click.pass_obj
def stop(context: Context, as_json: bool) -> None:
    """Stop the embedded server; one in use stops when its last user ends."""
    from loader.db.embedded import status, stop

    stopped = stop(context.home)
    running = not stopped and status(context.home).running
    if as_json:
        click.echo(json.dumps({"stopped": stopped, "running": running}))
    elif running:
        click.echo("in use: it stops when the last mdload that uses it ends")
    else:
        click.echo("stopped" if stopped else "it was not running")


@db.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
    short_help="Open psql on the database in use.",
    epilog="Example: mdload db psql -c 'SELECT count(*) FROM bars_ohlcv'",
)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(context: Context, args: tuple[str, ...]) -> NoReturn:
    """Open psql on the database in use; ARGS go to psql.

    Options that mdload has too go after a double dash: mdload db psql -- --help
    """
    import signal
    import subprocess

    from loader.cli.store import require_database
    from loader.db.conninfo import psql_arguments
    from loader.db.embedded.binaries import client
    from loader.db.target import target

    require_database(context)
    with target(context.database, context.home, context.configured) as chosen:
        where, secret = psql_arguments(chosen.url)
        command: list[str | Path] = [client("psql", embedded=chosen.embedded), *where, *args]
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is psql's: it ends a query there
        code = subprocess.run(command, env=os.environ | secret, check=False).returncode
    sys.exit(code if code >= 0 else 128 - code)
