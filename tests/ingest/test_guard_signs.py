"""The signs of the guard, each with made bars, through the whole load."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.bars import INTERVAL_SECONDS, SCHEMA
from loader.ingest.guard import Judgement
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import FileResult, LoadResult
from loader.results.history import Finding
from loader.settings import RejectLimit, Settings
from loader.store.runs import JobRunTracker
from loader.store.versions.selection import Since
from loader.store.versions.undo import rollback

T0 = datetime(2024, 3, 4, tzinfo=UTC)
Rows = list[dict[str, Any]]
Change = Callable[[dict[str, Any]], dict[str, Any]]


def walk(
    symbol: str = "ALFA", bars: int = 300, *, interval: str = "1m", seed: int = 1,
    provider: str = "p", start: datetime = T0, digits: int = 2,
) -> Rows:  # fmt: skip
    """A random walk in ticks. Every price is a whole number of ticks, every volume of units."""
    chance = random.Random(f"{symbol} {seed}")
    price, rows = 10_000, []
    for n in range(bars):
        last, price = price, max(50, price + chance.randint(-30, 30))
        high, low = max(last, price) + chance.randint(0, 9), min(last, price) - chance.randint(0, 9)
        prices = {"open": last, "high": high, "low": low, "close": price}
        rows.append({
            "provider": provider, "symbol": symbol, "interval": interval,
            "ts": start + n * timedelta(seconds=INTERVAL_SECONDS[interval]),
            **{name: round(ticks / 10**digits, digits) for name, ticks in prices.items()},
            "volume": float(chance.randint(200, 90_000)), "vwap": None, "trade_count": None,
        })  # fmt: skip
    return rows


def times(rows: Rows, price: float = 1.0, volume: float = 1.0, digits: int = 2) -> Rows:
    """As a vendor does it: multiplied, then rounded."""
    return [
        row
        | {p: round(row[p] * price, digits) for p in ("open", "high", "low", "close")}
        | {"volume": float(round(row["volume"] * volume))}
        for row in rows
    ]


def moved(rows: Rows, by: timedelta) -> Rows:
    return [row | {"ts": row["ts"] + by} for row in rows]


def named(rows: Rows, **names: str) -> Rows:
    return [row | names for row in rows]


def run(url: str, rows: Rows, path: Path, **given: Any) -> LoadResult:
    pl.DataFrame(rows, schema={**SCHEMA}).write_parquet(path)
    with find([str(path)]) as sources:
        return load(Settings(**({"force": True} | given)), url, sources)


def one(url: str, rows: Rows, path: Path, **given: Any) -> FileResult:
    return run(url, rows, path, **given).files[0]


def bars(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT * FROM bars_ohlcv ORDER BY 1, 2, 3, 4").fetchall()


def left_behind(url: str) -> tuple[Any, ...]:
    """What tables hold beside the bars: revisions, rejects, loads, spellings."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM bars_ohlcv_revisions), "
            "(SELECT count(*) FROM bars_rejected), (SELECT count(*) FROM bars_loads), "
            "(SELECT count(*) FROM provider_symbols)"
        ).fetchone()
    assert row is not None
    return row


def hour(n: float) -> timedelta:
    return timedelta(hours=n)


WAYS: dict[str, dict[str, Any]] = {
    "one batch": {},
    "batches": {"batch_rows": 70},
    "parts": {"commit_every": 150},
    "dry run": {"dry_run": True},
}
REFUSED: dict[str, tuple[Rows, Rows, str, str]] = {
    # name: stored, file, kind, a piece of the sentence
    "an hour late": (
        walk(bars=900), moved(walk(bars=900), hour(1)), "shift",
        "stored bars 1 h earlier",
    ),
    "an hour early": (
        walk(bars=900), moved(walk(bars=900), hour(-1)), "shift",
        "stored bars 1 h later",
    ),
    "a bar late": (
        walk(bars=300), moved(walk(bars=300), timedelta(minutes=1)), "shift",
        "stored bars 1 min earlier",
    ),
    "half a bar late": (
        walk(bars=300, interval="1h"), moved(walk(bars=300, interval="1h"), hour(0.5)), "shift",
        "stored bars 30 min earlier",
    ),
    "New York taken for UTC, over a change of the clocks": (
        walk(bars=1_200, interval="1h"),
        [row | {"ts": row["ts"] - hour(5 if n < 600 else 4)}
         for n, row in enumerate(walk(bars=1_200, interval="1h")) if n != 600],
        "shift", "later",
    ),
    "days of the day before": (
        [row for row in walk(bars=120, interval="1d") if row["ts"].weekday() < 5],
        moved([row for row in walk(bars=120, interval="1d") if row["ts"].weekday() < 5],
              hour(-24)),
        "shift", "stored bars 1 d later",
    ),
    "cents": (walk(), times(walk(), 100), "price_scale", "by one factor 100 from 2024-03-04 to"),
    "pounds": (
        walk(digits=0), times(walk(digits=0), 0.01), "price_scale", "by one factor 0.01 from",
    ),
    "lots": (walk(), times(walk(), 1, 100), "volume_scale", "by one factor 100: looks like"),
    "thousands, rounded": (
        walk(), times(walk(), 1, 0.001), "volume_scale", "by one factor 0.001",
    ),
    "money for volume": (
        walk(),
        [row | {"volume": round(row["volume"] * (row["high"] + row["low"]) / 2, 4)}
         for row in walk()],
        "volume_scale", "money in place of volume",
    ),
    "volumes of 0": (
        walk(), [row | {"volume": 0.0} for row in walk()], "volume_scale",
        "300 bars of ALFA 1m lost their volumes: looks like a file without them",
    ),
    "no volumes": (
        walk() + walk("BETA"), [row | {"volume": None} for row in walk()], "volume_scale",
        "300 bars of ALFA 1m lost their volumes",
    ),
    "no volumes, and every other close corrected": (
        walk(),
        [row | {"volume": None, "close": row["high"] if n % 2 else row["close"]}
         for n, row in enumerate(walk())],
        "volume_scale", "300 bars of ALFA 1m lost their volumes",
    ),
    "no volumes, a few bars of many symbols": (
        [row for n in range(40) for row in walk(f"S{n}", 3, interval="1d")],
        [row | {"volume": None} for n in range(40) for row in walk(f"S{n}", 3, interval="1d")],
        "volume_scale", "120 bars of 40 series together 1d lost their volumes",
    ),
    "cents, after a split": (
        times(walk(), 0.5, 2), times(walk(), 100), "price_scale",
        "by one factor 200 from 2024-03-04 to 2024-03-04: looks like another unit of prices, and a "
        "split",
    ),
    "another symbol": (
        walk() + walk("BETA"), named(walk("BETA"), symbol="ALFA"), "other_series",
        "changed to the prices of p BETA",
    ),
    "another provider": (
        walk() + walk(provider="q", seed=2), named(walk(seed=2), provider="p"), "other_series",
        "changed to the prices of q ALFA",
    ),
    "cents, a few bars of many symbols": (
        [row for n in range(40) for row in walk(f"S{n}", 3, interval="1d")],
        times([row for n in range(40) for row in walk(f"S{n}", 3, interval="1d")], 100),
        "price_scale", "120 bars of 40 series together 1d changed by one factor 100",
    ),
    "an hour late, a few bars of many symbols": (
        [row for n in range(40) for row in walk(f"S{n}", 12, interval="1h")],
        moved([row for n in range(40) for row in walk(f"S{n}", 12, interval="1h")], hour(1)),
        "shift", "1 h earlier",
    ),
    "another provider, one bar of each symbol": (
        [row for n in range(40) for row in
         walk(f"S{n}", 1, interval="1d") + walk(f"S{n}", 1, interval="1d", provider="q", seed=2)],
        [row for n in range(40) for row in walk(f"S{n}", 1, interval="1d", seed=2)],
        "other_series", "changed to the prices of the provider q",
    ),
}  # fmt: skip


def in_ways(cases: Iterable[str], *all_ways: str) -> list[tuple[str, str]]:
    """Each case in one way, by turns; `all_ways` in every one."""
    ways = list(WAYS)
    return [
        (case, way)
        for n, case in enumerate(cases)
        for k, way in enumerate(ways)
        if case in all_ways or k == n % len(ways)
    ]


@pytest.mark.parametrize(
    ("case", "way"), in_ways(REFUSED, "an hour late", "cents", "lots", "another symbol")
)
def test_a_file_that_looks_like_a_mistake_is_refused(
    emptied_url: str, tmp_path: Path, case: str, way: str
) -> None:
    stored, file, kind, words = REFUSED[case]
    if way == "parts":
        file = sorted(file, key=lambda row: (row["symbol"], row["ts"]))
    assert run(emptied_url, stored, tmp_path / "stored.parquet").exit_code == 0
    before, behind = bars(emptied_url), left_behind(emptied_url)
    result = run(emptied_url, file, tmp_path / "file.parquet", **WAYS[way])
    (told,) = result.files
    assert [(f.kind, f.action) for f in told.findings if f.kind != "gone"] == [(kind, "refused")]
    assert result.exit_code == 4
    assert told.state == ("refused" if told.counts.written == 0 else "partial")
    assert words in told.findings[0].text
    assert told.error is not None
    assert told.error.startswith(f"{told.path}: {told.findings[0].text}; ")
    assert f"--accept {kind}" in (told.hint or "")
    if told.state == "refused":
        assert bars(emptied_url) == before
        assert left_behind(emptied_url) == behind
        assert told.counts.rejected == told.counts.read
        assert told.counts.read == (min(150, len(file)) if way == "parts" else len(file))
    assert told.history.changed + told.history.inserted_between >= 20


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_loaded_if_its_kind_is_accepted(emptied_url: str, tmp_path: Path, case: str) -> None:
    stored, file, kind, _ = REFUSED[case]
    run(emptied_url, stored, tmp_path / "stored.parquet")
    others = {"shift", "price_scale", "volume_scale", "other_series", "restated", "gone"} - {kind}
    refused = run(emptied_url, file, tmp_path / "file.parquet", accept=tuple(others))
    assert refused.exit_code == 4
    result = run(emptied_url, file, tmp_path / "file.parquet", accept=(kind,))
    (told,) = result.files
    assert (result.exit_code, told.state) == (0, "loaded")
    assert [(f.kind, f.action) for f in told.findings if f.kind != "gone"] == [(kind, "accepted")]
    with psycopg.connect(emptied_url) as connection:
        row = connection.execute(
            "SELECT r.metadata -> 'accept', f.findings -> 0 ->> 'action', f.bars_changed "
            "FROM job_runs r JOIN job_run_files f ON f.run_id = r.id ORDER BY r.id DESC LIMIT 1"
        ).fetchone()
    assert row == ([kind], "accepted", told.counts.updated)


TWICE: dict[str, tuple[Rows, Rows, list[tuple[str, str]]]] = {
    # name: stored, file, kinds and pieces of their sentences
    "an hour late, in cents": (
        walk(bars=900), moved(times(walk(bars=900), 100), hour(1)),
        [("shift", "have 100 times the prices of stored bars 1 h earlier (4"),
         ("price_scale", "are 100 times those of stored bars at other times: looks like another")],
    ),
    "an hour early, in pounds": (
        walk(bars=900, digits=0), moved(times(walk(bars=900, digits=0), 0.01), hour(-1)),
        [("shift", "have 0.01 times the prices of stored bars 1 h later"),
         ("price_scale", "are 0.01 times those of stored bars at other times")],
    ),
    "an hour late, without volumes": (
        walk(bars=900), moved([row | {"volume": None} for row in walk(bars=900)], hour(1)),
        [("shift", "have the prices of stored bars 1 h earlier"),
         ("volume_scale", "840 bars of ALFA 1m lost their volumes")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TWICE)
def test_each_of_two_mistakes_is_refused(emptied_url: str, tmp_path: Path, case: str) -> None:
    stored, file, kinds = TWICE[case]
    run(emptied_url, stored, tmp_path / "stored.parquet")
    before = bars(emptied_url)
    for accepted in ((), (kinds[0][0],), (kinds[1][0],)):
        told = one(emptied_url, file, tmp_path / "file.parquet", accept=accepted)
        found = [each for each in told.findings if each.kind != "gone"]
        assert [(each.kind, each.action) for each in found] == [
            (kind, "accepted" if kind in accepted else "refused") for kind, _ in kinds
        ]
        assert all(words in each.text for each, (_, words) in zip(found, kinds, strict=True))
        assert (told.state, told.exit_code) == ("refused", 4)
        assert bars(emptied_url) == before
    told = one(emptied_url, file, tmp_path / "file.parquet", accept=tuple(k for k, _ in kinds))
    assert told.state == "loaded"


def plus(rows: Rows, *steps: tuple[int, float]) -> Rows:
    """Prices before each place plus its amount, as contracts of a future are joined."""
    found = rows
    for place, amount in steps:
        found = [
            row | {p: round(row[p] + amount, 2) for p in ("open", "high", "low", "close")}
            if n < place else row
            for n, row in enumerate(found)
        ]  # fmt: skip
    return found


def back(rows: Rows, *steps: tuple[int, float], volume: bool = False) -> Rows:
    """Prices before each place times its factor, as dividends (or splits) are taken out."""
    found = rows
    for place, factor in steps:
        scaled = times(found[:place], factor, 1 / factor if volume else 1, digits=4)
        found = scaled + found[place:]
    return found


def with_highs(rows: Rows, by: float) -> Rows:
    return [row | {"high": round(row["high"] + by, 2)} for row in rows]


def pegged(symbol: str, seed: int) -> Rows:
    """Prices that stay within three ticks of 1."""
    chance = random.Random(seed)
    rows = []
    for row in walk(symbol):
        first, last = chance.randint(-1, 1), chance.randint(-1, 1)
        ticks = {"open": first, "high": max(first, last) + chance.randint(0, 1),
                 "low": min(first, last) - chance.randint(0, 1), "close": last}  # fmt: skip
        rows.append(row | {name: round(1 + n / 10_000, 4) for name, n in ticks.items()})
    return rows


REPORTED: dict[str, tuple[Rows, Rows, str, str]] = {
    "two for one": (
        walk(interval="1d"), times(walk(interval="1d"), 0.5, 2), "split",
        "300 bars of ALFA 1d changed by one factor 0.5 from 2024-03-04 to 2024-12-28: "
        "looks like a split",
    ),
    "two for one, without volumes": (
        walk(interval="1d"), times(walk(interval="1d"), 0.5, 1), "adjustment",
        "300 bars of ALFA 1d changed by one factor 0.5 from 2024-03-04 to 2024-12-28: "
        "looks like a split, by prices alone",
    ),
    "ten for one": (
        walk(interval="1d"), times(walk(interval="1d"), 0.1, 10, digits=4), "split",
        "by one factor 0.1 from",
    ),
    "one for eight": (
        walk(interval="1d"), times(walk(interval="1d"), 8, 1 / 8), "split", "by one factor 8 from",
    ),
    "three for two, with the bars since": (
        walk(interval="1d", bars=250), back(walk(interval="1d"), (200, 2 / 3), volume=True),
        "split",
        "200 bars of ALFA 1d changed by one factor 0.666667 from 2024-03-04 to 2024-09-19",
    ),
    "a dividend": (
        walk(interval="1d", bars=250), back(walk(interval="1d"), (200, 0.9934)), "adjustment",
        "200 bars of ALFA 1d changed by one factor 0.9934 from 2024-03-04 to 2024-09-19: looks "
        "like dividends taken out of earlier prices",
    ),
    "three dividends": (
        walk(interval="1d", bars=250),
        back(walk(interval="1d"), (60, 0.991), (120, 0.993), (180, 0.99)), "adjustment",
        "by 3 factors (0.97",
    ),
    "two splits": (
        walk(interval="1d", bars=250),
        back(walk(interval="1d"), (100, 0.5), (200, 0.25), volume=True), "split", "by 2 factors",
    ),
    "a roll of futures": (
        walk("ES", interval="1d", bars=250), plus(walk("ES", interval="1d"), (200, 12.25)),
        "difference",
        "200 bars of ES 1d changed by one amount +12.25 from 2024-03-04 to 2024-09-19: looks like "
        "contracts of futures that were joined anew",
    ),
    "three rolls of futures": (
        walk("ES", interval="1d", bars=250),
        plus(walk("ES", interval="1d"), (60, -3.5), (120, 4.25), (180, -20.0)), "difference",
        "by 3 amounts (-19.25 from 2024-03-04 to 2024-05-02, -15.75 from 2024-05-03 to ",
    ),
    "highs corrected to what another provider has": (
        walk(provider="q") + with_highs(walk(), 0.03), walk(), "other_series",
        "300 bars of ALFA 1m changed to the prices of q ALFA (75 of 75 that were compared): by "
        "little, as corrections do",
    ),
    "highs corrected to what another provider has, a few bars of many symbols": (
        [row for n in range(40) for row in
         walk(f"S{n}", 3, provider="q") + with_highs(walk(f"S{n}", 3), 0.3)],
        [row for n in range(40) for row in walk(f"S{n}", 3)], "other_series",
        "changed to the prices of the provider q",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("case", "way"), in_ways(REPORTED, "two splits", "a roll of futures"))
def test_what_is_reported_and_loaded(emptied_url: str, tmp_path: Path, case: str, way: str) -> None:
    stored, file, kind, words = REPORTED[case]
    run(emptied_url, stored, tmp_path / "stored.parquet")
    result = run(emptied_url, file, tmp_path / "file.parquet", **WAYS[way])
    (told,) = result.files
    assert (result.exit_code, told.state, told.error) == (0, "loaded", None)
    assert [(f.kind, f.action) for f in told.findings] == [(kind, "noted")]
    assert words in told.findings[0].text
    assert told.findings[0].text in [note.text for note in told.notes]


def corrected(rows: Rows, share: float, seed: int) -> Rows:
    """Some closes one tick further, within high and low as they are then."""
    chance = random.Random(seed)
    return [
        row | {"close": round(row["close"] + 0.01, 2), "high": round(row["high"] + 0.02, 2)}
        if chance.random() < share else row
        for row in rows
    ]  # fmt: skip


SILENT: dict[str, tuple[Rows, Rows]] = {
    "nothing changes": (walk(), walk()),
    "more bars": (walk(bars=200), walk()),
    "one in a hundred corrected": (walk(bars=3_000), corrected(walk(bars=3_000), 0.01, 1)),
    "one in ten corrected": (walk(bars=3_000), corrected(walk(bars=3_000), 0.1, 1)),
    "all corrected by a tick": (walk(), corrected(walk(), 1.0, 1)),
    "every value is another": (walk(), walk(seed=2)),
    "volumes completed": (
        walk(), [row | {"volume": row["volume"] + n % 7 + 1} for n, row in enumerate(walk())],
    ),
    "nineteen bars in cents": (walk(bars=19), times(walk(bars=19), 100)),
    "a price that stands still, an hour late": (
        [row | {"open": 5.0, "high": 5.0, "low": 5.0, "close": 5.0} for row in walk()],
        moved([row | {"open": 5.0, "high": 5.0, "low": 5.0, "close": 5.0} for row in walk()],
              hour(1)),
    ),
    "bars between": (walk()[::2], walk()),
    "volumes restated, prices as another provider has them": (
        walk(provider="q") + walk(),
        [row | {"volume": row["volume"] + n % 7 + 1} for n, row in enumerate(walk())],
    ),
    "an hour without volumes, as a vendor may correct it": (
        walk(),
        [row | {"volume": 0.0} if 100 <= n < 160 else row for n, row in enumerate(walk())],
    ),
    "volumes that were not there": ([row | {"volume": None} for row in walk()], walk()),
    "another walk in another unit": (walk(), times(walk(seed=2), 100)),
    "vwap added, prices as another provider has them": (
        walk(provider="q") + walk(), [row | {"vwap": row["close"]} for row in walk()],
    ),
    "volumes restated, prices as another symbol has them": (
        named(walk(), symbol="BETA") + walk(),
        [row | {"volume": row["volume"] + n % 7 + 1} for n, row in enumerate(walk())],
    ),
    "volumes restated, and a stretch of prices as another provider has them": (
        walk(provider="q") + walk(bars=270) + walk(seed=2)[270:],
        [row | {"volume": row["volume"] + n % 7 + 1} for n, row in enumerate(walk())],
    ),
    "pegged symbols": (
        pegged("BETA", 1) + pegged("ALFA", 2), named(pegged("BETA", 1), symbol="ALFA"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
def test_what_is_no_sign(emptied_url: str, tmp_path: Path, case: str) -> None:
    stored, file = SILENT[case]
    run(emptied_url, stored, tmp_path / "stored.parquet")
    told = one(emptied_url, file, tmp_path / "file.parquet")
    assert (told.state, [f for f in told.findings if f.kind != "gone"]) == ("loaded", [])


def limits(url: str, tmp_path: Path, rows: Rows, **given: str) -> FileResult:
    parsed = {name: RejectLimit.parse(text) for name, text in given.items()}
    return one(url, rows, tmp_path / "file.parquet", dry_run=True, **parsed)


def test_more_changed_than_is_allowed(emptied_url: str, tmp_path: Path) -> None:
    """200 bars are stored and met, 50 of them change."""
    run(emptied_url, walk(bars=200), tmp_path / "stored.parquet")
    rows = walk(bars=150) + corrected(walk(bars=300)[150:200], 1.0, 1) + walk(bars=300)[200:]
    for allowed in ("50", "25%"):
        assert limits(emptied_url, tmp_path, rows, max_restated=allowed).state == "loaded"
    for allowed in ("49", "24%", "0"):
        told = limits(emptied_url, tmp_path, rows, max_restated=allowed)
        assert (told.state, told.exit_code) == ("refused", 4)
        assert told.findings[0].text == (
            "50 of 200 stored bars that the file meets would change, more than --max-restated "
            f"{allowed} allows"
        )
    told = one(emptied_url, rows, tmp_path / "a.parquet", accept=("restated",),
               max_restated=RejectLimit(rows=0))  # fmt: skip
    assert (told.state, told.findings[0].action) == ("loaded", "accepted")


def test_more_gone_than_is_allowed(emptied_url: str, tmp_path: Path) -> None:
    run(emptied_url, walk(bars=200), tmp_path / "stored.parquet")
    rows = walk()[:50] + walk()[60:210]
    told = one(emptied_url, rows, tmp_path / "file.parquet")
    assert [(f.kind, f.action, f.evidence) for f in told.findings] == [
        ("gone", "noted", {"gone": 10, "met": 190, "series": 1})
    ]
    assert told.notes[-1].text == (
        "10 stored bars within the span of the file are absent from it: ALFA 1m 10 (they stay; "
        "--delete-gone deletes them)"
    )
    # Now 200 are met and 10 gone.
    for allowed in ("10", "4.8%"):
        assert limits(emptied_url, tmp_path, rows, max_gone=allowed).state == "loaded"
    for allowed in ("9", "4.7%"):
        told = limits(emptied_url, tmp_path, rows, max_gone=allowed)
        assert (told.state, told.exit_code) == ("refused", 4)
        assert told.findings[0].text.endswith(f"; more than --max-gone {allowed} allows")


@pytest.mark.parametrize("order", ["in order", "shuffled"])
@pytest.mark.parametrize("way", ["one batch", "batches", "parts"])
def test_bars_that_are_gone_are_deleted_on_record(
    emptied_url: str, tmp_path: Path, way: str, order: str
) -> None:
    """And come back with a rollback of the run. Series that the file does not have stay, and so do
    bars outside of its span."""
    run(emptied_url, walk() + walk("BETA"), tmp_path / "stored.parquet")
    before = {row[:8] for row in bars(emptied_url)}
    rows = corrected(walk()[20:100], 0.1, 1) + walk()[110:] + walk(bars=310)[300:]
    if order == "shuffled":
        random.Random(1).shuffle(rows)
    result = run(emptied_url, rows, tmp_path / "file.parquet", delete_gone=True, **WAYS[way])
    (told,) = result.files
    assert (told.state, told.history.gone, told.history.deleted) == ("loaded", 10, 10)
    kept = {(row["symbol"], row["ts"]) for row in walk()[:100] + walk()[110:] + walk("BETA")}
    kept |= {(row["symbol"], row["ts"]) for row in walk(bars=310)[300:]}
    assert {(row[1], row[3]) for row in bars(emptied_url)} == kept
    with psycopg.connect(emptied_url) as connection:
        found = connection.execute(
            "SELECT count(*), min(ts), max(ts), count(DISTINCT file_id), count(DISTINCT run_id) "
            "FROM bars_ohlcv_revisions WHERE op = 'delete' AND new_open IS NULL"
        ).fetchone()
        (deleted,) = connection.execute("SELECT sum(deleted) FROM bars_loads").fetchone() or (0,)
    assert found == (10, walk()[100]["ts"], walk()[109]["ts"], 1, 1)
    assert deleted == 10
    assert result.run_id is not None
    undone = rollback(emptied_url, Since(run_id=result.run_id), None)
    assert undone.deleted == 10  # the ten new ones
    with JobRunTracker(emptied_url, metrics=None) as tracker:
        rollback(emptied_url, Since(run_id=result.run_id), tracker.start_run("back"))
    assert {row[:8] for row in bars(emptied_url)} == before


@pytest.mark.parametrize("way", ["one batch", "batches", "parts"])
def test_a_bar_with_a_rejected_row_is_not_deleted(
    emptied_url: str, tmp_path: Path, way: str
) -> None:
    """The vendor has not withdrawn it, but written it wrong."""
    run(emptied_url, walk(), tmp_path / "stored.parquet")
    rows = [
        row | {"high": row["low"] - 1} if n in (50, 51) else row for n, row in enumerate(walk())
    ]
    given: dict[str, Any] = {"delete_gone": True, "max_rejects": RejectLimit(rows=2), **WAYS[way]}
    (told,) = run(emptied_url, rows[:100] + rows[110:], tmp_path / "file.parquet", **given).files
    assert (told.state, told.counts.rejected, told.history.deleted) == ("loaded", 2, 10)
    kept = {row["ts"] for row in walk()[:100] + walk()[110:]}
    assert {row[3] for row in bars(emptied_url)} == kept


def test_the_same_file_is_loaded_again_to_delete_what_it_lacks(
    emptied_url: str, tmp_path: Path
) -> None:
    run(emptied_url, walk(), tmp_path / "stored.parquet")
    rows = walk()[:50] + walk()[60:]
    path = tmp_path / "file.parquet"
    states = [
        one(emptied_url, rows, path, force=False, delete_gone=deletes).state
        for deletes in (False, False, True, True)
    ]
    assert states == ["loaded", "known", "loaded", "known"]
    assert len(bars(emptied_url)) == 290


def test_two_loads_of_a_file_that_is_late_at_once(emptied_url: str, tmp_path: Path) -> None:
    run(emptied_url, walk(bars=900), tmp_path / "stored.parquet")
    before = bars(emptied_url)
    for name in ("a", "b"):
        late = moved(walk(bars=900), hour(1))
        pl.DataFrame(late, schema={**SCHEMA}).write_parquet(tmp_path / f"{name}.parquet")
    with find([str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")]) as sources:
        result = load(Settings(workers=2), emptied_url, sources)
    assert [file.state for file in result.files] == ["refused", "refused"]
    assert bars(emptied_url) == before


@pytest.mark.parametrize(
    ("refused", "more"),
    [(1, ""), (2, " (and 1 more finding)"), (3, " (and 2 more findings)")],
)
def test_a_refusal_counts_its_other_findings(refused: int, more: str) -> None:
    findings = tuple(Finding("shift", "refused", f"text {n}") for n in range(refused))
    error = Judgement(findings=findings).refusal("a.csv", is_whole=True)
    assert str(error) == f"a.csv: text 0{more}; nothing of the file was merged"
