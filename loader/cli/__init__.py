"""The command `mdload`: parses, calls, renders, and ends with the right exit code."""

from __future__ import annotations

import importlib
import os
import re
import sys
from typing import Literal, NoReturn

import click

from loader.cli import interrupts
from loader.cli.context import Context
from loader.errors import MdloadError

# A command's module is imported when the command runs; `mdload --help` needs only this table.
COMMANDS: dict[str, tuple[str, str]] = {
    "backfill": ("loader.cli.backfill:backfill", "Load bars from files into the store."),
    "run": ("loader.cli.run:run", "Run jobs of mdload.toml, as cron would."),
    "live": ("loader.cli.live:live", "Store bars as they come, from a pipe."),
    "inspect": ("loader.cli.inspect:inspect", "Show what a file would be taken for."),
    "providers": ("loader.cli.providers:providers", "The dumps that are recognised, one by one."),
    "migrate": ("loader.cli.migrate:migrate", "The schema: to the newest revision, or printed."),
    "job-runs": ("loader.cli.job_runs:job_runs", "What was loaded, when, and how it ended."),
    "coverage": ("loader.cli.coverage:coverage", "What is stored, from when to when."),
    "gaps": ("loader.cli.gaps:gaps", "What is missing by an exchange's calendar."),
    "pin": ("loader.cli.pin:pin", "Name an instant, to read the bars as they are known then."),
    "pins": ("loader.cli.pin:pins", "The named instants: listed, deleted."),
    "diff": ("loader.cli.diff:diff", "What differs between two instants, pins or runs."),
    "revisions": ("loader.cli.revisions:revisions", "What was restated, largest change first."),
    "rollback": ("loader.cli.rollback:rollback", "Undo a run, or all loads since a time."),
    "delete": ("loader.cli.delete:delete", "Delete bars, on record."),
    "rename": ("loader.cli.rename:rename", "Give bars another symbol, on record."),
    "prune": ("loader.cli.prune:prune", "Remove old history that no pin needs."),
    "export": ("loader.cli.export:export", "Bars back out, to Parquet or CSV."),
    "config": ("loader.cli.config:config", "mdload.toml: checked, shown, its schema."),
    "schedule": ("loader.cli.schedule:schedule", "The jobs as cron and systemd take them."),
    "verify": ("loader.cli.verify:verify", "Do stored bars agree with one another."),
    "timescale": ("loader.cli.timescale:timescale", "The bars as a hypertable, and rollups."),
    "db": ("loader.cli.db:db", "The database in use, and the embedded server."),
    "doctor": ("loader.cli.doctor:doctor", "Is everything in place: server, rights, disk, time."),
}


#: Commands whose options `[defaults]` of mdload.toml fills.
WITH_DEFAULTS = ("backfill", "inspect", "live")


class LazyGroup(click.Group):
    """A group whose commands are the table's."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as exc:
            raise click.exceptions.NoSuchCommand(
                exc.command_name, possibilities=COMMANDS, ctx=ctx
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="First steps: mdload backfill bars.parquet --provider NAME",
)
@click.option("--database", metavar="URL",
              help="The server to use; else MDLOAD_DATABASE_URL, DATABASE_URL, libpq's PG* "
                   "variables, mdload.toml, or the embedded server.")  # fmt: skip
@click.option("--config", "config_file", metavar="FILE", type=click.Path(dir_okay=False),
              envvar="MDLOAD_CONFIG",
              help="Settings; else MDLOAD_CONFIG, or mdload.toml if it is here.")  # fmt: skip
@click.option("-v", "--verbose", count=True, help="Say more on stderr; -vv for all there is.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text",
              show_default=True, help="How stderr speaks.")  # fmt: skip
@click.version_option(package_name="mdload", prog_name="mdload")
@click.pass_context
def root(
    ctx: click.Context,
    database: str | None,
    config_file: str | None,
    verbose: int,
    quiet: bool,
    log_format: Literal["text", "json"],
) -> None:
    """Brings OHLCV bars into PostgreSQL and TimescaleDB, exactly, and keeps a record of it."""
    from loader.listen import log

    log.configure(log_format, -1 if quiet else verbose)
    ctx.obj = Context(
        database=database,
        config_file=config_file,
        verbosity=-1 if quiet else verbose,
        log_format=log_format,
    )
    command = ctx.invoked_subcommand
    if command in WITH_DEFAULTS:
        defaults = ctx.obj.config.defaults
        if command == "live":  # a feed is no backfill, whatever that is called
            defaults = {name: value for name, value in defaults.items() if name != "job_name"}
        ctx.default_map = {command: defaults}


def main() -> NoReturn:
    """Runs the command line and ends the process."""
    from loader.listen import log

    interrupts.heed()
    try:
        code = root.main(prog_name="mdload", standalone_mode=False)
    except MdloadError as exc:
        log.error(str(exc), exc.hint)
        sys.exit(exc.exit_code)
    except click.ClickException as exc:
        if log.speaks_json():
            log.error(exc.format_message(), "see mdload --help, mdload COMMAND --help")
        else:
            exc.show()
        sys.exit(exc.exit_code)
    except (click.Abort, KeyboardInterrupt):  # click makes Abort of Ctrl-C
        log.error("interrupted")
        sys.exit(130)
    except BrokenPipeError:  # `mdload … | head`: what remains unwritten has no reader
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as exc:
        verbose = any(re.fullmatch("-v+|--verbose", argument) for argument in sys.argv)
        log.error(
            f"mdload failed: {type(exc).__name__}: {exc}",
            "this is a fault of mdload; " + ("please report it with what is above" if verbose
                                             else "mdload -v COMMAND … shows where"),
            cause=exc if verbose else None,
        )  # fmt: skip
        sys.exit(MdloadError.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
