"""No sign over real files: loaded twice, with bars restated here and there, and appended to."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import polars as pl
import psycopg
import pytest
from click.testing import Result

from loader.bars import KEY, SCHEMA
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import FileResult
from loader.settings import RejectLimit, Settings
from tests.cli.test_samples import cli, store

__all__ = ["cli", "store"]  # fixtures

ROWS = list(csv.DictReader((Path(__file__).parent / "samples.csv").read_text().splitlines()))
LOADED = [row for row in ROWS if row["inserted"] not in ("", "0")]
#: Samples that a vendor published of the same bars, the earlier before the later; bars that they
#: have in common, and how many of these have another close.
LATER = [
    ("cryptodatadownload/coinbase-1h-btc-usd.csv",
     "cryptodatadownload/Coinbase_BTCUSD_1h.csv", 17_583, 1),
    ("custom_csv/6EH4.XCME_1min_bars.csv",
     "custom_csv/6EH4.XCME_1min_bars_20240101_20240131.csv.gz", 9, 0),
    ("dukascopy/BTCUSD/2020/BID_candles_day_1.bi5",
     "dukascopy/jetta_json/candles-day-BTC-USD-BID-2020.json", 364, 2),
    ("dukascopy/EURUSD/2018/BID_candles_day_1.bi5",
     "dukascopy/dukascopy-node_out/eurusd-d1-bid-2017-01-01-2020-01-01.csv", 313, 0),
    ("google_finance/orcl-2010-googlefinance-malformed.csv",
     "google_finance/orcl-2010-googlefinance.csv", 251, 0),
    ("tiingo/ticker_price_pandas_weekly_0.json",
     "tiingo/ticker_price_pandas_weekly_multiple_tickers_csv_0.csv", 3, 1),
]  # fmt: skip


def bars(url: str) -> pl.DataFrame:
    names = ", ".join(f'"{name}"' for name in SCHEMA)
    with psycopg.connect(url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(f"SELECT {names} FROM bars_ohlcv ORDER BY 1, 2, 3, 4").fetchall()
    return pl.DataFrame(rows, schema={**SCHEMA}, orient="row")


def dry(url: str, folder: Path, **frames: pl.DataFrame) -> dict[str, FileResult]:
    """What a load of each frame would come to."""
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    settings = Settings(force=True, max_rejects=RejectLimit(share=1.0), check_grid=False,
                        allow_nonpositive_prices=True, dry_run=True)  # fmt: skip
    with find([str(folder / f"{name}.parquet") for name in frames]) as sources:
        result = load(settings, url, sources)
    return {Path(file.path).stem: file for file in result.files}


def restated(frame: pl.DataFrame, every: int) -> pl.DataFrame:
    """Each so-manieth bar closes at its high, and has more volume."""
    chosen = pl.int_range(pl.len()) % every == every // 2
    return frame.with_columns(
        close=pl.when(chosen).then("high").otherwise("close"),
        volume=pl.when(chosen).then(pl.col("volume") + 3).otherwise("volume"),
    )


@pytest.mark.parametrize("row", LOADED, ids=[row["file"] for row in LOADED])
def test_no_sign_over_a_sample(
    row: dict[str, str], samples: Path, store: str, cli: Callable[..., Result], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(samples)
    with psycopg.connect(store, autocommit=True) as connection:
        connection.execute("TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_loads")
        ran = cli("--database", store, "-q", "backfill", row["file"], *shlex.split(row["options"]),
                  "--force", "--json")  # fmt: skip
        assert (ran.return_value, json.loads(ran.stdout)["findings"]) == (0, [])
        frame = bars(store)
        told = dry(store, tmp_path, twice=frame, hundredth=restated(frame, 100),
                   tenth=restated(frame, 10))  # fmt: skip
        last = frame.filter(pl.int_range(pl.len()) >= pl.len() * 0.8)
        connection.execute(
            "DELETE FROM bars_ohlcv WHERE (provider, symbol, interval, ts) IN"
            " (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]))",
            [last[name].to_list() for name in KEY],
        )
    told |= dry(store, tmp_path, appended=frame)
    assert {
        name: (file.state, file.error, file.findings) for name, file in told.items()
    } == dict.fromkeys(("twice", "hundredth", "tenth", "appended"), ("loaded", None, ()))
    assert told["twice"].counts.updated == 0
    assert told["appended"].counts.inserted == last.height
    if frame.height >= 20:
        assert told["tenth"].counts.updated > 0


@pytest.mark.parametrize(("first", "later", "common", "closes"), LATER)
def test_no_sign_over_a_later_version_of_a_sample(
    first: str, later: str, common: int, closes: int, samples: Path, store: str,
    cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(samples)
    with psycopg.connect(store, autocommit=True) as connection:
        connection.execute("TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_loads")
    held, told = [], {}
    for name in (first, later):
        (options,) = (row["options"] for row in LOADED if row["file"] == name)
        ran = cli("--database", store, "-q", "backfill", name, *shlex.split(options), "--force",
                  "--json")  # fmt: skip
        told = json.loads(ran.stdout)
        assert (ran.return_value, told["findings"]) == (0, [])
        held.append(bars(store))
    both = held[0].join(held[1], on=KEY, suffix="_later")
    assert both.filter(pl.col("close") != pl.col("close_later")).height == closes
    (file,) = told["files"]
    assert file["rows_updated"] + file["rows_unchanged"] == common
