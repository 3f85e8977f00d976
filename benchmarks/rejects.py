"""What a million rejected rows cost beside as many bars, and their way back.

    python -m benchmarks.rejects [--rows 1000000] [--rounds 3]

On a server of this run's own, in turns, in one process; medians of the rounds. On a busy machine
the processor time of client and server says more than the wall's. The measure is a load into a
store that has as many bars already: the first load of all makes the key at once, and is cheaper.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import polars as pl
import psycopg

from benchmarks import data_files
from benchmarks.cases import base
from benchmarks.made_bars import Universe
from benchmarks.processors import busy
from benchmarks.server import running
from loader.db.arrow import connect
from loader.ingest.pipeline import load
from loader.ingest.ways.replay import rejected
from loader.read.sources import find
from loader.settings import RejectLimit, Settings
from loader.store.quarantine import export
from loader.store.quarantine.found import RejectFilter, by_rule

#: Removes everything that loads have written.
EMPTIED = (
    "TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_loads, bars_rejected, job_run_files, job_runs,"
    " provider_symbols"
)
_MEASURE = "as bars"
_SETTINGS = Settings(force=True, max_rejects=RejectLimit(share=1.0))


def loaded(url: str, path: Path) -> None:
    with find([str(path)]) as sources:
        result = load(_SETTINGS, url, sources)
    assert result.exit_code == 0, [file.error for file in result.files]


def listed(url: str) -> None:
    with connect(url, autocommit=True) as connection:
        assert by_rule(connection, RejectFilter()).height


def exported(url: str, path: Path) -> None:
    with connect(url, autocommit=True) as connection:
        assert export.write(connection, RejectFilter(), str(path), own_columns=False)


def replayed(url: str, rows: int) -> None:
    """The columns are put right: all rows get in."""
    fix = {"columns": {"high": "low", "low": "high"}}
    with (
        connect(url, autocommit=True) as connection,
        rejected(connection, RejectFilter(states=("waiting",)), fix) as again,
    ):
        result = load(replace(_SETTINGS, job_name="replay"), url, again.sources, replay=again)
    assert result.counts.inserted == rows, result
    assert again.marked == rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mdload-")))
        server = stack.enter_context(running())
        good = data_files.made(base(Universe(asked.rows)), "parquet", place)
        more, bad = place / "more.parquet", place / "bad.parquet"
        bars = pl.read_parquet(good)
        rows = bars.height
        bars.with_columns(symbol=pl.col("symbol") + "M").write_parquet(more)
        # High and low are the other way round, and never equal.
        bars.with_columns(
            symbol=pl.col("symbol") + "R", high=pl.col("low") - 0.01, low=pl.col("high") + 0.01
        ).write_parquet(bad)
        url = server.make("rejects")
        found: dict[str, list[tuple[float, float]]] = {}
        for _ in range(asked.rounds):
            steps: tuple[tuple[str, Callable[[], object]], ...] = (
                ("first load of bars", lambda: loaded(url, good)),
                (_MEASURE, lambda: loaded(url, more)),
                ("as rejects", lambda: loaded(url, bad)),
                ("list", lambda: listed(url)),
                ("export to Parquet", lambda: exported(url, place / "rejects.parquet")),
                ("replay", lambda: replayed(url, rows)),
            )
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(EMPTIED)
            for name, step in steps:
                found.setdefault(name, []).append(busy(step, server.pid))
        plain = found[_MEASURE]
        for name, seconds in found.items():
            wall, processors = (statistics.median(one[at] for one in seconds) for at in (0, 1))
            ratios = [
                statistics.median(a[at] / b[at] for a, b in zip(seconds, plain, strict=True))
                for at in (0, 1)
            ]
            print(f"  {name}: {wall:.2f} s, x{ratios[0]:.2f} of loading as bars; "
                  f"processors {processors:.2f} s, x{ratios[1]:.2f}")  # fmt: skip
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"  {rows:,} rows; peak memory of it all {peak} MB")


if __name__ == "__main__":
    main()
