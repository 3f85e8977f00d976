"""`mdload backfill`: files into the store."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from loader.cli.context import Context
from loader.cli.options import PATH, GroupedHelp, blamed, json_option, load_options, settings_of
from loader.cli.series_options import bounds
from loader.cli.when import When
from loader.errors import Cancelled, MdloadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.ingest.ways.processes.process import Process
    from loader.results import LoadResult
    from loader.results.events import Listener


def _symbols(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """The symbols in `A,B`, in upper case."""
    found = [word.strip().upper() for text in value for word in text.split(",")]
    if not all(found):
        raise click.BadParameter("a symbol is not empty")
    return tuple(dict.fromkeys(found))


@click.command(
    cls=GroupedHelp,
    epilog="Example: mdload backfill 'dumps/2024/*.parquet' --provider polygon --interval 1m",
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", type=PATH)
@load_options
@click.option(
    "--since",
    metavar="WHEN",
    type=When(),
    help="Load only bars from here on (inclusive): 2024-03-01, 2024-03-01T14:30Z, 7d.",
)
@click.option(
    "--until",
    metavar="WHEN",
    type=When(),
    help="Load only bars up to here (inclusive); a date includes its whole day.",
)
@click.option("--symbols", metavar="S[,S]", multiple=True, callback=_symbols,
              help="Load only bars of these symbols, as they are stored; can be "
                   "repeated.")  # fmt: skip
@click.option("--plan", "plan", metavar="FILE", type=click.Path(dir_okay=False),
              help="Write nothing to the store, but the bars that would be written to this "
                   ".parquet file, for mdload apply.")  # fmt: skip
@json_option
@click.pass_obj
def backfill(
    ctx: Context,
    /,
    sources: tuple[str, ...],
    as_json: bool,
    since: date | None,
    until: date | None,
    symbols: tuple[str, ...],
    plan: str | None,
    **given: Any,
) -> int:
    """Load bars from files: paths, globs, folders, URLs (s3, gs, az, https), or - for standard
    input.

    A rerun writes only what differs. Every row is counted once; rows that break a rule are kept in
    bars_rejected. mdload job-runs shows the runs.
    """
    gc.disable()  # what is imported stays, and is walked over and over by a collector that looks
    from dataclasses import replace

    from loader.cli import interrupts, planning
    from loader.cli.store import ask_ahead
    from loader.read import memory

    memory.arrange()
    running = _processes(given, sources) if plan is None else []
    if url := ask_ahead(ctx):  # while Polars and the rest are imported
        for process in running:
            process.expect(url)
    from loader.cli.course import Course
    from loader.cli.store import store
    from loader.cli.views.load import print_load, summary
    from loader.db.conninfo import described
    from loader.ingest import known_at
    from loader.ingest.pipeline import own_of
    from loader.ingest.ways.chosen import check, load
    from loader.listen.progress import listeners
    from loader.read.sources import find
    from loader.settings import Part

    gc.freeze()
    gc.enable()
    interrupts.heed()
    memory.settle()
    settings = settings_of(ctx, given)  # before a server is started for it
    settings = replace(settings, part=Part(*bounds(since, until), symbols))
    known_at.check(settings)
    check(settings, plan=plan is not None, typed=True)
    if plan is not None:
        planning.check_plan(plan, settings)
        settings = replace(settings, dry_run=True)
    where, course = None, Course(dry_run=settings.dry_run)
    try:
        with (
            blamed(ctx),
            _metrics({**given, "dry_run": settings.dry_run}) as measuring,
            find(sources) as found,
            store(ctx, make=True, workers=settings.workers) as url,
            listeners(ctx.verbosity, ctx.log_format) as told,
        ):
            where = described(url)
            course.expect(own_of(settings, found))
            listening: list[Listener] = [*told, *measuring, course]
            if plan is not None:
                result = planning.make_plan(settings, url, found, listening, plan)
            else:
                result = load(settings, url, found, listening, running=running)
    except BaseException as error:
        if isinstance(error, MdloadError) or not interrupts.heard():
            raise
        if course.result is None:
            return _interrupted(course.interrupted(), as_json=as_json)
        result = course.result
    with interrupts.kept(result.exit_code, summary(result)):
        print_load(result, as_json=as_json, plan=plan, where=where)
    return result.exit_code


def _processes(given: dict[str, Any], sources: Sequence[str]) -> list[Process]:
    """Processes for many small files, which import what they need while the command does."""
    if given["workers"] < 2:
        return []
    from loader.ingest.ways.processes import ahead

    started = ahead.start(given.__getitem__, sources)
    for process in started:
        click.get_current_context().call_on_close(process.close)
    return started


def _interrupted(result: LoadResult, *, as_json: bool) -> int:
    from loader.cli import interrupts
    from loader.cli.course import words
    from loader.cli.views.table import print_json
    from loader.listen import log
    from loader.results import as_object

    what, hint = words(result)
    with interrupts.kept(Cancelled.exit_code, what):
        if as_json:
            print_json(as_object(result))
    log.error(what, hint)
    return Cancelled.exit_code


def _metrics(given: dict[str, Any]) -> AbstractContextManager[list[Listener]]:
    """The listeners that export the run's metrics, if asked for; a dry run has none."""
    textfile, gateway = given["metrics_textfile"], given["push_gateway"]
    if given["dry_run"] or not (textfile or gateway):
        return nullcontext([])
    from loader.listen.metrics import exporting

    return exporting(given["job_name"], given["provider"], textfile=textfile, gateway=gateway)
