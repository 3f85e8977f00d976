"""`mdload verify`: a file against the store, or stored bars against their rollups."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from loader.cli.context import Context
from loader.cli.numbers import LIMIT, Fraction
from loader.cli.options import PATH, GroupedReading, json_option, meaning_options, settings_of
from loader.cli.series_options import bounds
from loader.cli.when import When


@click.command(
    cls=GroupedReading,
    epilog="Example: mdload verify dumps/2024-03.csv --provider polygon --interval 1m",
)
@click.argument("sources", nargs=-1, metavar="[SOURCE]...", type=PATH)
@meaning_options
@click.option("--to", "path", metavar="FILE", type=click.Path(dir_okay=False),
              help="Write all bars that differ to a .csv, .parquet or .jsonl file.")  # fmt: skip
@click.option("--limit", metavar="N", type=LIMIT, default=20, show_default=True,
              help="Show at most N bars that differ; --to has all.")  # fmt: skip
@click.option("--rollup", is_flag=True,
              help="Instead of a file: compare bars with those that TimescaleDB makes from "
                   "shorter ones.")  # fmt: skip
@click.option("--tolerance", type=Fraction(0, 1), default=0.0, show_default=True,
              metavar="SHARE",
              help="With --rollup: ignore relative differences up to this.")  # fmt: skip
@click.option("--since", metavar="WHEN", type=When(), help="With --rollup: start (inclusive).")
@click.option("--until", metavar="WHEN", type=When(), help="With --rollup: end (inclusive).")
@json_option
@click.pass_obj
def verify(
    ctx: Context,
    /,
    sources: tuple[str, ...],
    path: str | None,
    limit: int,
    rollup: bool,
    tolerance: float,
    since: date | None,
    until: date | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Compare a file with the stored bars: equal, missing, different, extra. Nothing is written.

    The file is read as mdload backfill reads it, with the same options. Extra are stored bars that
    the file does not have, within its time of their series. Exit code 6 if any bar is missing,
    different or extra.

    With --rollup, daily bars (or --interval) are compared with the rollup of shorter ones (mdload
    timescale rollup), of the series that are stored both ways.
    """
    from loader.errors import CheckFailed
    from loader.text import counted

    if bool(sources) == rollup:
        raise click.UsageError("name the files to verify, or say --rollup")
    if rollup:
        from loader.cli import rollup_check
        from loader.store.series import SeriesFilter

        symbol = given["symbol"]
        if symbol is not None and not symbol.strip():
            raise click.BadParameter("a symbol is not empty")
        symbols = (symbol.upper(),) if symbol else ()
        asked = SeriesFilter(given["provider"], symbols, None, *bounds(since, until))
        rollup_check.check(ctx, given["interval"], asked, tolerance, as_json=as_json)
        return
    if since or until or tolerance:
        raise click.UsageError("--since, --until and --tolerance are for --rollup")
    differing = _verify(ctx, sources, given, path, limit, as_json=as_json)
    if differing:
        raise CheckFailed(f"{counted(differing, 'bar')} differ")


def _verify(
    ctx: Context,
    sources: tuple[str, ...],
    given: dict[str, Any],
    path: str | None,
    limit: int,
    *,
    as_json: bool,
) -> int:
    from dataclasses import replace

    from loader.cli import interrupts
    from loader.cli.store import store
    from loader.cli.views.checks.verify import show
    from loader.dialects.siblings import Siblings
    from loader.ingest.ways.verify import verify as compare
    from loader.listen import log
    from loader.read.sources import find
    from loader.read.spool import Spool
    from loader.store.export.rows import check_target, write_all
    from loader.store.versions.diff import MEASURED

    if path is not None:
        check_target(path)
    interrupts.heed()
    settings = replace(settings_of(ctx, given), dry_run=True)
    with find(sources) as found, store(ctx) as url, Spool(dict(MEASURED)) as rows:
        siblings = Siblings(source.full_path for source in found)
        verified = [compare(url, source, settings, siblings, rows) for source in found]
        for each in verified:
            for note in each.notes:
                log.note(f"{each.path}: {note.text}")
        show(verified, rows, limit, as_json=as_json)
        if path is not None:
            write_all(path, rows, dict(MEASURED))
    return sum(each.differing for each in verified)
