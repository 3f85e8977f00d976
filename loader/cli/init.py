"""`mdload init`: a first mdload.toml."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader.cli.context import Context
from loader.cli.options import PATH, GroupedReading, click_option, json_option
from loader.errors import DatabaseError, SchemaOutOfDate, SettingsError
from loader.lazy import regex
from loader.settings.load import OPTIONS

if TYPE_CHECKING:
    from loader.jobs.first import Found

_ASKABLE = ("provider", "interval", "symbol", "timezone", "dialect", "stamp", "name", "columns")
_NAME = regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
#: Answers about the files; more would not lead to an end.
_MOST = 8


def _load_options(command: Callable[..., None]) -> Callable[..., None]:
    for name in reversed(_ASKABLE):
        command = click_option(OPTIONS[name])(command)
    return command


@click.command(cls=GroupedReading, epilog="Example: mdload init dumps --provider polygon")
@click.argument("source", metavar="[SOURCE]", required=False, type=PATH)
@_load_options
@click.option("--job", metavar="NAME", help="Name of the job; else made from the folder's.")
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
@click.option("--yes", is_flag=True, help="Ask nothing: take what is found and given.")
@json_option
@click.pass_obj
def init(
    ctx: Context, /, source: str | None, job: str | None, force: bool, yes: bool, as_json: bool,
    **values: Any,
) -> None:  # fmt: skip
    """Write a first mdload.toml, with a job for the bars in SOURCE: a folder, file, glob or URL.

    Asks for what it needs on a terminal, and takes options elsewhere. It looks into a few of the
    files, tries the database of --database, and checks the file before it is written:
    ./mdload.toml, or the one that --config names.
    """
    from loader.cli.views.table import print_json, say
    from loader.jobs import first
    from loader.listen import log
    from loader.text import counted

    target = Path(ctx.config_file or "mdload.toml")
    asking = not yes and sys.stdin.isatty() and sys.stderr.isatty()
    _insist_on_room(target, asking=asking, force=force)
    if source is None and not asking:
        raise click.UsageError("name the bars that the first job loads: a folder, file or glob")
    source = source or click.prompt("Folder (or files) with bars", default=".", err=True)
    database, environment, secret = _database(ctx, asking=asking)
    known = {name: value for name, value in values.items() if value}
    found = _look(str(source), known, asking=asking)
    name = job or first.name_for(os.path.abspath(source) if source in (".", "..") else source)
    if asking and job is None:
        name = click.prompt("Name of the job", default=name, err=True)
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} is not a name for a job", hint="letters, digits, dots, _ and - will do"
        )
    text = first.First(name, found, known, database, environment).text(target.parent)
    if asking:
        click.echo(f"\n{text}", err=True)
        click.confirm(f"Write {target}?", default=True, abort=True, err=True)
    _write(target, text)
    if secret:
        log.note(f"the password is not in the file: export {first.VARIABLE}=… before each command")
    if as_json:
        print_json({"file": str(target.absolute()), "job": name, "source": found.pattern,
                    "files": found.files})  # fmt: skip
        return
    say(f"{target}: job {name}, {counted(found.files, 'file')} of {found.pattern}")
    say(f"next: mdload run {name} --dry-run;  mdload run {name}")


def _insist_on_room(target: Path, *, asking: bool, force: bool) -> None:
    """
    Raises:
        SettingsError: the file exists, and nobody wants it overwritten.
        click.Abort: the person does not.
    """
    if not target.exists() or force:
        return
    if not asking:
        raise SettingsError(
            f"{target} exists", hint="--force overwrites it, --config FILE names another"
        )
    click.confirm(f"{target} exists. Overwrite it?", default=False, abort=True, err=True)


def _database(ctx: Context, *, asking: bool) -> tuple[str | None, str | None, bool]:
    """The URL to write, or None; what in the environment names a server; and whether the URL had a
    password, for which a variable stands in it.

    Raises:
        SettingsError: it is not a URL of PostgreSQL.
        DatabaseError: it cannot be reached.
    """
    from loader.db.conninfo import libpq_url
    from loader.db.target import named
    from loader.jobs import first
    from loader.listen import log
    from loader.store import schema

    given = ctx.database
    if given is None and (chosen := named()) is not None:
        return None, chosen.source, False
    if given is None and asking:
        given = click.prompt(
            "Database URL (empty: mdload runs a PostgreSQL of its own)",
            default="", show_default=False, err=True,
        )  # fmt: skip
    if not given:
        return None, None, False
    url = libpq_url(given, "--database")
    try:
        schema.require_head(url)
    except SchemaOutOfDate as error:
        log.note(f"{error}\nhint: {error.hint}")
    except DatabaseError as error:
        if not asking:
            raise
        log.error(str(error), error.hint)
        click.confirm("Use it all the same?", default=False, abort=True, err=True)
    written, secret = first.without_password(url)
    if secret is not None:
        os.environ[first.VARIABLE] = secret  # for the check of the file
    return written, None, secret is not None


def _look(source: str, known: dict[str, Any], *, asking: bool) -> Found:
    """The files, once they could be loaded; what they lack is asked for and added to `known`.

    Raises:
        MdloadError: they cannot be loaded so, and nobody says how.
    """
    from loader.jobs.first import asked_for, look_at
    from loader.listen import log

    while True:
        found = look_at(source, known)
        if (error := found.error) is None:
            return found
        wanted = asked_for(error, known) if asking else None
        if wanted is None or len(known) > _MOST:
            raise error
        name, likely = wanted
        log.note(str(error))
        text = click.prompt(
            f"{OPTIONS[name].flag} ({OPTIONS[name].help})", default=likely, err=True
        )
        if name == "columns":
            field, _, column = text.partition("=")
            known[name] = {**known.get(name, {}), field: column}
        else:
            known[name] = text


def _write(target: Path, text: str) -> None:
    """Writes the file whole or not at all, for its owner to change."""
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(target)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise SettingsError(f"{target} cannot be written: {error.strerror}") from error
