"""The benchmarks' bars: the same numbers give the same bars, whole or in pieces."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from benchmarks.cases import CASES, base
from benchmarks.data_files import made
from benchmarks.made_bars import CHUNK, Stretch, Universe, tickers


def whole(stretch: Stretch) -> pl.DataFrame:
    return pl.concat(stretch.frames())


def test_a_seed_gives_these_very_bars() -> None:
    frame = whole(Stretch(Universe(6, symbols=2), 389, 391))

    assert frame.select("provider", "symbol", "interval", "ts").rows() == [
        ("polygon", "AAAA", "1m", datetime(2024, 1, 2, 20, 59, tzinfo=UTC)),
        ("polygon", "AAAA", "1m", datetime(2024, 1, 3, 14, 30, tzinfo=UTC)),
        ("polygon", "BDWZ", "1m", datetime(2024, 1, 2, 20, 59, tzinfo=UTC)),
        ("polygon", "BDWZ", "1m", datetime(2024, 1, 3, 14, 30, tzinfo=UTC)),
    ]
    assert frame.equals(whole(Stretch(Universe(6, symbols=2), 389, 391)))
    assert not frame.equals(whole(Stretch(Universe(6, symbols=2, seed=2), 389, 391)))


def test_bars_are_plausible_and_their_keys_are_unique() -> None:
    frame = whole(base(Universe(20_000)))

    assert frame.height == 20_000
    assert frame.n_unique(["symbol", "ts"]) == 20_000
    assert frame["ts"].dt.weekday().max() <= 5  # type: ignore[operator]
    low, high = pl.col("low"), pl.col("high")
    inside = [pl.col(name).is_between(low, high) for name in ("open", "close", "vwap")]
    assert frame.select(pl.all_horizontal(*inside, low > 0, pl.col("volume") > 0).all()).item()


def test_a_stretch_is_cut_out_of_a_longer_one() -> None:
    universe = Universe(4_000, symbols=40)
    all_bars = whole(Stretch(universe, 0, 100))
    cut = all_bars.filter(pl.int_range(pl.len()).over("symbol").is_between(60, 79))

    assert whole(Stretch(universe, 60, 80)).equals(cut)


def test_by_time_is_the_same_bars_in_another_order() -> None:
    stretch = base(Universe(2_000, symbols=20))
    by_time = whole(replace(stretch, by_time=True))

    assert by_time.equals(whole(stretch).sort("ts", "symbol"))


def test_restated_bars_differ_in_about_the_share_asked_for() -> None:
    stretch = base(Universe(50_000))
    before, after = whole(stretch), whole(replace(stretch, restated=0.1))
    changed = before.select(pl.struct(pl.all()) != pl.Series(after.to_struct())).to_series()

    assert 0.09 < changed.mean() < 0.11  # type: ignore[operator]
    assert before.select("symbol", "ts", "close").equals(after.select("symbol", "ts", "close"))


def test_tickers_are_different_and_sorted() -> None:
    names = tickers(500)

    assert len(set(names)) == 500
    assert names == sorted(names)
    assert names[0] == "AAAA"


@pytest.mark.parametrize("name", CASES)
def test_a_case_ends_with_its_source_in_the_table(name: str) -> None:
    """The file decides its keys; the rest equals the base."""
    universe = Universe(2_000, symbols=20)
    case = CASES[name]
    source = whole(case.source(universe))
    stored = whole(base(universe)) if case.full else source.clear()
    key = ["provider", "symbol", "ts"]
    kept = stored.join(source, on=key, how="anti")
    after = pl.concat(whole(stretch) for stretch in case.after(universe))

    assert after.sort(key).equals(pl.concat([kept, source]).sort(key))


def test_files_stream_in_row_groups_and_hold_the_bars(tmp_path: Path) -> None:
    stretch = base(Universe(CHUNK + 1000, symbols=2))
    parquet, csv = made(stretch, "parquet", tmp_path), made(stretch, "csv", tmp_path)

    assert [pq.ParquetFile(parquet).metadata.row_group(i).num_rows for i in range(2)] == [
        CHUNK,
        1000,
    ]
    assert pl.read_parquet(parquet).equals(whole(stretch))
    assert pl.read_csv(csv, schema=whole(stretch).schema).equals(whole(stretch))
    assert csv.read_text().startswith(
        "provider,symbol,interval,ts,open,high,low,close,volume,vwap,trade_count\n"
        "polygon,AAAA,1m,2024-01-02T14:30:00Z,"
    )


def test_a_file_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    path = made(base(Universe(10)), "parquet", tmp_path)
    path.write_bytes(b"kept")

    assert made(base(Universe(10)), "parquet", tmp_path).read_bytes() == b"kept"
