"""`mdload export`: bars back out."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from loader.cli.context import Context
from loader.cli.options import json_option
from loader.cli.series_options import bounds, past_options, series_options, whichever

if TYPE_CHECKING:
    from loader.store.export import Exported


@click.command(
    epilog="Example: mdload export --symbol SPY --interval 1m --since 2024-01-01 --to spy.parquet"
)
@series_options
@past_options
@click.option("--to", "path", metavar="FILE", required=True,
              type=click.Path(dir_okay=False, allow_dash=True),
              help="Write to this .parquet or .csv file; - is CSV on standard output.")  # fmt: skip
@click.option("--columns", metavar="NAME,…",
              help="Only these columns, in this order: symbol,ts,close; else all.")  # fmt: skip
@json_option
@click.pass_obj
def export(
    ctx: Context,
    /,
    provider: str | None,
    symbols: tuple[str, ...],
    interval: str | None,
    since: date | None,
    until: date | None,
    as_of: datetime | None,
    pin: str | None,
    path: str,
    columns: str | None,
    as_json: bool,
) -> None:
    """Write stored bars to a file, sorted by provider, symbol, interval and ts.

    The file is a consistent snapshot with exact values; loading it again changes nothing. It
    appears only when it is complete, and replaces a file of the same name.
    """
    import time

    from loader.cli import interrupts
    from loader.cli.store import store
    from loader.store.export import export
    from loader.store.export.files import kind_of, writing
    from loader.store.series import SeriesFilter
    from loader.store.versions import past

    if path == "-" and as_json:
        raise click.UsageError("--json and --to - would both write to standard output")
    whichever(as_of, pin)
    interrupts.heed()
    chosen = _columns(columns)
    asked = SeriesFilter(provider, symbols, interval, *bounds(since, until))
    kind_of(path)  # before a server is started for it
    began = time.perf_counter()
    with store(ctx) as url, writing(path, chosen) as write:
        exported = export(url, asked, chosen, write, past.asked(url, as_of, pin))
    _tell(exported, path, chosen, int((time.perf_counter() - began) * 1000), as_json)


def _columns(text: str | None) -> tuple[str, ...]:
    from loader import bars

    if text is None:
        return bars.COLUMNS
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in bars.COLUMNS]
    if unknown or not names or len(set(names)) < len(names):
        what = f"{unknown[0]!r} is none of" if unknown else "name each once, out of"
        raise click.BadParameter(f"{what} {', '.join(bars.COLUMNS)}", param_hint="'--columns'")
    return names


def _tell(
    exported: Exported, path: str, columns: tuple[str, ...], elapsed_ms: int, as_json: bool
) -> None:
    """What was written: on stdout as JSON, else on stderr, for stdout may have the bars."""
    import os

    from loader.cli.views.table import print_json
    from loader.listen import log
    from loader.text import bytes_, counted, duration, span

    size = os.path.getsize(path) if os.path.isfile(path) else None
    if as_json:
        found = {
            "path": path, "rows": exported.rows, "series": exported.series, "columns": columns,
            "min_ts": exported.min_ts, "max_ts": exported.max_ts, "bytes": size,
            "elapsed_ms": elapsed_ms,
        }  # fmt: skip
        print_json(found)
        return
    if not exported.rows:
        log.note(f"{path}: no bars in that time; only the names of the columns were written")
        return
    rate = exported.rows / max(elapsed_ms, 1) * 1000
    facts = [
        f"{counted(exported.rows, 'bar')} of {exported.series:,} series",
        span(exported.min_ts, exported.max_ts),
        *([bytes_(size)] if size is not None else []),
        f"{duration(elapsed_ms)} ({rate:,.0f} rows/s)",
    ]
    log.note(f"{path}: {', '.join(facts)}")
