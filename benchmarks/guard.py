"""What the guard costs a load, as a share of its processor time.

    python -m benchmarks.guard [--rows 300000] [--rounds 3]

The time of the guard's own functions is that of their thread, and of the one thread that Polars has
meanwhile, also if another thread of the load keeps it busy: at most this. It is set against the
processor time of client and server. A busy machine slows both down alike, where the difference of
two loads drowns: it was 40 % either way when these shares were the same to 0.7 %. Linux only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, wraps
from pathlib import Path
from typing import Any
from unittest import mock

os.environ["POLARS_MAX_THREADS"] = "1"  # read when Polars is imported

import polars as pl
import psycopg

from benchmarks import data_files
from benchmarks.cases import base
from benchmarks.made_bars import Universe
from benchmarks.processors import busy
from benchmarks.rejects import EMPTIED, loaded
from benchmarks.server import running
from loader.bars import PRICES, SERIES
from loader.ingest.guard import Guard
from loader.store.guard.watch import Watch

#: Bars of each series that are restated at its end: enough for the guard to look at each by itself.
_LAST = 40


@cache
def polars_thread() -> Path:
    tasks = Path("/proc/self/task").iterdir()
    return next(task for task in tasks if (task / "comm").read_text() == "polars-0\n")


def spent() -> float:
    """Seconds of processor time of this thread, and of the one of Polars."""
    nanoseconds = (polars_thread() / "schedstat").read_text().split()[0]
    return time.thread_time() + int(nanoseconds) / 1e9


class Clock:
    """Adds up the processor time of the functions it has `wrapped`."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **given: Any) -> Any:
            began = spent()
            try:
                return function(*args, **given)
            finally:
                self.seconds += spent() - began

        return timed


def stored(url: str, path: Path | None) -> None:
    """Nothing but the bars of `path`."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(EMPTIED)
    if path is not None:
        loaded(url, path)


def cases(whole: Path, place: Path) -> dict[str, tuple[Path | None, Path]]:
    """By name, the stored file and the loaded one: it appends the last tenth of the time, restates
    one bar in a hundred, or the last bars of each series: their volumes, or prices by a factor."""
    bars = pl.read_parquet(whole)
    start, restated = place / "start.parquet", place / "restated.parquet"
    end = bars.select(pl.col("ts").quantile(0.9, "nearest")).item()
    bars.filter(pl.col("ts") < end).write_parquet(start)
    hundredth = pl.int_range(pl.len()) % 100 == 50
    bars.with_columns(
        close=pl.when(hundredth).then("high").otherwise("close"),
        volume=pl.when(hundredth).then(pl.col("volume") + 3).otherwise("volume"),
    ).write_parquet(restated)
    last = pl.int_range(pl.len()).over(SERIES) >= pl.len().over(SERIES) - _LAST
    volumes, prices = place / "volumes.parquet", place / "prices.parquet"
    restated_volume = pl.when(last).then(pl.col("volume") + pl.col("volume") % 97 + 3)
    bars.with_columns(restated_volume.otherwise("volume").alias("volume")).write_parquet(volumes)
    divided = [pl.when(last).then(pl.col(p) * 0.9934).otherwise(p).alias(p) for p in PRICES]
    bars.with_columns(divided).write_parquet(prices)
    return {
        "fresh": (None, whole), "append": (start, whole), "replay": (whole, whole),
        "restated": (whole, restated), "restated-last": (whole, volumes),
        "adjusted-last": (whole, prices),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    clock = Clock()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mdload-")))
        server = stack.enter_context(running())
        whole = data_files.made(base(Universe(asked.rows)), "parquet", place)
        url = server.make("guard")
        loaded(url, whole)  # imports the rest before anything is measured
        for room, name in ((Watch, "see"), (Watch, "passed"), (Guard, "judge")):
            timed = clock.wrapped(getattr(room, name))
            stack.enter_context(mock.patch.object(room, name, timed))
        for case, (before, path) in cases(whole, place).items():
            shares = []
            for _ in range(asked.rounds):
                stored(url, before)
                clock.seconds = 0.0
                _, processors = busy(lambda path=path: loaded(url, path), server.pid)
                shares.append(clock.seconds / processors)
            print(
                f"  {case}: {statistics.median(shares):.1%} of {processors:.2f} s of processors "
                f"(from {min(shares):.1%} to {max(shares):.1%})",
                flush=True,
            )


if __name__ == "__main__":
    main()
