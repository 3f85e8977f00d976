"""What a file does to stored bars, counted: against a slow oracle, whichever way it is loaded."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.bars import SCHEMA
from loader.db.executor import Executor
from loader.db.queries import shards
from loader.ingest import attempts, pieces
from loader.ingest.pipeline import load
from loader.ingest.run import LoadMode
from loader.read.sources import find
from loader.results import History, LoadResult
from loader.settings import RejectLimit, Settings
from loader.store.compare.reader import StoredReader
from loader.store.guard import spans
from tests.conftest import TIMESCALE, database

T0 = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
Series = tuple[str, str, str]
Bars = dict[Series, dict[datetime, float]]
Counts = dict[Series, tuple[int, int, int]]


@pytest.fixture(scope="module", params=["one table", "partitions"])
def module_url(request: pytest.FixtureRequest, server_url: str) -> Iterator[str]:
    if request.param == "partitions" and TIMESCALE:
        pytest.skip("a hypertable has partitions of its own")
    name = "template" if request.param == "one table" else "partitioned_template"
    with database(server_url, request.getfixturevalue(name)) as url:
        yield url


def emptied(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_loads, bars_rejected, "
                           "provider_symbols, job_run_files, job_runs CASCADE")  # fmt: skip


def rows_of(bars: Bars) -> list[dict[str, Any]]:
    return [
        {"provider": p, "symbol": s, "interval": i, "ts": ts, "open": close, "high": close + 1,
         "low": close - 1, "close": close, "volume": 5.0, "vwap": None, "trade_count": None}
        for (p, s, i), times in bars.items() for ts, close in times.items()
    ]  # fmt: skip


def run(url: str, rows: list[dict[str, Any]], path: Path, **given: Any) -> LoadResult:
    pl.DataFrame(rows, schema={**SCHEMA}).write_parquet(path)
    given = {"force": True, "stamp": "start", "max_rejects": RejectLimit(share=1.0)} | given
    with find([str(path)]) as sources:
        return load(Settings(**given), url, sources)


def expected(stored: Bars, file: Bars) -> Counts:
    """By series: stored bars that get another value, new ones between the first and the last stored
    one, and stored ones within the file's span that the file does not have."""
    found = {}
    for series, new in file.items():
        old = stored.get(series, {})
        if not old or not new:
            continue
        changed = sum(1 for ts in new if ts in old and old[ts] != new[ts])
        between = sum(1 for ts in new if ts not in old and min(old) < ts < max(old))
        gone = sum(1 for ts in old if min(new) <= ts <= max(new) and ts not in new)
        if changed or between or gone:
            found[series] = (changed, between, gone)
    return found


def insist_at_least(result: LoadResult, file: Bars, counted: Counts) -> None:
    """Where nothing wants all bars that are gone, no more than the truth, and eight for each bar of
    the file if there are so many; a note says so."""
    told = {(s.provider, s.symbol, s.interval): s for s in result.files[0].series}
    for series, (changed, between, gone) in counted.items():
        found = told[series].gone if series in told else 0
        assert min(gone, 8 * len(file[series])) <= found <= gone
        if found or changed or between:
            assert (told[series].changed, told[series].inserted_between) == (changed, between)
    assert told.keys() <= counted.keys()
    truth, all_found = sum(c[2] for c in counted.values()), sum(s.gone for s in told.values())
    assert result.files[0].history.gone == all_found
    if all_found < truth:
        (finding,) = [f for f in result.files[0].findings if f.kind == "gone"]
        assert finding.text.startswith(f"at least {all_found:,} stored bar")


SERIES = [("p", "AA", "1m"), ("p", "B.B", "1m"), ("q", "AA", "1m"), ("p", "AA", "1d")]


@st.composite
def one_file(draw: st.DrawFn) -> Bars:
    bars: Bars = defaultdict(dict)
    for series in SERIES:
        for step in draw(st.sets(st.integers(0, 24), max_size=14)):
            far = timedelta(days=40) if step > 17 else timedelta()
            minutes = series[2] == "1m"
            length = timedelta(minutes=1) if minutes else timedelta(days=1)
            start = T0 if minutes else datetime(2024, 3, 4, tzinfo=UTC)
            bars[series][start + step * length + far] = float(draw(st.integers(10, 11)))
    return {series: dict(sorted(times.items())) for series, times in bars.items()}


ORDERS = ["by series", "by time", "newest first", "shuffled"]


def ordered(rows: list[dict[str, Any]], order: str, seed: int) -> list[dict[str, Any]]:
    match order:
        case "by time":
            return sorted(rows, key=lambda row: row["ts"])
        case "newest first":
            return sorted(rows, key=lambda row: row["ts"], reverse=True)
        case "shuffled":
            return random.Random(seed).sample(rows, len(rows))
    return rows


def reads_chunks(*args: Any, **options: Any) -> StoredReader:
    return StoredReader(*args, **{**options, "in_chunks": lambda _: True})


def in_shards(session: Executor) -> shards.Shards:
    """Two of them, by the length of the symbol."""
    session.one("session_setup")
    return shards.Shards(lambda symbols: {name: len(name) % 2 for name in json.loads(symbols)})


@pytest.mark.parametrize("order", ORDERS)
@given(
    files=st.lists(one_file(), min_size=2, max_size=3),
    batch_rows=st.integers(1, 9),
    commit_every=st.sampled_from([None, None, 5]),
    direct=st.booleans(),
    seed=st.integers(0, 99),
    layout=st.sampled_from(["plain", "as in chunks", "as in shards"]),
)
@settings(max_examples=8)
def test_counts_are_those_of_the_oracle(
    module_url: str,
    tmp_path: Path,
    order: str,
    files: list[Bars],
    batch_rows: int,
    commit_every: int | None,
    direct: bool,
    seed: int,
    layout: str,
) -> None:
    emptied(module_url)
    stored: Bars = {}
    for n, file in enumerate(files):
        rows = ordered(rows_of(file), order, seed)
        counted = expected(stored, file)
        totals = [sum(counts) for counts in zip(*counted.values(), strict=True)] or [0, 0, 0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(attempts, "FIRST_MODE", LoadMode(direct=direct))
            if layout == "as in shards":
                patch.setattr(shards, "found", in_shards)
            if layout == "as in chunks":
                patch.setattr(pieces, "StoredReader", reads_chunks)
            if (
                layout == "as in chunks" or TIMESCALE
            ):  # `far` is further than bars are looked for there
                patch.setattr(spans, "_AROUND", timedelta(days=100))
            some = run(module_url, rows, tmp_path / f"{n}.parquet", dry_run=True,
                       batch_rows=batch_rows, commit_every=commit_every)  # fmt: skip
            assert some.status == "success", [f.error for f in some.files]
            insist_at_least(some, file, counted)
            for dry_run in (True, False):
                result = run(
                    module_url, rows, tmp_path / f"{n}.parquet", dry_run=dry_run,
                    batch_rows=batch_rows, commit_every=commit_every,
                    max_gone=RejectLimit(share=1.0),  # so that all that are gone are counted
                )  # fmt: skip
                assert result.status == "success", [f.error for f in result.files]
                history = result.files[0].history
                assert [history.changed, history.inserted_between, history.gone] == totals
                by_series = {
                    (s.provider, s.symbol, s.interval): (s.changed, s.inserted_between, s.gone)
                    for s in result.files[0].series
                }
                assert by_series == counted
                assert history.changed == result.counts.updated
        with psycopg.connect(module_url) as connection:
            row = connection.execute(
                "SELECT bars_changed, bars_inserted_between, bars_gone, jsonb_array_length(series) "
                "FROM job_run_files ORDER BY id DESC LIMIT 1"
            ).fetchone()
        assert row == (*totals, len(counted))
        for series, times in file.items():
            stored.setdefault(series, {}).update(times)


def test_many_bars_that_the_store_has_and_the_file_has_not(module_url: str, tmp_path: Path) -> None:
    """The store is so much denser that its bars are read in stretches, and only counted between."""
    emptied(module_url)
    times = [T0 + timedelta(minutes=n) for n in range(6_000)]
    series = ("p", "AA", "1m")
    run(module_url, rows_of({series: dict.fromkeys(times, 10.0)}), tmp_path / "all.parquet")
    kept = [ts for n, ts in enumerate(times) if n % 1_000 < 150]
    rows = rows_of({series: dict.fromkeys(kept, 10.0)})
    for batch_rows in (100, 100_000):
        result = run(module_url, rows, tmp_path / "some.parquet", batch_rows=batch_rows)
        assert result.counts.unchanged == 900
        assert result.history.gone == 5 * 850  # 850 between each two of the six stretches


def test_a_patch_counts_some_of_what_is_gone(module_url: str, tmp_path: Path) -> None:
    """Three bars of a year: of 5,997 that are gone, eight for each of its own are counted."""
    emptied(module_url)
    times = [T0 + timedelta(minutes=n) for n in range(6_000)]
    series = ("p", "AA", "1m")
    stored = {series: dict.fromkeys(times, 10.0)}
    run(module_url, rows_of(stored), tmp_path / "all.parquet")
    patch: Bars = {series: dict.fromkeys((times[0], times[3_000], times[-1]), 11.0)}
    result = run(module_url, rows_of(patch), tmp_path / "some.parquet", dry_run=True)
    insist_at_least(result, patch, expected(stored, patch))
    assert result.history.gone == 24
    exact = run(module_url, rows_of(patch), tmp_path / "some.parquet", dry_run=True,
                max_gone=RejectLimit(share=1.0))  # fmt: skip
    assert exact.history.gone == 5_997


def test_a_replay_and_an_append_do_nothing_to_stored_bars(module_url: str, tmp_path: Path) -> None:
    emptied(module_url)
    times = [T0 + timedelta(minutes=n) for n in range(200)]
    all_bars = {("p", name, "1m"): dict.fromkeys(times, 10.0) for name in ("AA", "BB")}
    first = {key: dict(list(bars.items())[:150]) for key, bars in all_bars.items()}
    for file in (first, first, all_bars):
        result = run(module_url, rows_of(file), tmp_path / "a.parquet", batch_rows=40)
        assert Counter(result.history.as_columns()) == Counter(
            bars_changed=0, bars_inserted_between=0, bars_gone=0, bars_deleted=0
        )
        assert result.files[0].series == ()


def test_counts_in_words() -> None:
    assert str(History(changed=1, gone=3)) == "1 stored bar changed, 3 gone"
    assert str(History(658, 121, 3)) == "658 stored bars changed, 121 inserted between, 3 gone"
    assert str(History()) == ""


def test_what_a_part_has_stored_is_not_gone(module_url: str, tmp_path: Path) -> None:
    """Of a file in no order and several parts, with a piece of new series alone among the first."""
    far = T0 + timedelta(days=40)

    def at(start: datetime, *steps: int) -> dict[datetime, float]:
        return {start + step * timedelta(minutes=1): 10.0 for step in steps}

    emptied(module_url)
    old: Bars = {
        ("p", "B.B", "1m"): at(far, 19, 21),
        ("p", "AA", "1d"): {datetime(2024, month, day, tzinfo=UTC): 10.0
                            for month, day in ((3, 4), (5, 7))},
    }  # fmt: skip
    new: Bars = {
        ("p", "B.B", "1m"): at(T0, *range(10), 12, 16) | at(far, 22, 24),
        ("q", "AA", "1m"): at(T0, *range(7), 14) | at(far, 21, 22),
        ("p", "AA", "1d"): {
            datetime(2024, month, day, tzinfo=UTC): 10.0
            for month, day in ((3, 4), (3, 5), (3, 18), (5, 5))
        },
    }
    run(module_url, rows_of(old), tmp_path / "old.parquet")
    rows = ordered(rows_of(new), "shuffled", 0)
    result = run(module_url, rows, tmp_path / "new.parquet",
                 batch_rows=9, commit_every=5, delete_gone=True)  # fmt: skip
    assert result.status == "success", [f.error for f in result.files]
    with psycopg.connect(module_url) as connection:
        stored = connection.execute(
            "SELECT provider, symbol, interval, ts FROM bars_ohlcv ORDER BY 1, 2, 3, 4"
        ).fetchall()
    kept = {(*series, ts) for series, times in new.items() for ts in times}
    kept.add(("p", "AA", "1d", datetime(2024, 5, 7, tzinfo=UTC)))  # beyond the file's last one
    assert stored == sorted(kept)
    assert result.files[0].history.gone == 2
