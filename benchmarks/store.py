"""Writing objects: `StoreClient` against hand-written psycopg, same bars in the same batches.

Writers take turns on one temporary server, each time with an empty table; every table is counted
at the end. One process writes for all of them, so that only the method of writing differs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psycopg

from benchmarks.made_bars import Stretch, Universe
from benchmarks.processors import spent
from benchmarks.server import Server
from benchmarks.writers import WRITERS, Batch, Candle, Write, Writer, client, feed
from loader import bars
from loader.client import StoreClient, transaction

#: Bars in a batch, and bars in total.
SIZES = {1: 2_000, 100: 40_000, 1_000: 100_000, 10_000: 210_000}
#: Sizes for which StoreClient has a goal: how many times as fast as by hand with the table kept.
_GOALS, _LEAST, _STRETCH = (1, 100), 1.0, 1.3
_HEADS = ("batch", "writer", "bars/s", "p50 ms", "p99 ms", "client CPU µs/bar", "server CPU µs/bar")


@dataclass
class Took:
    """Seconds of each batch of `size`, and processor time of all batches."""

    size: int
    seconds: list[float]
    client_cpu: float
    server_cpu: float | None

    @property
    def bars(self) -> int:
        return self.size * len(self.seconds)

    @property
    def rate(self) -> float:
        return self.bars / sum(self.seconds)

    def quantile(self, share: float) -> float | None:
        """None if one call wrote all batches."""
        ordered = sorted(self.seconds)
        return ordered[int(share * (len(ordered) - 1))] if len(ordered) > 1 else None


def candles(rows: int, size: int) -> list[list[Candle]]:
    """Minute bars in the order of a feed, all symbols of a minute together, in full batches."""
    universe = Universe(rows)
    frames = Stretch(universe, 0, universe.bars, by_time=True).frames()
    made = [Candle(*row) for frame in frames for row in frame.select(bars.COLUMNS).iter_rows()]
    return [made[i : i + size] for i in range(0, len(made) - size + 1, size)]


def compare(server: Server, rounds: int, sizes: Sequence[int]) -> Iterator[str]:
    """Yields the lines of a Markdown table as results arrive, then those of the goals."""
    yield f"| {' | '.join(_HEADS)} |"
    yield f"|{'--:|' * len(_HEADS)}".replace("--:|--:|", "--:|---|", 1)
    goals: list[str] = []
    for size in sizes:
        batches = candles(SIZES[size], size)
        writers: dict[str, Writer] = dict(WRITERS)
        if size == 1:
            writers["StoreClient.buffered()"] = feed
        found: dict[str, list[Took]] = {name: [] for name in writers}
        whole: list[Took] = []
        for _ in range(rounds):
            for name, writer in writers.items():
                found[name].append(_written(server, writer, batches))
            if size > 1:
                whole.append(_in_one_call(server, batches))
        for name, took in found.items():
            yield _row(size, name, took)
        if whole:
            yield _row(size, "StoreClient, all in one call", whole)
        if size in _GOALS:
            goals.append(_goal(size, found))
    yield from ("", *goals) if goals else ()


def _goal(size: int, found: dict[str, list[Took]]) -> str:
    """How the client's median batch stands beside the one by hand."""
    ours, by_hand = (
        statistics.median(each.quantile(0.5) or 0 for each in found[name])
        for name in ("StoreClient", "the same, table kept")
    )
    ratio = by_hand / ours
    met = "✓" if ratio >= _LEAST else "✗"
    reached = " ✓" if ratio >= _STRETCH else ""
    calls = f"calls of {size:,} bar{'s' if size > 1 else ''}"
    return (
        f"- StoreClient, {calls}, against psycopg with its table kept: {ratio:.2f} × "
        f"(goal ≥ {_LEAST:g} × {met}, stretch ≥ {_STRETCH:g} ×{reached})"
    )


def threshold(server: Server, rounds: int) -> Iterator[str]:
    """Times batches by statement and by COPY for each size: new bars, then the same again."""
    for size in (200, 500, 1_000, 1_500, 2_000, 3_000, 5_000):
        batches = candles(size * 30, size)
        took: dict[str, list[float]] = {}
        for _ in range(rounds):
            for way, limit in (("statement", 10**9), ("copy", 0)):
                transaction.STATEMENT_ROWS = limit  # type: ignore[misc]
                with client(server.make("contended")) as write:
                    write(batches[0])
                    for what in ("new", "again"):
                        seconds = statistics.median(_measured(server, write, batches[1:]).seconds)
                        took.setdefault(f"{what} by {way}", []).append(seconds * 1e3)
        said = "   ".join(f"{what} {min(ms):7.2f} ms" for what, ms in sorted(took.items()))
        yield f"{size:>6,}: {said}"


def _written(server: Server, writer: Writer, batches: list[list[Candle]]) -> Took:
    url = server.make("contended")
    with writer(url) as write:
        write(batches[0])  # connects and prepares; its bars are already stored then
        took = _measured(server, write, batches[1:])
    _check(url, len(batches) * took.size)
    return took


def _in_one_call(server: Server, batches: list[list[Candle]]) -> Took:
    url = server.make("contended")
    whole = [candle for batch in batches[1:] for candle in batch]
    with StoreClient(url) as store:
        store.write_bars(batches[0])
        took = _measured(server, lambda batch: store.write_bars(batch, len(batches[0])), [whole])
    _check(url, len(whole) + len(batches[0]))
    return took


def _measured(server: Server, write: Write, batches: Sequence[Batch]) -> Took:
    seconds = []
    server_before, client_before = spent(server.pid), time.process_time()
    for batch in batches:
        began = time.perf_counter()
        write(batch)
        seconds.append(time.perf_counter() - began)
    used, server_after = time.process_time() - client_before, spent(server.pid)
    known = server_before and server_after
    return Took(
        len(batches[0]), seconds, used,
        server_after.server - server_before.server if known else None,  # type: ignore[union-attr]
    )  # fmt: skip


def _check(url: str, rows: int) -> None:
    with psycopg.connect(url) as connection:
        (found,) = connection.execute("SELECT count(*) FROM bars_ohlcv").fetchone() or (None,)
    if found != rows:
        raise SystemExit(f"WRONG: {found:,} rows and {rows:,} expected")


def _row(size: int, name: str, took: Sequence[Took]) -> str:
    def median(value: Callable[[Took], float | None], digits: int, unit: float) -> str:
        found = [v for v in map(value, took) if v is not None]
        return f"{statistics.median(found) * unit:,.{digits}f}" if found else ""

    cells = [
        f"{size:,}", name, median(lambda t: t.rate, 0, 1),
        median(lambda t: t.quantile(0.5), 2, 1e3), median(lambda t: t.quantile(0.99), 2, 1e3),
        median(lambda t: t.client_cpu / t.bars, 1, 1e6),
        median(lambda t: t.server_cpu and t.server_cpu / t.bars, 1, 1e6),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"
