"""`mdload backfill`: files into the store."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from loader.cli.context import Context
from loader.cli.options import PATH, json_option, meaning, meaning_options, metrics_options
from loader.cli.when import Moment

if TYPE_CHECKING:
    from loader.events import Listener


@click.command(
    epilog="Example: mdload backfill 'dumps/2024/*.parquet' --provider polygon --interval 1m"
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", type=PATH)
@meaning_options
@click.option("--job-name", metavar="N", default="backfill", show_default=True,
              help="The name under which the run is recorded.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Count exactly what would happen; write nothing.")
@click.option("--max-rejects", metavar="N|P%", default="1%", show_default=True,
              help="Refuse a file with more rejected rows than that.")  # fmt: skip
@click.option("--workers", metavar="N", type=click.IntRange(1, 64), default=1, show_default=True,
              envvar="MDLOAD_WORKERS", help="Files to load at a time.")  # fmt: skip
@click.option("--commit-every", metavar="ROWS", type=click.IntRange(1),
              help="Commit a huge file in parts; a rerun goes on after the last one.")  # fmt: skip
@click.option("--recompress", is_flag=True,
              help="Compress the TimescaleDB chunks again that the load has written into; with "
                   "--commit-every, take a file in order of time and compress behind.")  # fmt: skip
@click.option("--known-at", metavar="TIME", type=Moment(),
              help="When the bars were known, for archived files: 2021-03-05.")  # fmt: skip
@click.option("--known-at-from", metavar="WHERE",
              help="Where each file says that: 'name:%Y%m%d', 'name:REGEX', or mtime.")  # fmt: skip
@click.option("--force", is_flag=True, help="Load files again that are loaded already.")
@metrics_options
@json_option
@click.pass_obj
def backfill(ctx: Context, /, sources: tuple[str, ...], as_json: bool, **given: Any) -> int:
    """Load bars from files: paths, globs, folders, URLs (s3, gs, az, https), or - for standard
    input.

    Run it again and only what differs is written. Every row is accounted for, rows that break a
    rule are kept in bars_rejected, and the run is recorded: see mdload job-runs.
    """
    gc.disable()  # what is imported stays, and is walked over and over by a collector that looks
    from loader.check.file import check_settings
    from loader.cli import interrupts, memory
    from loader.cli.store import store
    from loader.cli.views.load import print_load
    from loader.listen.progress import listeners
    from loader.load import known_at
    from loader.load.pipeline import load
    from loader.read.sources import find
    from loader.settings import RejectLimit, Settings

    gc.freeze()
    gc.enable()
    interrupts.heed()
    memory.settle()
    settings = Settings(
        **meaning(given),
        own_dialects=ctx.dialects,
        job_name=given["job_name"],
        dry_run=given["dry_run"],
        max_rejects=RejectLimit.parse(given["max_rejects"]),
        workers=given["workers"],
        commit_every=given["commit_every"],
        recompress=given["recompress"],
        force=given["force"],
        known_at=given["known_at"],
        known_at_from=given["known_at_from"],
    )
    known_at.check(settings)
    check_settings(settings)  # before a server is started for it
    with (
        _metrics(given) as measuring,
        find(sources) as found,
        store(ctx) as url,
        listeners(ctx.verbosity, ctx.log_format) as told,
    ):
        result = load(settings, url, found, [*told, *measuring])
    print_load(result, as_json=as_json)
    return result.exit_code


def _metrics(given: dict[str, Any]) -> AbstractContextManager[list[Listener]]:
    """The listeners that measure the run, where a way out is named; a dry run is no run."""
    textfile, gateway = given["metrics_textfile"], given["push_gateway"]
    if given["dry_run"] or not (textfile or gateway):
        return nullcontext([])
    from loader.listen.metrics import exporting

    return exporting(given["job_name"], given["provider"], textfile=textfile, gateway=gateway)
