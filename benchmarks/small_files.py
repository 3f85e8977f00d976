"""Many small files: `mdload backfill` beside COPY and a commit for each file by hand.

    python -m benchmarks.small_files [--files 1000] [--rows 390] [--rounds 3] [--workers 1] [--csv]

Each case is one process for all files, on a server of this run's own, in turns; medians. `fresh`
loads into an empty table, `recognised` runs the same command again, and `compared` once more with
--force. By hand: `polars.read_parquet` (or `read_csv`), ADBC's COPY and a commit for each file,
without a look at anything.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psycopg

from benchmarks.made_bars import Stretch, Universe
from benchmarks.processors import spent
from benchmarks.server import Server, running

_BY_HAND = """
import sys
import polars as pl
from adbc_driver_postgresql import dbapi
with dbapi.connect(sys.argv[1]) as connection, connection.cursor() as cursor:
    for path in sys.argv[2:]:
        read = pl.read_parquet if path.endswith(".parquet") else pl.read_csv
        bars = read(path)
        if bars.schema["ts"] == pl.String:
            bars = bars.with_columns(pl.col("ts").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z"))
        bars = bars.to_arrow(compat_level=pl.CompatLevel.oldest())
        cursor.adbc_ingest("bars_ohlcv", bars, mode="append")
        connection.commit()
"""


@dataclass(frozen=True)
class Took:
    """Seconds of one process: by the clock, of its processors, and of the server's."""

    wall: float
    client: float
    server: float


def made(folder: Path, files: int, rows: int, *, csv: bool = False) -> list[str]:
    """Writes a Parquet or CSV file of `rows` bars for each of `files` symbols; returns their
    paths."""
    universe = Universe(files * rows, files)
    whole = pl.concat(list(Stretch(universe, 0, rows).frames()))
    paths = []
    for number, bars in enumerate(whole.iter_slices(rows)):
        paths.append(folder / f"{bars['symbol'][0]}-{number}.{'csv' if csv else 'parquet'}")
        if csv:
            bars.write_csv(paths[-1])
        else:
            bars.write_parquet(paths[-1])
    return [str(path) for path in paths]


def timed(server: Server, command: Sequence[str]) -> Took:
    """Runs `command`.

    Raises:
        CalledProcessError: it failed.
    """
    before, began, own = spent(server.pid), time.perf_counter(), os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds, after, done = time.perf_counter() - began, spent(server.pid), os.times()
    used = done.children_user + done.children_system - own.children_user - own.children_system
    return Took(seconds, used, after.server - before.server if before and after else 0.0)


def one_round(
    server: Server, paths: list[str], rows: int, workers: int
) -> Iterator[tuple[str, Took]]:
    """The cases in turn, each with what it took; the table is counted after each.

    Raises:
        SystemExit: bars are missing, or there are too many.
    """
    url = server.make("by_hand")
    yield "by hand, fresh", timed(server, [sys.executable, "-c", _BY_HAND, url, *paths])
    _check(url, len(paths) * rows)
    url = server.make("small_files")
    load = [sys.executable, "-m", "loader", "--database", url, "backfill", *paths, "--json",
            "--workers", str(workers)]  # fmt: skip
    for case, options in (("fresh", ()), ("recognised", ()), ("compared", ("--force",))):
        yield case, timed(server, [*load, *options])
        _check(url, len(paths) * rows)


def _check(url: str, rows: int) -> None:
    with psycopg.connect(url) as connection:
        (found,) = connection.execute("SELECT count(*) FROM bars_ohlcv").fetchone() or (None,)
    if found != rows:
        raise SystemExit(f"WRONG: {found:,} rows and {rows:,} expected")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=390)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--csv", action="store_true")
    asked = parser.parse_args()
    found: dict[str, list[Took]] = {}
    with tempfile.TemporaryDirectory() as folder, running() as server:
        paths = made(Path(folder), asked.files, asked.rows, csv=asked.csv)
        for _ in range(asked.rounds):
            for case, took in one_round(server, paths, asked.rows, asked.workers):
                found.setdefault(case, []).append(took)
    print("| case | ms a file | client CPU | server CPU |\n|---|--:|--:|--:|")
    for case, each in found.items():
        cells = [
            f"{statistics.median(getattr(took, of) for took in each) * 1e3 / asked.files:.2f}"
            for of in ("wall", "client", "server")
        ]
        print(f"| {case} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
