"""Objects in: `StoreClient` beside psycopg written by hand, the same bars in the same batches.

    python -m benchmarks.store                  batches of 100, 1,000 and 10,000
    python -m benchmarks.store --threshold      where COPY begins to pay

Contenders take turns on a server of this run's own, one database each, so that a busy machine is
busy for all; the medians of the rounds are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

import psycopg

from benchmarks.made_bars import Stretch, Universe
from benchmarks.server import Server, running
from loader import bars
from loader.store import StoreClient, transaction


@dataclass(slots=True)
class Candle:
    """A bar as a program has it."""

    provider: str
    symbol: str
    interval: str
    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float
    trade_count: int


Batch = Sequence[Candle]
Write = Callable[[Batch], object]

_NAMES = ", ".join(f'"{name}"' for name in bars.COLUMNS)
_CHANGES = ", ".join(f'"{v}" = EXCLUDED."{v}"' for v in bars.VALUES)
_OLD = ", ".join(f'b."{v}"' for v in bars.VALUES)
_NEW = ", ".join(f'EXCLUDED."{v}"' for v in bars.VALUES)
_UPSERT = f"""
    INSERT INTO bars_ohlcv AS b ({_NAMES}) SELECT {_NAMES} FROM by_hand
    ON CONFLICT (provider, symbol, interval, ts) DO UPDATE SET {_CHANGES}
    WHERE ({_OLD}) IS DISTINCT FROM ({_NEW})
"""
_STAGE = "CREATE TEMPORARY TABLE by_hand (LIKE bars_ohlcv INCLUDING DEFAULTS) ON COMMIT"


@contextmanager
def client(url: str) -> Iterator[Write]:
    """mdload's: rules, counts, revisions, rejects."""
    with StoreClient(url) as store:
        yield lambda batch: store.write_bars(batch, len(batch))


@contextmanager
def by_hand(url: str) -> Iterator[Write]:
    """COPY into a temporary table of each batch, then ON CONFLICT, as it is written mostly."""
    with psycopg.connect(url) as connection:

        def write(batch: Batch) -> None:
            connection.execute(f"{_STAGE} DROP".encode())
            _copy_and_upsert(connection, batch)

        yield write


@contextmanager
def by_hand_kept(url: str) -> Iterator[Write]:
    """The same with one temporary table for all batches: the best that it can be."""
    with psycopg.connect(url) as connection:
        connection.execute(f"{_STAGE} DELETE ROWS".encode())
        connection.commit()
        yield lambda batch: _copy_and_upsert(connection, batch)


_values = attrgetter(*bars.COLUMNS)


def _copy_and_upsert(connection: psycopg.Connection, batch: Batch) -> None:
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY by_hand ({_NAMES}) FROM STDIN".encode()) as copy:
            for candle in batch:
                copy.write_row(_values(candle))
        cursor.execute(_UPSERT.encode())
    connection.commit()


CONTENDERS = {"mdload": client, "by hand": by_hand, "by hand, table kept": by_hand_kept}


@dataclass
class Took:
    """Seconds of each batch."""

    seconds: list[float]

    def rate(self, size: int) -> float:
        return size * len(self.seconds) / sum(self.seconds)

    def quantile(self, share: float) -> float:
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))]


def candles(rows: int, size: int) -> list[list[Candle]]:
    """Minute bars as a feed brings them, all symbols of a minute together, in batches."""
    universe = Universe(rows)
    frames = Stretch(universe, 0, universe.bars, by_time=True).frames()
    made = [Candle(*row) for frame in frames for row in frame.select(bars.COLUMNS).iter_rows()]
    return [made[i : i + size] for i in range(0, len(made) - size + 1, size)]


def measure(write: Write, batches: list[list[Candle]]) -> Took:
    seconds = []
    for batch in batches:
        began = time.perf_counter()
        write(batch)
        seconds.append(time.perf_counter() - began)
    return Took(seconds)


def compare(server: Server, size: int, rows: int, rounds: int) -> None:
    """Prints rates and latencies of every contender for batches of `size`."""
    batches = candles(rows, size)
    found: dict[str, list[Took]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, contender in CONTENDERS.items():
            url = server.make("contended")
            with contender(url) as write:
                write(batches[0])  # connects and prepares; its bars are there already then
                found[name].append(measure(write, batches[1:]))
    print(f"\n{len(batches) - 1} batches of {size:,}, {rounds} rounds, medians")
    best = statistics.median(t.rate(size) for t in found["mdload"])
    for name, took in found.items():
        rate = statistics.median(t.rate(size) for t in took)
        p50, p99 = (statistics.median(t.quantile(q) for t in took) * 1e3 for q in (0.5, 0.99))
        print(f"  {name:20} {rate:>9,.0f} bars/s   p50 {p50:7.2f} ms   p99 {p99:7.2f} ms"
              f"   mdload x{best / rate:.2f}")  # fmt: skip


def in_one_call(server: Server, size: int, rows: int, rounds: int) -> None:
    """Prints the rate of one `write_bars` of a list of many batches."""
    batches = candles(rows, size)
    whole = [candle for batch in batches for candle in batch]
    rates = []
    for _ in range(rounds):
        with StoreClient(server.make("contended")) as store:
            store.write_bars(whole[:1])
            began = time.perf_counter()
            store.write_bars(whole, size)
            rates.append(len(whole) / (time.perf_counter() - began))
    print(f"  {'mdload, one call':20} {statistics.median(rates):>9,.0f} bars/s")


def threshold(server: Server, rounds: int) -> None:
    """Prints what a batch takes as a statement and by COPY, by size: new bars, then again."""
    for size in (200, 500, 1_000, 1_500, 2_000, 3_000, 5_000):
        batches = candles(size * 30, size)
        took: dict[str, list[float]] = {}
        for _ in range(rounds):
            for way, limit in (("statement", 10**9), ("copy", 0)):
                transaction.STATEMENT_ROWS = limit  # type: ignore[misc]
                with client(server.make("contended")) as write:
                    write(batches[0])
                    for what in ("new", "again"):
                        seconds = measure(write, batches[1:]).quantile(0.5) * 1e3
                        took.setdefault(f"{what} by {way}", []).append(seconds)
        said = "   ".join(f"{what} {min(ms):7.2f} ms" for what, ms in sorted(took.items()))
        print(f"{size:>6,}: {said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threshold", action="store_true")
    asked = parser.parse_args()
    with ExitStack() as stack:
        server = stack.enter_context(running())
        if asked.threshold:
            threshold(server, asked.rounds)
            return
        for size, rows in ((100, 40_000), (1_000, 100_000), (10_000, 210_000)):
            compare(server, size, rows, asked.rounds)
            in_one_call(server, size, rows, asked.rounds)


if __name__ == "__main__":
    main()
