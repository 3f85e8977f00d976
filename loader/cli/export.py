"""`mdload export`: bars back out."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from loader.cli.context import Context
from loader.cli.numbers import ROW_ID
from loader.cli.options import json_option
from loader.cli.series_options import bounds, past_options, series_options, whichever
from loader.lazy import dataclass

if TYPE_CHECKING:
    from loader.store.export import Exported


@click.command(
    epilog="Example: mdload export --symbol SPY --interval 1m --since 2024-01-01 --to spy.parquet"
)
@series_options
@past_options
@click.option("--to", "path", metavar="FILE", required=True,
              type=click.Path(allow_dash=True),
              help="Write to this .parquet or .csv file; - is CSV on standard output.")  # fmt: skip
@click.option(
    "--run",
    "run_id",
    metavar="N",
    type=ROW_ID,
    help="Write the bars that this run inserted or changed, as it left them.",
)
@click.option("--partition-by", metavar="KEY,…",
              help="Make --to a folder with a Parquet file for each symbol, date, …: keys are "
                   "provider, symbol, interval, year, month, date.")  # fmt: skip
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
    run_id: int | None,
    partition_by: str | None,
    columns: str | None,
    as_json: bool,
) -> None:
    """Write stored bars to a file, sorted by provider, symbol, interval and ts.

    The file is a consistent snapshot with exact values; loading it again changes nothing. It
    appears only when it is complete, and replaces a file of the same name.
    """
    import time

    from loader import bars
    from loader.cli import interrupts
    from loader.cli.store import store
    from loader.store.export import export, totals
    from loader.store.export.files import kind_of, writing
    from loader.store.export.folders import check, writing_folders
    from loader.store.series import SeriesFilter
    from loader.store.versions import past
    from loader.store.versions.written import written_by

    if path == "-" and as_json:
        raise click.UsageError("--json and --to - would both write to standard output")
    whichever(as_of, pin)
    if run_id is not None and (as_of or pin):
        raise click.UsageError("--run names bars of its own time; leave out --as-of and --pin")
    interrupts.heed()
    chosen, keys = _columns(columns), _keys(partition_by)
    asked = SeriesFilter(provider, symbols, interval, *bounds(since, until))
    (check if keys else kind_of)(path)  # before a server is started for it
    began = time.perf_counter()
    with ExitStack() as stack:
        url = stack.enter_context(store(ctx))
        files, found = None, None
        if keys:
            write, files = stack.enter_context(writing_folders(path, chosen, keys))
        else:
            write = stack.enter_context(writing(path, chosen))
        taken = bars.COLUMNS if keys else chosen
        if run_id is None:
            exported = export(url, asked, taken, write, past.asked(url, as_of, pin))
        else:
            written, frames = stack.enter_context(written_by(url, run_id, asked))
            exported = totals(frames, taken, write)
            found = _Run(run_id, written, asked == SeriesFilter())
    elapsed_ms = int((time.perf_counter() - began) * 1000)
    _tell(exported, path, chosen, elapsed_ms, as_json, files() if files else None, found)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that wrote so many bars by its record; `is_all` if no others were asked for."""

    id: int
    written: int
    is_all: bool


def _keys(text: str | None) -> tuple[str, ...]:
    from loader.store.export.folders import KEYS

    names = tuple(name.strip() for name in text.split(",")) if text is not None else ()
    if any(name not in KEYS for name in names) or len(set(names)) < len(names):
        raise click.BadParameter(f"name each once, out of {', '.join(KEYS)}",
                                 param_hint="'--partition-by'")  # fmt: skip
    return names


def _columns(text: str | None) -> tuple[str, ...]:
    from loader import bars

    if text is None:
        return bars.COLUMNS
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in bars.COLUMNS]
    if unknown or not names or len(set(names)) < len(names):
        what = f"{unknown[0]!r} is not one of" if unknown else "name each once, out of"
        raise click.BadParameter(f"{what} {', '.join(bars.COLUMNS)}", param_hint="'--columns'")
    return names


def _tell(
    exported: Exported,
    path: str,
    columns: tuple[str, ...],
    elapsed_ms: int,
    as_json: bool,
    files: int | None,
    run: _Run | None,
) -> None:
    """What was written: on stdout as JSON, else on stderr, for stdout may have the bars."""
    import os
    from pathlib import Path

    from loader.cli.views.table import print_json
    from loader.listen import log
    from loader.text import bytes_, counted, duration, span

    size = os.path.getsize(path) if os.path.isfile(path) else None
    if files is not None:
        size = sum(file.stat().st_size for file in Path(path).rglob("*.parquet"))
    if as_json:
        found = {
            "path": path, "rows": exported.rows, "series": exported.series, "columns": columns,
            "min_ts": exported.min_ts, "max_ts": exported.max_ts, "bytes": size,
            "elapsed_ms": elapsed_ms, **({"files": files} if files is not None else {}),
        }  # fmt: skip
        print_json(found)
        return
    if run is not None and run.is_all and exported.rows < run.written:
        log.note(
            f"run {run.id} wrote {counted(run.written, 'bar')}; those that it changed again or "
            "deleted itself, and those without history (mdload prune), are not in the export"
        )
    if not exported.rows and (run is not None or files is not None):
        log.note(f"{path}: no bars" + (f" of run {run.id}" if run is not None else ""))
        return
    if not exported.rows:
        log.note(f"{path}: no bars in that time; only the names of the columns were written")
        return
    rate = exported.rows / max(elapsed_ms, 1) * 1000
    facts = [
        f"{counted(exported.rows, 'bar')} of {exported.series:,} series",
        span(exported.min_ts, exported.max_ts),
        *([counted(files, "file")] if files is not None else []),
        *([bytes_(size)] if size is not None else []),
        f"{duration(elapsed_ms)} ({rate:,.0f} rows/s)",
    ]
    log.note(f"{path}: {', '.join(facts)}")
