"""`mdload config`: is mdload.toml right, what does it come to, and what may stand in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from loader.cli.context import Context
from loader.cli.job_options import date_option, set_option
from loader.cli.options import json_option
from loader.errors import MdloadError, SettingsError

if TYPE_CHECKING:
    from loader.jobs.config import Config, JobConfig


@click.group(epilog="Example: mdload config show nightly")
def config() -> None:
    """mdload.toml: is it right, and what does it come to?"""


@config.command(
    epilog="Example: mdload --config /etc/mdload.toml config check",
    short_help="Everything that is wrong with the file.",
)
@json_option
@click.pass_obj
def check(ctx: Context, as_json: bool) -> int:
    """Look for everything that is wrong with the file: keys, values, variables, jobs, dialects.

    No server and no source is touched. Exit code 2 if there is something.
    """
    from pathlib import Path

    from loader.cli.views.table import print_json
    from loader.jobs.config.read import DEFAULT_NAME, parse
    from loader.listen import log
    from loader.text import counted

    found = parse(None if ctx.config_file is None else Path(ctx.config_file))
    if found.path is None:
        raise SettingsError(
            f"there is no {DEFAULT_NAME} here", hint="name the file: mdload --config FILE config …"
        )
    problems = sorted(set(_problems(found)), key=lambda problem: problem[0])
    if as_json:
        told = [dict(zip(("line", "message", "hint"), each, strict=True)) for each in problems]
        print_json({"file": found.name, "jobs": found.jobs, "problems": told})
    elif not problems:
        click.echo(f"{found.name}: {counted(len(found.jobs), 'job')}, nothing wrong")
    for line, message, hint in problems:
        log.error(f"{found.name}:{line}: {message}", hint)
    return SettingsError.exit_code if problems else 0


def _problems(found: Config) -> Iterator[tuple[int, str, str | None]]:
    """Line, message and hint of each, in any order."""
    from loader.db.conninfo import libpq_url
    from loader.dialects.own import TableError, from_table
    from loader.jobs.config import job, wrong_values
    from loader.jobs.config.read import ConfigError

    def of(error: MdloadError, *path: str) -> tuple[int, str, str | None]:
        if isinstance(error, ConfigError):
            return error.problem.line, error.problem.message, error.problem.hint
        return found.line(*path), str(error), error.hint

    written = list(found.problems())
    for problem in written:
        yield problem.line, problem.message, problem.hint
    for name, table in found.dialects.items():
        try:
            from_table(name, table)
        except TableError as error:
            yield of(error, "dialects", name, *([error.key] if error.key else []))
    if written:  # what is wrong with a key is wrong with each job that has it
        return
    try:
        if found.database is not None:
            libpq_url(found.database, "database.url")
    except SettingsError as error:
        yield of(error, "database", "url")
    for name in found.jobs:
        values = list(wrong_values(found, name))
        yield from (of(error, "jobs", name) for error in values)
        if values:
            continue
        for key, message, hint in _misfits(job(found, name)):
            path = found.written(name, key) or ("jobs", name)
            yield found.line(*path), message if key else f"{name}: {message}", hint


def _misfits(found: JobConfig) -> Iterator[tuple[str, str, str | None]]:
    """What is wrong with a job whose values are each of the right kind: key, or none, message and
    hint."""
    from loader.check.file import check_settings
    from loader.jobs.config import blamed
    from loader.jobs.hooks import misfits
    from loader.survey.calendars import require

    try:
        check_settings(found.settings())
    except MdloadError as error:
        yield blamed(found, error)
    if found["calendar"] is not None:
        try:
            require(found["calendar"])
        except MdloadError as error:
            yield "calendar", f"jobs.{found.name}.calendar: {error}", error.hint
    for key, said in misfits(found):
        yield key, f"jobs.{found.name}.{key} {said}", None


@config.command(
    epilog="Example: mdload config show nightly --set workers=4",
    short_help="Each value, by whose word; sources; fingerprint.",
)
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@date_option
@set_option
@json_option
@click.pass_obj
def show(
    ctx: Context, jobs: tuple[str, ...], day: date | None, given: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Show what the file comes to: each value, by whose word, and which sources are meant today.

    An option precedes the environment, that the file, that the default. Secrets are masked. The
    fingerprint is the one that the job's runs are recorded with.
    """
    from loader.cli.views.table import Column, print_json, table
    from loader.jobs.config import job

    found = ctx.config
    database = _database(ctx)
    shown = [_job(job(found, name, dict(given)), day) for name in jobs or found.jobs]
    if as_json:
        print_json({"file": found.path, "database": database, "jobs": shown})
        return
    click.echo(f"database  {database['url']} ({database['origin']})")
    for each in shown:
        click.echo()
        values = {k: v for k, v in each["values"].items() if v["value"] is not None}
        table(
            f"job {each['job']}",
            ["key", "value", Column("from", spare=1)],
            [(key, _text(value["value"]), value["origin"]) for key, value in values.items()],
        )
        click.echo(f"sources for {' to '.join(sorted({each['days'][0], each['days'][-1]}))}:")
        for source in each["sources"]:
            click.echo(f"  {source}")
        click.echo(f"fingerprint {each['fingerprint']}")


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
        "fingerprint": compute_config_fingerprint(found.settings().meaning()),
    }


def _text(value: Any) -> str:
    """As it would be written in the file."""
    if isinstance(value, dict):
        return ", ".join(f"{name} = {each}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value) if isinstance(value, bool) else str(value)


@config.command(
    epilog="Example: mdload config schema > mdload.schema.json", short_help="For editors."
)
def schema() -> None:
    """Print the JSON Schema of mdload.toml, for editors that complete and check by it."""
    from loader.cli.views.table import print_json
    from loader.dialects.own import KEYS
    from loader.jobs.config.schema import json_schema

    print_json(json_schema(KEYS))
