"""`mdload migrate`: create or upgrade the tables, or print the SQL."""

from __future__ import annotations

import json

import click

from loader.cli.context import Context
from loader.cli.options import json_option


@click.command(epilog="Example: mdload --database postgresql://owner@db.example.com/market migrate")
@click.option("--sql", is_flag=True, help="Print the SQL that creates the tables; change nothing.")
@json_option
@click.pass_obj
def migrate(ctx: Context, sql: bool, as_json: bool) -> None:
    """Create or upgrade the tables of mdload.

    All of it in one transaction, in the connection's current schema. What is not mdload's is left
    alone. On a database with TimescaleDB installed the bars become a hypertable.
    """
    from loader.db.conninfo import masked
    from loader.db.target import target
    from loader.listen import log
    from loader.store import schema

    if sql:
        script = schema.offline_sql()
        click.echo(json.dumps({"sql": script}) if as_json else script, nl=as_json)
        return

    notices: list[str] = []
    with target(ctx.database, ctx.home, ctx.configured) as chosen:
        before = schema.current(chosen.url)
        applied = schema.upgrade(chosen.url, notice=notices.append)
        name = masked(chosen.url)
    if as_json:
        said = {"database": name, "source": chosen.source, "from": before, "to": schema.head()}
        click.echo(json.dumps({**said, "applied": applied, "notices": notices}))
        return
    for text in notices:
        log.note(f"note: {text}")
    if not applied:
        what = f"already at the newest revision, {schema.head()}"
    else:
        what = f"from {before or 'nothing'} to revision {schema.head()}"
    click.echo(f"schema of {name} ({chosen.source}): {what}")
