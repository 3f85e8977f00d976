"""What bars of a tenant cost beside the same bars in bars_ohlcv.

    python -m benchmarks.tenants [--rows 200000] [--rounds 3] [--format csv]

Bars that all change go through the stage in both tables: their ratio is the one to reach 0.6. New
bars take COPY into bars_ohlcv, which PostgreSQL refuses under forced row-level security. On a
server of this run's own, in turns, in one process; medians of the rounds. On a busy machine the
processor time of client and server says more than the wall's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import psycopg

from benchmarks import data_files
from benchmarks.cases import base
from benchmarks.made_bars import Universe
from benchmarks.processors import busy
from benchmarks.server import running
from loader.ingest.ways import chosen
from loader.read.sources import find
from loader.settings import Settings
from loader.store import schema

_EMPTIED = (
    "TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_loads, bars, bars_revisions, tenant_loads,"
    " job_run_files, job_runs, provider_symbols"
)
_PLAIN = Settings(force=True, provider="made", accept=("restated", "price_scale"))
_OF_TENANT = Settings(force=True, provider="made", dataset="bars", tenant="acme")


def load(url: str, path: Path, settings: Settings, *, updated: int, inserted: int) -> None:
    with find([str(path)]) as sources:
        result = chosen.load(settings, url, sources)
    assert result.exit_code == 0, [file.error for file in result.files]
    assert (result.counts.inserted, result.counts.updated) == (inserted, updated), result.counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv")
    asked = parser.parse_args()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mdload-")))
        server = stack.enter_context(running())
        first = data_files.made(base(Universe(asked.rows)), asked.format, place)
        read = pl.read_csv if asked.format == "csv" else pl.read_parquet
        bars = read(first)
        # A bar keeps its shape: its high moves up by a cent.
        second = place / f"second.{asked.format}"
        moved = bars.with_columns((pl.col("high") + 0.01).round(2))
        (moved.write_csv if asked.format == "csv" else moved.write_parquet)(second)
        url, rows = server.make("tenants"), bars.height
        schema.upgrade(url, history=schema.TENANTS)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("INSERT INTO tenants (name) VALUES ('acme')")
        found: dict[str, list[list[tuple[float, float]]]] = {"new": [], "changed": []}
        for _ in range(asked.rounds):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(_EMPTIED)
            for case, path in (("new", first), ("changed", second)):
                counts = {"inserted": rows, "updated": 0}
                if case == "changed":
                    counts = {"inserted": 0, "updated": rows}
                found[case].append([
                    busy(lambda p=path, c=counts, s=settings: load(url, p, s, **c), server.pid)
                    for settings in (_PLAIN, _OF_TENANT)
                ])  # fmt: skip
        print(f"{rows:,} bars, {asked.format}\n")
        print("| bars | bars_ohlcv, s | of a tenant, s | speed | speed by processor time |")
        print("|---|--:|--:|--:|--:|")
        for case, pairs in found.items():
            plain, tenant = (statistics.median(pair[at][0] for pair in pairs) for at in (0, 1))
            speeds = [
                statistics.median(pair[0][at] / pair[1][at] for pair in pairs) for at in (0, 1)
            ]
            print(f"| {case} | {plain:.2f} | {tenant:.2f} | {speeds[0]:.2f} | {speeds[1]:.2f} |")


if __name__ == "__main__":
    main()
