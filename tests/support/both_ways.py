"""Files that are loaded both ways, each by itself and together, into a database for each way; and
tables that are odd in one way or another."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import LoadResult
from loader.results.events import BarsWritten, Event, RowsDone
from loader.settings import Settings
from tests.support.sql import fetch

LEDGER = """SELECT path, size_bytes, content_hash, config_fingerprint, dialect, provider,
    interval, state, rows_read, rows_written, rows_inserted, rows_updated, rows_unchanged,
    rows_duplicate, rows_skipped, rows_failed, rows_resumable, rejected, notes, min_ts, max_ts,
    error_message, symbols, bars_changed, bars_inserted_between, bars_gone, bars_deleted,
    series, findings, reading,
    completed_at >= started_at FROM job_run_files WHERE run_id = {} ORDER BY id"""
RUN = """SELECT provider, status, rows_read, rows_written, rows_inserted, rows_updated,
    rows_unchanged, rows_duplicate, rows_skipped, rows_failed, symbols, min_ts, max_ts,
    error_message, metadata ? 'last_heartbeat' FROM job_runs WHERE id = {}"""
LOADS = """SELECT f.path, l.kind, l.inserted, l.updated, l.deleted, l.known_at > l.xact_at
    FROM bars_loads l JOIN job_run_files f ON f.id = l.file_id WHERE l.run_id = {} ORDER BY l.id"""
STORE = (
    """SELECT b.provider, b.symbol, b.interval, b.ts,
        open, high, low, close, volume, vwap, trade_count,
        (SELECT path FROM job_run_files f JOIN bars_loads l ON f.id = l.file_id
          WHERE l.xact_at = b.created_at),
        (SELECT path FROM job_run_files f JOIN bars_loads l ON f.id = l.file_id
          WHERE l.xact_at = b.updated_at)
    FROM bars_ohlcv b ORDER BY 1, 2, 3, 4""",
    """SELECT r.provider, r.symbol, r.interval, r.ts, r.op, f.path, f.run_id = r.run_id,
        r.old_open, r.old_high, r.old_low, r.old_close, r.old_volume, r.old_vwap, r.old_trade_count,
        r.new_open, r.new_high, r.new_low, r.new_close, r.new_volume, r.new_vwap, r.new_trade_count,
        n.file_id = r.file_id, o.run_id, r.old_created_at <= r.old_updated_at
    FROM bars_ohlcv_revisions r JOIN job_run_files f ON f.id = r.file_id
    LEFT JOIN bars_loads n ON n.xact_at = r.revised_at
    LEFT JOIN bars_loads o ON o.xact_at = r.old_updated_at ORDER BY r.id""",
    "SELECT provider, source_symbol, symbol, convention FROM provider_symbols ORDER BY 1, 2, 3",
    "SELECT row_number, rules, raw FROM bars_rejected ORDER BY id",
)
NEW_YORK_OPEN = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
MIDNIGHT = datetime(2024, 1, 2, tzinfo=UTC)


def frame(
    symbol: str, start: datetime = NEW_YORK_OPEN, rows: int = 12, step: int = 60, **columns: Any
) -> pl.DataFrame:
    """A file's table: bars of one series, dearer by a cent each."""
    words = {60: "1m", 300: "5m", 3600: "1h", 86_400: "1d"}
    cents = [100 + n for n in range(rows)]
    return pl.DataFrame(
        {
            "provider": "made",
            "symbol": symbol,
            "interval": words[step],
            "ts": [start + timedelta(seconds=step * n) for n in range(rows)],
            "open": [cent / 100 for cent in cents],
            "high": [cent / 100 + 0.5 for cent in cents],
            "low": [cent / 100 - 0.5 for cent in cents],
            "close": [cent / 100 + 0.25 for cent in cents],
            "volume": [float(10 * n) for n in range(rows)],
        },
        schema_overrides={"ts": pl.Datetime("us", "UTC")},
    ).with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def day(number: int) -> datetime:
    """A weekday's opening in New York."""
    return NEW_YORK_OPEN + timedelta(days=7 * (number // 4) + number % 4)


def of_several(numbers: Sequence[int], start: datetime = NEW_YORK_OPEN, **how: Any) -> pl.DataFrame:
    """Bars of several symbols, one after the other."""
    return pl.concat(frame(symbol(n), start, **how) for n in numbers)


def dearer(table: pl.DataFrame, by: float) -> pl.DataFrame:
    return table.with_columns(pl.col("open", "high", "low", "close") + by)


def at(row: int, **values: Any) -> list[pl.Expr]:
    """Other values in one row."""
    here = pl.int_range(pl.len()) == row
    return [pl.when(here).then(value).otherwise(name).alias(name) for name, value in values.items()]


def in_pence(table: pl.DataFrame, first: int) -> pl.DataFrame:
    """`table` with prices a hundred times as large from row `first` on."""
    factor = pl.when(pl.int_range(pl.len()) < first).then(1).otherwise(100)
    return table.with_columns(pl.col("open", "high", "low", "close") * factor)


#: Tables of one symbol by their oddity; many are plain.
ODD: dict[str, Callable[[str], pl.DataFrame]] = {
    "plain": frame,
    "plain, longer": lambda s: frame(s, rows=390),
    "one row": lambda s: frame(s, rows=1),
    "all day": lambda s: frame(s, MIDNIGHT, rows=1440),
    "two days": lambda s: frame(s, MIDNIGHT, rows=576, step=300),
    "hours": lambda s: frame(s, MIDNIGHT, rows=48, step=3600),
    "days": lambda s: frame(s, MIDNIGHT, rows=4, step=86_400),
    "days with Saturdays": lambda s: frame(s, MIDNIGHT, rows=30, step=86_400),
    "days at 21:00": lambda s: frame(s, MIDNIGHT.replace(hour=21), rows=9, step=86_400),
    "ends of a session": lambda s: frame(s, NEW_YORK_OPEN + timedelta(minutes=1), rows=390),
    "a whole session and its close": lambda s: frame(s, rows=391),
    "ends of days": lambda s: frame(s, MIDNIGHT + timedelta(minutes=1), rows=1440),
    "ends in Tokyo": lambda s: frame(s, MIDNIGHT + timedelta(minutes=5), rows=72, step=300),
    "through the night": lambda s: frame(s, MIDNIGHT.replace(hour=23), rows=276 * 3, step=300),
    "the night to 17:00": lambda s: pl.concat(
        frame(s, datetime(2024, 1, day, 23, 5, tzinfo=UTC), rows=276, step=300) for day in (2, 3, 4)
    ),
    "seconds": lambda s: frame(s, NEW_YORK_OPEN.replace(second=59)),
    "off the grid": lambda s: frame(s).with_columns(at(3, ts=pl.col("ts").dt.offset_by("7s"))),
    "minutes called days": lambda s: frame(s, interval="1d"),
    "days called minutes": lambda s: frame(s, MIDNIGHT, rows=9, step=86_400, interval="1m"),
    "no interval": lambda s: frame(s, interval="soon"),
    "a blank interval": lambda s: frame(s).with_columns(at(2, interval=pl.lit(None))),
    "lower case": lambda s: frame(s.lower()),
    "blanks": lambda s: frame(f" {s}"),
    "a class": lambda s: frame(f"{s}.B"),
    "two symbols": lambda s: frame(s).with_columns(at(11, symbol=pl.lit("ZZZZ"))),
    "no symbol": lambda s: frame(s).with_columns(at(1, symbol=pl.lit(None))),
    "another provider": lambda s: frame(s, provider="other"),
    "no provider": lambda s: frame(s).with_columns(at(1, provider=pl.lit(""))),
    "upside down": lambda s: frame(s).with_columns(at(4, high=pl.col("low") - 1)),
    "rounded": lambda s: frame(s).with_columns(at(4, close=pl.col("high") * (1 + 2**-52))),
    "no close": lambda s: frame(s).with_columns(at(5, close=pl.lit(None))),
    "not a number": lambda s: frame(s).with_columns(at(5, open=pl.lit(float("nan")))),
    "no volume": lambda s: frame(s).with_columns(at(0, volume=pl.lit(None))),
    "negative volume": lambda s: frame(s).with_columns(at(0, volume=pl.lit(-1.0))),
    "free of charge": lambda s: frame(s).with_columns(at(0, low=pl.lit(0.0))),
    "fixed point": lambda s: frame(s).with_columns(pl.col("open", "high", "low", "close") * 1e11),
    "pounds, then pence": lambda s: in_pence(frame(s, rows=30), 15),
    "pounds, then pence at the end": lambda s: in_pence(frame(s, rows=30), 28),
    "a range of fifty": lambda s: frame(s).with_columns(at(4, low=pl.lit(0.5), close=pl.lit(0.5))),
    "no time": lambda s: frame(s).with_columns(at(7, ts=pl.lit(None))),
    "twice": lambda s: pl.concat([frame(s), frame(s)[-1:]]),
    "twice, otherwise": lambda s: pl.concat([frame(s), frame(s)[-1:].with_columns(volume=5.0)]),
    "newest first": lambda s: frame(s).reverse(),
    "mixed": lambda s: frame(s).sample(fraction=1, shuffle=True, seed=3),
    "long ago": lambda s: frame(s, datetime(1850, 1, 2, 14, 30, tzinfo=UTC)),
    "nanoseconds": lambda s: frame(s).cast({"ts": pl.Datetime("ns", "UTC")}),
    "milliseconds": lambda s: frame(s).cast({"ts": pl.Datetime("ms", "UTC")}),
    "without a zone": lambda s: frame(s).with_columns(pl.col("ts").dt.replace_time_zone(None)),
    "in New York": lambda s: frame(s).with_columns(
        pl.col("ts").dt.convert_time_zone("America/New_York")
    ),
    "whole volumes": lambda s: frame(s).cast({"volume": pl.Int64}),
    "counts": lambda s: frame(s, trade_count=7, vwap=1.0),
    "another column": lambda s: frame(s, exchange="X"),
    "other names": lambda s: frame(s).rename({"ts": "timestamp", "open": "o"}),
    "text": lambda s: frame(s).cast({"close": pl.String}),
    "no rows": lambda s: frame(s).clear(),
}  # fmt: skip


class Way:
    """A database of its own, and the events of each of its loads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.events: list[Event] = []

    def load(self, files: Sequence[str], **settings: Any) -> LoadResult:
        self.events.clear()
        with find(files) as sources:
            return load(Settings(**settings), self.url, sources, [self.events.append])

    def books(self, result: LoadResult) -> list[list[tuple[Any, ...]]]:
        run = result.run_id or 0  # a dry run has none
        return [fetch(self.url, sql.format(run)) for sql in (LEDGER, RUN, LOADS)]

    def store(self) -> list[list[tuple[Any, ...]]]:
        return [fetch(self.url, sql) for sql in STORE]

    def told(self) -> dict[str, Counter[str]]:
        """By file, the events without seconds, ids and the steps of progress."""
        found: dict[str, Counter[str]] = {}
        for event in self.events:
            path = getattr(event, "path", "")
            if isinstance(event, RowsDone):
                found.setdefault(path, Counter())["rows"] += event.rows
                found[path]["bytes"] += event.size_bytes
            elif isinstance(event, BarsWritten):
                found.setdefault(path, Counter())[f"{event.method} {event.bars}"] += 1
            elif path:
                found.setdefault(path, Counter())[repr(event)] += 1
        return found


def after_another_writer(
    url: str, symbol: str, booked: Callable[..., list[int]]
) -> Callable[..., list[int]]:
    """`booked`, once another writer has stored the first bar of `frame(symbol)`, otherwise."""

    def meanwhile(*given: Any) -> list[int]:
        with psycopg.connect(url) as connection:
            connection.execute(
                "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
                " VALUES ('made', %s, '1m', %s, 9, 9, 9, 9) ON CONFLICT DO NOTHING",
                (symbol, NEW_YORK_OPEN),
            )
        return booked(*given)

    return meanwhile


@contextmanager
def in_the_middle(
    url: str, path: str, act: Callable[[psycopg.Connection], object]
) -> Iterator[None]:
    """Holds the file `path` up, once, when its row in the ledger is written: then `act` happens,
    over a connection that commits each statement."""
    with psycopg.connect(url, autocommit=True) as holder:
        holder.execute(
            "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " PERFORM pg_advisory_xact_lock(20240102); RETURN NEW; END $$"
        )
        when = sql.SQL(
            "CREATE TRIGGER held BEFORE INSERT ON job_run_files FOR EACH ROW"
            " WHEN (NEW.path = {}) EXECUTE FUNCTION held()"
        )
        holder.execute(when.format(path))
        holder.execute("SELECT pg_advisory_lock(20240102)")
        waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        acted: list[bool] = []

        def acts() -> None:
            while not holder.execute(waiting).fetchall():
                time.sleep(0.01)
            try:
                act(holder)
                acted.append(True)
            finally:
                with suppress(psycopg.Error):  # the lock is gone with the server
                    holder.execute("SELECT pg_advisory_unlock_all()")

        thread = threading.Thread(target=acts, daemon=True)
        thread.start()
        try:
            yield
        finally:
            thread.join(60)
    assert acted


def check_same(one: Way, first: LoadResult, two: Way, second: LoadResult) -> None:
    """That two ways to load files come out alike: their results in one order, rows in any."""
    assert [replace(file, file_id=None) for file in second.files] == [
        replace(file, file_id=None) for file in first.files
    ]
    for mine, others in ((two.books(second), one.books(first)), (two.store(), one.store())):
        assert [Counter(map(str, rows)) for rows in mine] == [
            Counter(map(str, rows)) for rows in others
        ]


def of_all_kinds(folder: Path, plain: int) -> tuple[list[str], list[str], list[str]]:
    """So many plain files, odd ones, and text: some of it with rejects, and an empty file."""
    tables = [frame(symbol(n), rows=1 + n % 30) for n in range(plain)]
    odd = [table(symbol(100 + n)) for n, table in enumerate(ODD.values())]
    text = []
    for n in range(20):
        table = frame(symbol(200 + n)) if n % 7 else frame(symbol(200 + n), volume=-1.0)
        table.write_csv(folder / f"{200 + n}.csv")
        text.append(str(folder / f"{200 + n}.csv"))
    (folder / "empty.csv").write_text("")
    return (
        [written(folder, n, table) for n, table in enumerate(tables)],
        [written(folder, 100 + n, table) for n, table in enumerate(odd)],
        [*text, str(folder / "empty.csv")],
    )


def written(folder: Path, number: int, table: pl.DataFrame) -> str:
    path = folder / f"{number:03}.parquet"
    table.write_parquet(path)
    return str(path)


def symbol(number: int) -> str:
    return "A" + "".join(chr(ord("A") + int(digit)) for digit in f"{number:03}")
