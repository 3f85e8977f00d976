"""The command `mdload`: parses, calls, renders, and ends with the right exit code."""

from __future__ import annotations

import importlib
import re
import sys
from io import StringIO
from typing import Literal, NoReturn

import click

from loader.cli import everywhere, examples, interrupts, streams, surroundings
from loader.errors import MdloadError, ReaderGone

# A command's module is imported when the command runs; `mdload --help` needs only this table.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("loader.cli.init:init", "Write a first mdload.toml, with a job for your files."),
    "backfill": ("loader.cli.backfill:backfill", "Load bars from files into the store."),
    "plan": ("loader.cli.planning:plan", "Show a plan made by backfill --plan."),
    "apply": ("loader.cli.planning:apply", "Write the bars of a plan, once."),
    "run": ("loader.cli.run:run", "Run jobs of mdload.toml, as cron would."),
    "live": ("loader.cli.live:live", "Store bars from a pipe as they arrive."),
    "inspect": ("loader.cli.inspect:inspect", "Show how mdload would read a file."),
    "providers": (
        "loader.cli.providers:providers",
        "List the vendor formats that mdload recognises.",
    ),
    "migrate": ("loader.cli.migrate:migrate", "Create or upgrade the tables, or print the SQL."),
    "job-runs": ("loader.cli.job_runs:job_runs", "Show what was loaded, when, and how it ended."),
    "coverage": ("loader.cli.coverage:coverage", "Show which bars are stored, and for which time."),
    "gaps": ("loader.cli.gaps:gaps", "Find bars that an exchange's calendar expects."),
    "pin": ("loader.cli.pin:pin", "Name an instant, to read the bars as known then."),
    "pins": ("loader.cli.pin:pins", "List or delete pins."),
    "diff": ("loader.cli.diff:diff", "Compare the bars at two instants, pins or runs."),
    "revisions": ("loader.cli.revisions:revisions", "List restated bars, largest change first."),
    "rollback": ("loader.cli.rollback:rollback", "Undo a run, or all loads since a time."),
    "delete": ("loader.cli.delete:delete", "Delete bars, on record."),
    "rename": ("loader.cli.rename:rename", "Give bars another symbol, on record."),
    "rejects": ("loader.cli.rejects:rejects", "Show rejected rows, and load them after a fix."),
    "prune": ("loader.cli.prune:prune", "Remove old history that no pin needs."),
    "query": ("loader.cli.query:query", "Run SQL over the stored bars, and print the rows."),
    "report": ("loader.cli.report:report", "Write a page of HTML to look at."),
    "export": ("loader.cli.export:export", "Write stored bars to Parquet or CSV."),
    "config": ("loader.cli.config:config", "Check or show mdload.toml, or print its schema."),
    "schedule": ("loader.cli.schedule:schedule", "Print the jobs for cron or systemd."),
    "verify": ("loader.cli.verify:verify", "Compare a file with the stored bars, or rollups."),
    "reconcile": (
        "loader.cli.reconcile:reconcile",
        "Compare two providers, or two intervals.",
    ),
    "timescale": (
        "loader.cli.timescale:timescale",
        "Manage hypertable and rollups on TimescaleDB.",
    ),
    "citus": ("loader.cli.citus:citus", "Distribute the bars over the servers of Citus."),
    "db": ("loader.cli.db:db", "Show the database in use; run the embedded one."),
    "doctor": (
        "loader.cli.doctor:doctor",
        "Check that server, privileges, disk and time are fine.",
    ),
}


#: Commands that import neither Polars nor Arrow.
LIGHT = ("migrate", "job-runs", "config", "schedule", "db", "providers", "pins")


class LazyGroup(click.Group):
    """A group of the commands in `COMMANDS`."""

    context_class = examples.Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return everywhere.after(command)

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
    params=everywhere.before(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="First steps: mdload backfill bars.parquet --provider NAME",
)
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
    """Load OHLCV bars into PostgreSQL and TimescaleDB, exactly, and keep a record of every load.

    The options below are taken after a command too.
    """
    from loader.cli import open_files
    from loader.cli.context import Context

    ctx.obj = Context(
        database=database,
        config_file=config_file,
        verbosity=-1 if quiet else verbose,
        log_format=log_format,
    )
    ctx.obj.configure_log()
    open_files.insist()
    if ctx.invoked_subcommand not in LIGHT:
        surroundings.insist_on_memory()


def main() -> NoReturn:
    """Runs the command line and ends the process."""
    streams.settle()
    interrupts.watch()
    interrupts.heed()
    try:
        code = root.main(prog_name="mdload", standalone_mode=False)
    except SystemExit as exc:
        code = exc.code
    except BaseException as exc:  # Polars' panics are no Exception
        code = _report(exc)
    interrupts.leave(code if isinstance(code, int) else 0)


def _report(exc: BaseException) -> int:
    """Prints what ended the command, and returns the exit code."""
    from loader.listen import log
    from loader.text import visible

    if interrupts.heard() and not isinstance(exc, MdloadError):
        exc = KeyboardInterrupt()  # it surfaces as another error out of an import, or a library
    match exc:
        case ReaderGone():  # as a program that does not know better: ended by SIGPIPE
            return exc.exit_code
        case MdloadError():
            log.error(str(exc), exc.hint)
            return exc.exit_code
        case click.ClickException():
            if log.speaks_json():
                log.error(exc.format_message(), "see mdload --help, mdload COMMAND --help")
            else:
                click.echo(visible(_shown(exc)), file=sys.stderr)
            return exc.exit_code
        case click.Abort() | KeyboardInterrupt():  # click makes Abort of Ctrl-C
            log.error("interrupted")
            return 130
    if (known := surroundings.known(exc)) is not None:
        log.error(str(known), known.hint)
        return known.exit_code
    verbose = any(re.fullmatch("-v+|--verbose", argument) for argument in sys.argv)
    log.error(
        f"mdload failed: {type(exc).__name__}: {exc}",
        "this is a fault of mdload; " + ("please report it with what is above" if verbose
                                         else "mdload -v COMMAND … shows where"),
        cause=exc if verbose else None,
    )  # fmt: skip
    return MdloadError.exit_code


def _shown(exc: click.ClickException) -> str:
    """What click itself would print of `exc`."""
    text = StringIO()
    exc.show(text)
    return text.getvalue().rstrip("\n")
