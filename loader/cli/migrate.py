"""`mdload migrate`: create or upgrade the tables, or print the SQL."""

from __future__ import annotations

import json

import click

from loader.cli.context import Context
from loader.cli.options import json_option


@click.command(epilog="Example: mdload --database postgresql://owner@db.example.com/market migrate")
@click.option("--sql", is_flag=True, help="Print the SQL that creates the tables; change nothing.")
@click.option(
    "--tenants",
    is_flag=True,
    help="Create the tables of tenants' datasets too, under row-level security.",
)
@click.option("--roles", is_flag=True,
              help="Print SQL that makes roles with the minimum privileges on the tables; change "
                   "nothing.")  # fmt: skip
@json_option
@click.pass_obj
def migrate(ctx: Context, sql: bool, tenants: bool, roles: bool, as_json: bool) -> None:
    """Create or upgrade the tables of mdload.

    All of it in one transaction, in the connection's current schema. What is not mdload's is left
    alone. On a database with TimescaleDB installed the bars become a hypertable.

    With --tenants, the datasets bars, fundamentals, news and options_snap follow in a transaction
    of their own. A table of that name is taken over if it has their shape; otherwise the command
    names the differences and changes nothing.
    """
    from loader.db.conninfo import masked
    from loader.db.target import target
    from loader.listen import log
    from loader.store import schema

    histories = (schema.PLAIN, schema.TENANTS) if tenants else (schema.PLAIN,)
    if sql and roles:
        raise click.UsageError("--sql and --roles are two scripts: print them one by one")
    if roles:
        script = schema.roles_sql()
        click.echo(json.dumps({"sql": script}) if as_json else script, nl=as_json)
        return
    if sql:
        script = "\n".join(schema.offline_sql(each) for each in histories)
        click.echo(json.dumps({"sql": script}) if as_json else script, nl=as_json)
        return

    notices: list[str] = []
    with target(ctx.database, ctx.home, ctx.configured) as chosen:
        befores = [schema.current(chosen.url, each) for each in histories]
        applied = [
            schema.upgrade(chosen.url, notice=notices.append, history=each) for each in histories
        ]
        name = masked(chosen.url)
    if as_json:
        said = {"database": name, "source": chosen.source}
        steps = [
            {"from": before, "to": schema.head(each), "applied": done}
            for each, before, done in zip(histories, befores, applied, strict=True)
        ]
        more = {"tenants": steps[1]} if tenants else {}
        click.echo(json.dumps({**said, **steps[0], "notices": notices, **more}))
        return
    for text in notices:
        log.note(f"note: {text}")
    for each, before, done in zip(histories, befores, applied, strict=True):
        what = f"from {before or 'nothing'} to revision {schema.head(each)}"
        if not done:
            what = f"already at the newest revision, {schema.head(each)}"
        whose = "schema" if each is schema.PLAIN else "datasets of tenants"
        click.echo(f"{whose} of {name} ({chosen.source}): {what}")
