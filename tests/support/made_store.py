"""Fills a database with a store to look at: bars with holes, restatements, runs, rejects.

    python -m tests.support.made_store --url URL [--big]
    python -m tests.support.made_store --picture docs/images/report.png

Everything is drawn from fixed seeds, and dated back from `today`: the same `Size` and `today` make
the same store. `--big` is the store of the figures in docs/report.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psycopg

from loader.bars.schema import SCHEMA, TS
from loader.db.arrow import connect

WORDS = (
    "ALFA",
    "BRAV",
    "CHRL",
    "DELT",
    "ECHO",
    "FXTR",
    "GOLF",
    "HOTL",
    "INDI",
    "JULI",
    "KILO",
    "LIMA",
)
RULES = (
    "high_below_low",
    "open_outside_range",
    "price_missing",
    "volume_negative",
    "ts_unparsable",
)
LOST = "the connection to db.example.com was lost"
SHIFT = {
    "kind": "shift", "action": "refused", "provider": "polygon", "symbol": "BRAV", "interval": "1m",
    "text": "390 bars of BRAV 1m have the prices of one hour earlier: looks like a wrong time zone",
}  # fmt: skip
JOBS = ("nightly-daily", "nightly-minutes", "vendor-fix")


@dataclass(frozen=True)
class Size:
    """How much is made: daily series, their years, symbols with minutes, days of runs, and how many
    bars are changed, in all and by one load."""

    series: int = 24
    years: int = 3
    minutes: int = 2
    runs: int = 150
    restated: int = 16_000
    at_once: int = 10_000


SMALL = Size()
BIG = Size(series=5_000, years=10, minutes=0, runs=1_000, restated=100_000, at_once=100)


def sessions(first: date, last: date) -> list[datetime]:
    """The sessions of New York, stamped as daily bars are."""
    from loader.survey.calendars import calendar

    return [datetime.combine(day, time.min, UTC)
            for day in calendar("XNYS", first, last).parts["session"].to_list()]  # fmt: skip


def symbol(number: int) -> str:
    return WORDS[number] if number < len(WORDS) else f"S{number:04}"


def walk(random: np.random.Generator, many: int, scale: float) -> pl.DataFrame:
    """Prices and volumes of `many` bars in a row."""
    close = 40 + 160 * random.random()
    close = np.maximum(close * np.exp(np.cumsum(random.normal(0.0002, scale, many))), 0.5)
    opened = np.concatenate([[close[0]], close[:-1]]) * np.exp(random.normal(0, scale / 4, many))
    high = np.maximum(opened, close) * (1 + np.abs(random.normal(0, scale / 2, many)))
    low = np.minimum(opened, close) * (1 - np.abs(random.normal(0, scale / 2, many)))
    prices = {"open": opened, "high": high, "low": low, "close": close}
    frame = pl.DataFrame({name: np.round(values, 2) for name, values in prices.items()})
    return frame.with_columns(
        volume=pl.Series(np.round(random.lognormal(13, 0.4, many))),
        vwap=pl.lit(None, pl.Float64()), trade_count=pl.lit(None, pl.Int64()),
    )  # fmt: skip


def daily(size: Size, days: list[datetime]) -> Iterator[pl.DataFrame]:
    """Daily series: every fifth begins later, every seventh has a hole, one ends early."""
    for number in range(size.series):
        random = np.random.default_rng(number)
        first = int(len(days) * 0.6 * random.random()) if number % 5 == 4 else 0
        last = len(days) - (12 if number % 9 == 7 else 0)
        frame = walk(random, last - first, 0.012).with_columns(
            ts=pl.Series(days[first:last], dtype=TS)
        )
        keep = np.ones(frame.height, bool)
        if number % 7 == 3:
            start = int(frame.height * (0.2 + 0.5 * random.random()))
            keep[start : start + 15 + number % 60] = False
        if number % 4 == 1:
            keep[random.integers(1, frame.height - 1, 9)] = False
        yield _of(frame.filter(pl.Series(keep)), "tiingo" if number % 3 else "polygon",
                  symbol(number), "1d")  # fmt: skip


def minutes(size: Size, days: list[datetime]) -> Iterator[pl.DataFrame]:
    """Minutes of New York's winter hours for the last ten sessions."""
    for number in range(size.minutes):
        random = np.random.default_rng(10_000 + number)
        stamps = [
            day + timedelta(hours=14, minutes=30 + m) for day in days[-10:] for m in range(390)
        ]
        frame = walk(random, len(stamps), 0.0006).with_columns(ts=pl.Series(stamps, dtype=TS))
        keep = random.random(frame.height) > 0.002
        if number == 1:
            keep[390 * 4 : 390 * 5] = False
        yield _of(frame.filter(pl.Series(keep)), "polygon", symbol(number), "1m")


def _of(frame: pl.DataFrame, provider: str, name: str, interval: str) -> pl.DataFrame:
    named = frame.with_columns(
        provider=pl.lit(provider), symbol=pl.lit(name), interval=pl.lit(interval)
    )
    return named.select(list(SCHEMA)).cast(dict(SCHEMA))  # type: ignore[arg-type]


def fill(url: str, today: date, size: Size = SMALL) -> None:
    """Fills the empty, migrated database at `url`."""
    yesterday = today - timedelta(days=1)
    days = sessions(today - timedelta(days=365 * size.years), yesterday)
    with connect(url) as connection, connection.transaction():
        frames = (frame for part in (daily(size, days), minutes(size, days)) for frame in part)
        connection.ingest("bars_ohlcv", dict(SCHEMA), frames)
    midnight = datetime.combine(today, time.min, UTC)
    with psycopg.connect(url) as plain:
        _runs(plain, size, midnight)
        _restatements(plain, size, midnight, days)
        if size == SMALL:
            _moved(plain, midnight, days)
        insert(plain, "bars_gap_waivers", [{
            "symbol": "DELT", "first_session": days[0].date(), "last_session": days[-1].date(),
            "reason": "halted", "waived_by": "desk",
        }])  # fmt: skip
        insert(plain, "bars_pins", [{
            "name": "month-end", "known_at": midnight - timedelta(days=30), "load_id": 10**6,
        }])  # fmt: skip
        if size == SMALL:  # so that a comparison with a pin shows the changes since
            plain.execute("SET LOCAL session_replication_role = replica")  # no trigger dates them
            plain.execute(_DATED, {"first": midnight - timedelta(days=200)})
    with psycopg.connect(url, autocommit=True) as plain:
        plain.execute("VACUUM (ANALYZE)")


def insert(plain: psycopg.Connection[Any], table: str, rows: list[dict[str, Any]]) -> None:
    """Rows of equal columns, ids included."""
    names = ", ".join(rows[0])
    places = ", ".join(f"%({name})s" for name in rows[0])
    statement = f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE VALUES ({places})"
    with plain.cursor() as cursor:
        cursor.executemany(statement.encode(), rows)


def _runs(plain: psycopg.Connection[Any], size: Size, midnight: datetime) -> None:
    """Two nightly jobs and one now and then, oldest first; the last one hangs."""
    random = np.random.default_rng(7)
    runs, files, rejects = [], [], []
    for number in range(size.runs):
        job = JOBS[number % 2] if number % 23 else JOBS[2]
        started = midnight - timedelta(days=(size.runs - number) // 2, hours=3 - number % 2)
        status = "failure" if number % 37 == 36 else "cancelled" if number % 53 == 52 else "success"
        if number == size.runs - 1:
            status = "running"
        rejected = int(random.integers(1, 40)) if number % 6 == 5 else 0
        read = int(random.integers(20_000, 90_000))
        refused = number % 41 == 40
        run = {
            "id": number + 1, "job_name": job, "provider": "polygon", "mode": "backfill",
            "status": status, "started_at": started,
            "completed_at": started + timedelta(seconds=float(random.lognormal(3.5, 0.8))),
            "error_message": LOST if status == "failure" else None, "rows_read": read,
            "rows_written": read - rejected, "rows_inserted": read - rejected,
            "rows_failed": rejected,
        }  # fmt: skip
        runs.append(run | ({"completed_at": None} if status == "running" else {}))
        if status == "running":
            continue
        rule = RULES[number % len(RULES)]
        files.append({
            "id": number + 1, "run_id": number + 1, "size_bytes": 1_000_000,
            "path": f"dumps/{started:%Y/%m/%d}/{job}.csv.gz", "dialect": "polygon",
            "provider": "polygon", "interval": "1d", "started_at": started,
            "completed_at": run["completed_at"],
            "state": "refused" if refused else "failed" if status == "failure" else "loaded",
            **{name: run[name] for name in run if name.startswith("rows_")},
            "rejected": json.dumps({rule: rejected} if rejected else {}),
            "findings": json.dumps([SHIFT] if refused else []),
            "error_message": SHIFT["text"] if refused else run["error_message"],
        })  # fmt: skip
        rejects += [
            {"run_id": number + 1, "file_id": number + 1, "row_number": row * 17 + 4,
             "rules": [rule], "created_at": started, "provider": "polygon", "interval": "1d",
             "symbol": symbol(row % 12), "raw": json.dumps(
                 {"ticker": symbol(row % 12), "open": "101.2", "high": "99.1", "close": "n/a"})}
            for row in range(min(rejected, 10))
        ]  # fmt: skip
    insert(plain, "job_runs", runs)
    insert(plain, "job_run_files", files)
    insert(plain, "bars_rejected", rejects)


def _restatements(
    plain: psycopg.Connection[Any], size: Size, midnight: datetime, days: list[datetime]
) -> None:
    """Of two series in three a split, an adjustment for a dividend, or some corrections. The old
    values are made from the stored ones."""
    changes = []
    for number in range(size.series):
        for turn, (factor, share, most) in enumerate(
            ((0.5, 1.0, len(days)), (0.9923, 0.7, len(days)), (None, 1.0, 12))
        ):
            if (number + turn) % 3 != 2:
                ago = 3 + (number * 11 + turn * 29) % 70
                known = midnight - timedelta(days=ago, seconds=number, microseconds=turn)
                changes.append((known, number, turn, factor, share, most))
    left = size.restated
    for known, number, turn, factor, share, most in sorted(changes, key=lambda change: change[0]):
        if left <= 0:
            break
        provider, name = "tiingo" if number % 3 else "polygon", symbol(number)
        run_id = 1 + (number * 7 + turn) % size.runs
        made = plain.execute(_REVISIONS, {
            "p": provider, "s": name, "i": "1d", "first": days[int(len(days) * (1 - share))],
            "last": known - timedelta(days=2), "factor": factor,
            "most": min(most, left, size.at_once), "known": known, "run": run_id, "seed": number,
            "every": 23 if factor is None or size.at_once < len(days) else 1,
        }).rowcount  # fmt: skip
        left -= made
        insert(plain, "bars_loads", [{
            "xact_at": known, "known_at": known, "stamped_at": known, "inserted": 0,
            "updated": made, "deleted": 0, "run_id": run_id, "kind": "load",
        }])  # fmt: skip
        if factor and size == SMALL:
            text = f"{made} bars of {name} 1d changed by one factor {factor}"
            finding = {
                "kind": "split" if factor == 0.5 else "adjustment", "action": "noted",
                "provider": provider, "symbol": name, "interval": "1d", "text": text,
            }  # fmt: skip
            plain.execute(
                "UPDATE job_run_files SET findings = findings || %s::jsonb WHERE run_id = %s",
                [json.dumps([finding]), run_id],
            )


def _moved(plain: psycopg.Connection[Any], midnight: datetime, days: list[datetime]) -> None:
    """A load that found the bars of half a year a day beside their places, and put them right."""
    known, name = midnight - timedelta(days=33, hours=9), "GOLF"
    made = plain.execute(_MOVED, {
        "s": name, "first": days[-400], "last": days[-280], "known": known, "run": 41,
    }).rowcount  # fmt: skip
    insert(plain, "bars_loads", [{
        "xact_at": known, "known_at": known, "stamped_at": known, "inserted": 0, "updated": made,
        "deleted": 0, "run_id": 41, "kind": "load",
    }])  # fmt: skip
    finding = SHIFT | {
        "action": "accepted",
        "symbol": name,
        "interval": "1d",
        "text": f"{made} bars of {name} 1d have the prices of one day earlier",
    }
    plain.execute(
        "UPDATE job_run_files SET findings = findings || %s::jsonb WHERE run_id = 41",
        [json.dumps([finding])],
    )


_MOVED = """
INSERT INTO bars_ohlcv_revisions (
    provider, symbol, interval, ts, old_open, old_high, old_low, old_close, old_volume,
    new_open, new_high, new_low, new_close, new_volume, run_id, revised_at, op,
    old_updated_at, old_created_at)
SELECT provider, symbol, interval, ts, lag(open) OVER w, lag(high) OVER w, lag(low) OVER w,
       lag(close) OVER w, lag(volume) OVER w, open, high, low, close, volume, %(run)s, %(known)s,
       'update', %(known)s - interval '90 days', %(known)s - interval '90 days'
  FROM bars_ohlcv
 WHERE provider = 'polygon' AND symbol = %(s)s AND interval = '1d'
   AND ts BETWEEN %(first)s AND %(last)s
WINDOW w AS (ORDER BY ts)
OFFSET 1
"""


_REVISIONS = """
INSERT INTO bars_ohlcv_revisions (
    provider, symbol, interval, ts, old_open, old_high, old_low, old_close, old_volume,
    new_open, new_high, new_low, new_close, new_volume, run_id, revised_at, op,
    old_updated_at, old_created_at)
SELECT provider, symbol, interval, ts, open * f, high * f, low * f, close * f, volume / f,
       open, high, low, close, volume, %(run)s, %(known)s, 'update',
       %(known)s - interval '90 days', %(known)s - interval '90 days'
  FROM (SELECT b.*, row_number() OVER (ORDER BY ts DESC) AS n,
               coalesce(1 / CAST(%(factor)s AS double precision), 1 + 0.02 * sin(
                        extract(epoch FROM ts)::bigint %% 1000 + CAST(%(seed)s AS integer))) AS f
          FROM bars_ohlcv b
         WHERE provider = %(p)s AND symbol = %(s)s AND interval = %(i)s
           AND ts BETWEEN %(first)s AND %(last)s) AS stored
 WHERE n %% %(every)s = 0 AND n <= %(most)s * %(every)s
"""


_DATED = """
UPDATE bars_ohlcv b SET created_at = %(first)s, updated_at = coalesce((
    SELECT max(revised_at) FROM bars_ohlcv_revisions r
     WHERE r.provider = b.provider AND r.symbol = b.symbol AND r.interval = b.interval
       AND r.ts = b.ts), %(first)s)
"""


def picture(url: str, path: str) -> None:
    """Draws README's picture: the first two pages of the report on the store at `url`."""
    from tests.support.browser import chromium, opened

    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        subprocess.run(
            [sys.executable, "-m", "loader", "report", "--to", page, "--calendar", "XNYS",
             "--database", url], check=True,
        )  # fmt: skip
        size = {"width": 1280, "height": 800}
        with chromium() as browser, opened(browser, page, viewport=size) as (shown, _):
            shown.evaluate("location.hash = '#vintages'")
            shown.wait_for_timeout(200)
            shown.screenshot(path=path)


def main() -> None:
    from loader.db.embedded import embedded
    from loader.store import schema
    from tests.conftest import temporary_home

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="of an empty database; default: a server of its own")
    parser.add_argument("--big", action="store_true", help="5,000 series over ten years")
    parser.add_argument("--picture", metavar="FILE", help="draw README's picture")
    given = parser.parse_args()
    with ExitStack() as stack:
        url = given.url or stack.enter_context(embedded(stack.enter_context(temporary_home())))
        schema.upgrade(url)
        fill(url, datetime.now(UTC).date(), BIG if given.big else SMALL)
        if given.picture:
            picture(url, given.picture)


if __name__ == "__main__":
    main()
