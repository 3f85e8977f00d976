"""Bars back out: `mdload export` and `StoreClient.read_bars` against a bare COPY of the same rows
that discards its result, and against `polars.read_database_uri` over ADBC.

    python -m benchmarks.export [--rows 2000000] [--rounds 7]

Rounds are interleaved on one temporary server and in one process, so that load on the machine
affects both and start-up does not count. Prints the medians of the rounds and of the ratios within
a round.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psycopg

from benchmarks import data_files
from benchmarks.cases import base
from benchmarks.made_bars import Universe
from benchmarks.processors import spent
from benchmarks.server import Server, running
from loader import bars
from loader.client import StoreClient
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.settings import Settings
from loader.store.export import export
from loader.store.export.files import writing
from loader.store.series import SeriesFilter

_COPY = f"""
    COPY (SELECT {", ".join(f'"{name}"' for name in bars.COLUMNS)} FROM bars_ohlcv)
    TO STDOUT (FORMAT binary)
"""


@dataclass(frozen=True)
class Took:
    """Seconds of wall time, and of processor time of this process and the server."""

    clock: float
    own: float
    server: float

    @property
    def processor(self) -> float:
        return self.own + self.server


def copied(url: str) -> None:
    """The floor: the server sends every row, and the client discards it."""
    with (
        psycopg.connect(url) as connection,
        connection.cursor() as cursor,
        cursor.copy(_COPY.encode()) as copy,
    ):
        while copy.read():
            pass


def exported(path: Path) -> Callable[[str], None]:
    def run(url: str) -> None:
        with writing(str(path), bars.COLUMNS) as write:
            export(url, SeriesFilter(), bars.COLUMNS, write)

    return run


def read(url: str) -> None:
    with StoreClient(url, metrics=None) as client:
        client.read_bars()


def read_by_polars(url: str) -> None:
    names = ", ".join(f'"{name}"' for name in bars.COLUMNS)
    query = f"SELECT {names} FROM bars_ohlcv ORDER BY provider, symbol, interval, ts"
    pl.read_database_uri(query, url, engine="adbc")


def measured(server: Server, url: str, run: Callable[[str], None]) -> Took:
    def now() -> tuple[float, float, float]:
        used = spent(server.pid)
        return time.perf_counter(), time.process_time(), used.server if used else 0.0

    began = now()
    run(url)
    return Took(*(b - a for a, b in zip(began, now(), strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mdload-")))
        server = stack.enter_context(running())
        url = server.make("exported")
        with find([str(data_files.made(base(Universe(asked.rows)), "parquet", place))]) as sources:
            load(Settings(), url, sources)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE bars_ohlcv")
        ways = {
            "COPY": copied,
            "Parquet": exported(place / "bars.parquet"),
            "CSV": exported(place / "bars.csv"),
            "read_bars": read,
            "Polars": read_by_polars,
        }
        rounds = [
            {name: measured(server, url, run) for name, run in ways.items()}
            for _ in range(asked.rounds + 1)
        ][1:]  # the first round warms up
    print(f"{asked.rows:,} rows, {asked.rounds} rounds, medians")
    for name in ways:
        took = [r[name] for r in rounds]
        clock, own, there = (
            statistics.median(getattr(t, what) for t in took) for what in ("clock", "own", "server")
        )
        speed = statistics.median(r["COPY"].clock / r[name].clock for r in rounds)
        effort = statistics.median(r["COPY"].processor / r[name].processor for r in rounds)
        print(f"  {name:9} {clock:6.2f} s ({asked.rows / clock:>9,.0f} rows/s), processor: "
              f"own {own:5.2f} s, server {there:5.2f} s; speed of COPY x{speed:.2f}, "
              f"processor x{effort:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
