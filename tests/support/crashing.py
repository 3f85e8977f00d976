"""A file of bars of every kind, what a load of it comes to, and how to tell whether a load that was
disturbed left a trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl
import psycopg

from loader.bars import SCHEMA, VALUES
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import LoadResult
from loader.results.events import Event
from loader.settings import RejectLimit, Settings
from tests.support.sql import fetch

COUNTS: Final = ("inserted", "updated", "unchanged", "duplicate", "skipped", "failed")


@dataclass(frozen=True)
class Size:
    """How much there is to load. For each symbol: bars stored alike (minutes 0-99), stored
    otherwise (100-199) and new (from 200 on); every 50th comes twice, with another price first, and
    every 80th is followed by a bad row (`minutes` is a multiple of 400). `symbols_read` of them are
    read at a time, so that no key repeats across batches of the file in order; `parts` batches are
    a part."""

    symbols: int
    minutes: int
    symbols_read: int = 1
    parts: int = 2

    @property
    def expected(self) -> dict[str, int]:
        """What becomes of the rows."""
        each = {
            "inserted": self.minutes - 200, "updated": 100, "unchanged": 100,
            "duplicate": self.minutes // 50, "skipped": 0, "failed": self.minutes // 80,
        }  # fmt: skip
        return {name: self.symbols * count for name, count in each.items()}

    @property
    def rows(self) -> int:
        return sum(self.expected.values())

    @property
    def batch_rows(self) -> int:
        return self.rows // self.symbols * self.symbols_read

    def commit_every(self, in_parts: bool) -> int | None:
        return self.batch_rows * self.parts if in_parts else None


SMALL: Final = Size(12, 400)  # 4,956 rows
LARGE: Final = Size(100, 1_200, symbols_read=5)  # 123,900 rows
HUGE: Final = Size(100, 10_000, symbols_read=5)  # 1,032,500 rows


def bars(symbols: int, rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` (minute, price, low) for each of the symbols."""
    price = pl.col("price")
    start = datetime(2024, 1, 1, tzinfo=UTC)
    each = rows.with_columns(
        provider=pl.lit("p"), interval=pl.lit("1m"),
        ts=start + pl.duration(minutes="minute"), open=price, high=price, close=price,
        volume=1.0, vwap=None, trade_count=1,
    )  # fmt: skip
    named = pl.DataFrame({"symbol": [f"S{number:02}" for number in range(symbols)]})
    schema = pl.Schema(SCHEMA)
    return named.join(each, how="cross").select(schema.names()).cast(schema)


def minute(below: int, price: pl.Expr, low: pl.Expr | None = None) -> pl.DataFrame:
    return pl.DataFrame({"minute": range(below)}).select(
        "minute", price=price.cast(pl.Float64), low=(price if low is None else low).cast(pl.Float64)
    )


def write_file(size: Size, path: Path) -> Path:
    alike, at = pl.lit(10), pl.col("minute")
    pieces = (
        minute(size.minutes, pl.lit(99)).filter(at % 50 == 7),
        minute(size.minutes, alike),
        minute(size.minutes, alike, pl.lit(11)).filter(at % 80 == 11),
    )
    rows = pl.concat(pieces).sort("minute", maintain_order=True)
    bars(size.symbols, rows).write_parquet(path)
    return path


def write_shuffled(ordered: Path, path: Path) -> Path:
    """The same, even minutes first: in no order that a stream could make unique."""
    rows, even = pl.read_parquet(ordered), pl.col("ts").dt.minute() % 2 == 0
    pl.concat((rows.filter(even), rows.filter(~even))).write_parquet(path)
    return path


def prepare(size: Size, url: str, path: Path) -> None:
    """Stores what is to be stored before."""
    price = pl.when(pl.col("minute") < 100).then(10).otherwise(5)
    bars(size.symbols, minute(200, price)).write_parquet(path)
    assert loaded(size, url, path).status == "success"
    fetch(url, "TRUNCATE job_runs CASCADE")


def loaded(
    size: Size,
    url: str,
    path: Path,
    heard: Callable[[Event], None] = id,
    *,
    in_parts: bool = False,
) -> LoadResult:
    settings = Settings(
        batch_rows=size.batch_rows,
        commit_every=size.commit_every(in_parts),
        max_rejects=RejectLimit(share=0.5),
    )
    with find([str(path)]) as sources:
        return load(settings, url, sources, [heard])


def contents(url: str) -> dict[str, bytes]:
    """What a load leaves behind, line by line, but for the numbers of runs and the times of day."""
    keys = 'provider, symbol, "interval", ts'
    both = ", ".join(f"{side}_{v}" for side in ("old", "new") for v in VALUES)
    wanted = {
        "bars": f"SELECT {keys}, {', '.join(VALUES)} FROM bars_ohlcv ORDER BY {keys}",
        # A bar may have several revisions.
        "revisions": f"SELECT {keys}, {both} FROM bars_ohlcv_revisions ORDER BY {keys}, {both}",
        "spellings": "SELECT provider, source_symbol, symbol FROM provider_symbols ORDER BY 1, 2",
        # A shuffled file that was committed in part is read again from its start, bad rows too.
        "rejects": "SELECT DISTINCT row_number, rules, raw::text FROM bars_rejected"
        " ORDER BY row_number",
    }
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        found = {}
        for name, query in wanted.items():
            with cursor.copy(f"COPY ({query}) TO STDOUT".encode()) as copy:
                found[name] = b"".join(bytes(piece) for piece in copy)
        return found


def assert_like(
    found: dict[str, bytes], expected: dict[str, bytes], size: Size, *, ordered: bool
) -> int:
    """Every row is as it is in `expected`. How many were compared."""
    lines = 0
    for name, text in expected.items():
        if name == "rejects" and not ordered:  # rows have other numbers there
            assert found[name].count(b"\n") == size.expected["failed"]
            continue
        if found[name] != text:
            alien = set(found[name].splitlines()) ^ set(text.splitlines())
            raise AssertionError(f"{name}: {len(alien)} differ or come twice: {sorted(alien)[:5]}")
        lines += text.count(b"\n")
    return lines


def counted(url: str) -> dict[str, int]:
    """The counts of all that was committed, whichever run did."""
    sums = ", ".join(f"CAST(sum(rows_{name}) AS bigint)" for name in COUNTS)
    (found,) = fetch(
        url, f"SELECT {sums} FROM job_run_files WHERE state IN ('loaded', 'partial', 'known')"
    )
    return dict(zip(COUNTS, found, strict=True))


def assert_run_counts(url: str) -> None:
    """Each run says what its files say."""
    sums = ", ".join(
        f"CAST(coalesce(sum(f.rows_{name}), 0) AS bigint) = r.rows_{name}" for name in COUNTS
    )
    found = fetch(
        url, f"SELECT {sums} FROM job_runs r LEFT JOIN job_run_files f ON f.run_id = r.id"
             f" GROUP BY r.id"
    )  # fmt: skip
    assert set(found) == {(True,) * len(COUNTS)}
