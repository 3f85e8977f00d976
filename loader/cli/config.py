"""`mdload config`: check mdload.toml, show what it comes to, and print its schema."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from loader.cli import completion
from loader.cli.context import Context
from loader.cli.job_options import date_option, set_option
from loader.cli.options import json_option
from loader.errors import SettingsError

if TYPE_CHECKING:
    from loader.jobs.config import JobConfig


@click.group(epilog="Example: mdload config show nightly")
def config() -> None:
    """Check mdload.toml, and show what it comes to."""


@config.command(
    epilog="Example: mdload --config /etc/mdload.toml config check",
    short_help="Find everything that is wrong with the file.",
)
@click.option("--file-only", is_flag=True,
              help="Check the file alone: this machine does not run its jobs.")  # fmt: skip
@json_option
@click.pass_obj
def check(ctx: Context, file_only: bool, as_json: bool) -> int:
    """Find everything that is wrong with the file: keys, values, variables, jobs, dialects.

    And what its jobs lack on this machine: programs of hooks, folders of sources, a place for
    metrics. Needs no server and reads no source. Exit code 2 if anything is wrong.
    """
    from pathlib import Path

    from loader.cli.views.table import print_json, say
    from loader.jobs.config.read import parse
    from loader.jobs.lint import problems
    from loader.listen import log
    from loader.settings.file.whereabouts import DEFAULT_NAME
    from loader.text import counted

    found = parse(None if ctx.config_file is None else Path(ctx.config_file))
    if found.path is None:
        raise SettingsError(
            f"there is no {DEFAULT_NAME} here", hint="name the file: mdload --config FILE config …"
        )
    wrong = problems(found, here=not file_only)
    if as_json:
        told = [{"line": p.line, "message": p.message, "hint": p.hint} for p in wrong]
        print_json({"file": found.name, "jobs": found.jobs, "problems": told})
    elif not wrong:
        say(f"{found.name}: {counted(len(found.jobs), 'job')}, nothing wrong")
    for problem in wrong:
        log.error(f"{found.name}:{problem.line}: {problem.message}", problem.hint)
    return SettingsError.exit_code if wrong else 0


@config.command(
    epilog="Example: mdload config show nightly --set workers=4",
    short_help="Show values and where they come from, sources, fingerprint.",
)
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=completion.jobs)
@date_option
@set_option
@json_option
@click.pass_obj
def show(
    ctx: Context, jobs: tuple[str, ...], day: date | None, given: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Show each value and where it comes from, and today's sources.

    An option takes precedence over the environment, the environment over the file, the file over
    the default. Secrets are masked. The fingerprint is the one that the job's runs are recorded
    with.
    """
    from loader.cli.views.table import Column, print_json, say, table
    from loader.jobs.config import job

    found = ctx.config
    database = _database(ctx)
    shown = [_job(job(found, name, dict(given)), day) for name in jobs or found.jobs]
    if as_json:
        print_json({"file": found.path, "database": database, "jobs": shown})
        return
    say(f"file      {found.path or 'no mdload.toml'}")
    say(f"database  {database['url']} ({database['origin']})")
    for each in shown:
        say()
        values = {k: v for k, v in each["values"].items() if v["value"] is not None}
        table(
            f"job {each['job']}",
            ["key", "value", Column("from", spare=1)],
            [(key, _text(value["value"]), value["origin"]) for key, value in values.items()],
        )
        say(f"sources for {' to '.join(sorted({each['days'][0], each['days'][-1]}))}:")
        for source in each["sources"]:
            say(f"  {source}")
        say(f"fingerprint {each['fingerprint']}")


def _database(ctx: Context) -> dict[str, str]:
    from loader.db.conninfo import masked
    from loader.db.target import named

    chosen = named(ctx.database, ctx.configured)
    if chosen is None:
        return {"url": "the embedded server", "origin": "default"}
    from_file = chosen.source == "the configuration file"
    origin = ctx.config.place("database", "url") if from_file else chosen.source
    return {"url": masked(chosen.url), "origin": origin}


def _job(found: JobConfig, day: date | None) -> dict[str, Any]:
    from loader.store.runs.fingerprint import compute_config_fingerprint
    from loader.text import redact

    days = found.days(day)
    return {
        "job": found.name,
        "values": {
            name: {"value": value.shown, "origin": value.origin}
            for name, value in found.values.items()
        },
        "days": [each.isoformat() for each in days],
        "sources": [redact(pattern) for pattern in found.patterns(days)],
        "fingerprint": compute_config_fingerprint(found.settings().meaning.as_config()),
    }


def _text(value: Any) -> str:
    """As it would be written in the file."""
    if isinstance(value, dict):
        return ", ".join(f"{name} = {each}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value) if isinstance(value, bool) else str(value)


@config.command(
    epilog="Example: mdload config schema > mdload.schema.json",
    short_help="Print the JSON Schema for editors.",
)
def schema() -> None:
    """Print the JSON Schema of mdload.toml, by which editors complete and check the file."""
    from loader.cli.views.table import print_json
    from loader.dialects.own import KEYS
    from loader.jobs.config.schema import json_schema

    print_json(json_schema(KEYS))
