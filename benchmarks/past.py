"""The past and the way back: reads as of an instant beside plain reads, rollbacks beside loads.

    python -m benchmarks.past [--rows 2000000] [--rounds 5]

On a server of this run's own, in turns, in one process; medians of the rounds. On a busy machine
the processor time of client and server says more than the wall's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import psycopg

from benchmarks import data_files
from benchmarks.cases import base
from benchmarks.made_bars import Universe
from benchmarks.processors import busy
from benchmarks.server import running
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.settings import Settings
from loader.store.runs import JobRunTracker
from loader.store.versions import undo
from loader.store.versions.selection import Since

#: Bars of a series that reads of one series read, and that an update changes.
_SERIES = 4_000
_RESTATED = 20_000
_VALUES = "sum(open), sum(high), sum(low), sum(close), sum(volume), count(vwap), sum(trade_count)"


def took(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def loaded(url: str, path: Path) -> int:
    """The run that loaded the file."""
    with find([str(path)]) as sources:
        result = load(Settings(force=True), url, sources)
    assert result.exit_code == 0, [file.error for file in result.files]
    assert result.run_id is not None
    return result.run_id


def undone(url: str, run_id: int) -> undo.Undone:
    with JobRunTracker(url) as tracker, tracker.run("rollback", mode="backfill") as run:
        return undo.rollback(url, Since(run_id=run_id), run.id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mdload-")))
        server = stack.enter_context(running())
        path = data_files.made(base(Universe(asked.rows)), "parquet", place)
        restated = place / "restated.parquet"
        bars = pl.read_parquet(path)
        step = bars.height // _RESTATED
        bars.gather_every(step).with_columns(volume=pl.col("volume") + 1).write_parquet(restated)
        reads(server.make("past"), path, restated, asked.rounds)
        ways_back(server.make("back"), server.pid, path, restated, asked.rounds)


def reads(url: str, path: Path, restated: Path, rounds: int) -> None:
    loaded(url, path)
    loaded(url, restated)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (
            "INSERT INTO bars_pins (name, known_at, load_id) SELECT 'first', known_at, id"
            " FROM bars_loads ORDER BY id LIMIT 1",
            "VACUUM ANALYZE bars_ohlcv", "VACUUM ANALYZE bars_ohlcv_revisions",
            "ANALYZE bars_loads",
        ):  # fmt: skip
            connection.execute(statement)
        symbol, interval, first, last = connection.execute(
            "SELECT symbol, interval, min(ts), max(ts) FROM (SELECT * FROM bars_ohlcv WHERE"
            " (provider, symbol, interval) = (SELECT provider, symbol, interval FROM bars_ohlcv"
            f" LIMIT 1) ORDER BY ts LIMIT {_SERIES}) AS one GROUP BY symbol, interval"
        ).fetchone() or ("", "", None, None)
        one = "WHERE symbol = %s AND interval = %s AND ts BETWEEN %s AND %s AND provider = %s"
        (provider,) = connection.execute("SELECT min(provider) FROM bars_ohlcv").fetchone() or ("",)
        ways = {"plain": "bars_ohlcv", "as of now": "bars_ohlcv_as_of(now())",
                "at a pin before": "bars_ohlcv_at('first')"}  # fmt: skip
        for name, where, params in (
            (f"one series, {_SERIES:,} bars", one, (symbol, interval, first, last, provider)),
            ("all bars", "", None),
        ):
            found: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(rounds + 1):
                for way, table in ways.items():
                    sql = f"SELECT {_VALUES} FROM {table} {where}".encode()
                    found[way].append(took(lambda s=sql, p=params: connection.execute(s, p)))
            plain = statistics.median(found["plain"][1:])
            for way, seconds in found.items():
                ratio = statistics.median(
                    a / b for a, b in zip(seconds[1:], found["plain"][1:], strict=True)
                )
                median = statistics.median(seconds[1:])
                print(f"  {name}, {way}: {median * 1000:,.1f} ms, x{ratio:.2f} of plain")
            assert plain


def ways_back(url: str, postmaster: int, path: Path, restated: Path, rounds: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {}

    def step(name: str, run: Callable[[], object]) -> None:
        found.setdefault(name, []).append(busy(run, postmaster))

    runs: list[int] = []
    for _ in range(rounds):
        runs.clear()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_loads")
            step("first load", lambda: runs.append(loaded(url, path)))
            connection.execute("ANALYZE bars_ohlcv")
            runs.append(loaded(url, restated))
            step(f"rollback of {_RESTATED:,} updates", lambda: undone(url, runs[1]))
            step("rollback of the first load", lambda: undone(url, runs[0]))
            assert connection.execute("SELECT FROM bars_ohlcv LIMIT 1").fetchone() is None
    for name, seconds in found.items():
        wall, processors = (statistics.median(one[at] for one in seconds) for at in (0, 1))
        ratios = [
            statistics.median(
                a[at] / b[at] for a, b in zip(seconds, found["first load"], strict=True)
            )
            for at in (0, 1)
        ]
        print(f"  {name}: {wall:.2f} s, x{ratios[0]:.2f} of the first load; "
              f"processors {processors:.2f} s, x{ratios[1]:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
