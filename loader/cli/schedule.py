"""`mdload schedule`: the jobs for cron or systemd."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loader.cli import completion
from loader.cli.context import Context
from loader.cli.options import json_option
from loader.lazy import regex

if TYPE_CHECKING:
    from loader.jobs.schedule import Scheduled, Surroundings

#: Anything else would end the field of a line in /etc/cron.d.
_USER = regex(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?")
_HINT = 'for example schedule = "30 2 * * 2-6" (at 02:30, Tuesday to Saturday)'


@click.group(epilog="Example: mdload schedule show --format systemd")
def schedule() -> None:
    """Print the schedules of the jobs of mdload.toml for cron or systemd."""


@schedule.command(
    short_help="Print crontab lines, or systemd's units.",
    epilog="Example: mdload schedule show nightly --format systemd --user mdload",
)
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=completion.jobs)
@click.option("--format", "style", type=click.Choice(["cron", "systemd"]), default="cron",
              show_default=True,
              help="Print crontab lines, or a service and a timer for each job.")  # fmt: skip
@click.option("--user", metavar="NAME", help="User who runs them; lines are then for /etc/cron.d.")
@click.option("--env-file", metavar="FILE", type=click.Path(),
              help="File of NAME=value lines, e.g. passwords, read before each run.")  # fmt: skip
@click.option("--nice", metavar="N", type=click.IntRange(0, 19), default=10, show_default=True,
              help="Niceness of the job's process.")  # fmt: skip
@click.option("--on-failure", metavar="UNIT",
              help="Unit that systemd starts when a job fails; else mdload-failed@.service, which "
                   "is printed too.")  # fmt: skip
@json_option
@click.pass_obj
def show(
    ctx: Context, /, jobs: tuple[str, ...], style: str, user: str | None, env_file: str | None,
    nice: int, on_failure: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Print the jobs that have a schedule, or those named, ready to be installed.

    Nothing is installed. The times are those of the machine that runs them. A job needs no lock of
    its own here: it takes one in the database.
    """
    from loader.cli.views.table import print_json, say
    from loader.jobs.schedule import crontab_line, failure_unit, units

    if user is not None and not _USER.fullmatch(user):
        raise click.BadParameter(f"{user!r} is not the name of a user", param_hint="--user")
    chosen = _scheduled(ctx, jobs)
    around = _surroundings(ctx, style, user, env_file, nice, on_failure)
    lines = {each.job: crontab_line(each, around) for each in chosen}
    files = {each.job: units(each, around) for each in chosen}
    if as_json:
        print_json([
            {"job": each.job, "schedule": each.schedule,
             **({"units": files[each.job]} if style == "systemd" else {"line": lines[each.job]})}
            for each in chosen
        ])  # fmt: skip
    elif style == "systemd":
        texts = {name: text for unit in files.values() for name, text in unit.items()}
        _print_units(texts if on_failure else texts | failure_unit())
    else:
        where = "a file in /etc/cron.d" if user else "crontab -e"
        say(f"# For {where}. Errors come as mail; all runs are in: mdload job-runs list")
        for line in lines.values():
            say(line)


def _scheduled(ctx: Context, jobs: tuple[str, ...]) -> list[Scheduled]:
    """The jobs that are named, else those that have a schedule. No other key is looked at, so that
    the environment of the jobs need not be there.

    Raises:
        SettingsError: there are none, or no such job, or one without a schedule.
    """
    from loader.errors import SettingsError
    from loader.jobs.config import job
    from loader.jobs.config.keys import JOB
    from loader.jobs.schedule import Scheduled

    found = []
    for name in dict.fromkeys(jobs or ctx.config.jobs):
        if name not in ctx.config.jobs:
            job(ctx.config, name)  # says so
        path = ("jobs", name, "schedule")
        written = ctx.config.table(*path[:-1]).get("schedule")
        if written is not None:
            found.append(Scheduled(name, ctx.config.value(written, JOB["schedule"], *path)))
        elif jobs:
            raise ctx.config.error(f"the job {name} has no schedule", *path, hint=_HINT)
    if not found:
        raise SettingsError(f"no job of {ctx.config.name} has a schedule", hint=_HINT)
    return found


def _surroundings(
    ctx: Context, style: str, user: str | None, env_file: str | None, nice: int, unit: str | None
) -> Surroundings:
    """With paths as neither cron nor systemd would find them by themselves."""
    import sys

    from loader.jobs.schedule import Surroundings
    from loader.text import account_name

    assert ctx.config.path is not None  # there is a job in it
    file = ctx.config.path.absolute()
    program = Path(sys.executable).with_name("mdload")
    command = [str(program)] if program.exists() else [sys.executable, "-m", "loader"]
    command += ["--config", str(file)]
    if style == "systemd":
        user = user or account_name().removeprefix("uid ")
    else:
        command.append("-q")
    return Surroundings(
        command, file.parent, user, Path(env_file).absolute() if env_file else None, nice,
        unit or Surroundings.on_failure,
    )  # fmt: skip


def _print_units(texts: dict[str, str]) -> None:
    from loader.cli.views.table import say

    timers = " ".join(name for name in texts if name.endswith(".timer"))
    for name, text in texts.items():
        say(f"# /etc/systemd/system/{name}\n{text}")
    say(f"# then: systemctl daemon-reload && systemctl enable --now {timers}")
