"""Real files, against independent readings and partly against each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loader.settings import Settings
from tests.dialects.by_hand import crypto, engines, equities, fx
from tests.support.golden import Bar, Sample, Unsaid, taken_in

FAMILIES = (crypto, engines, equities, fx)


def read(path: Path) -> list[Bar]:
    return taken_in(path, Settings(), 50_000).bars


@pytest.mark.parametrize(
    "sample", [s for family in FAMILIES for s in family.SAMPLES], ids=lambda sample: sample.path
)
def test_every_bar_is_as_read_by_hand(sample: Sample, samples: Path) -> None:
    sample.check(samples)


@pytest.mark.parametrize(
    "unsaid", [u for family in FAMILIES for u in family.UNSAID], ids=lambda unsaid: unsaid.path
)
def test_what_a_file_and_its_name_do_not_say_is_asked_for(unsaid: Unsaid, samples: Path) -> None:
    unsaid.check(samples)


def test_hours_with_and_without_a_banner_are_the_same_hours(samples: Path) -> None:
    """One file says that its times are UTC; the other, of the same trades, does not."""
    folder = samples / "cryptodatadownload"
    one, other = (
        {row[3]: row[4:8] for row in read(folder / name)}
        for name in ("Coinbase_BTCUSD_1h.csv", "coinbase-1h-btc-usd.csv")
    )
    both = one.keys() & other.keys()
    assert len(both) == 17_583
    assert sum(one[ts] == other[ts] for ts in both) > 0.99 * len(both)


def test_no_bar_of_one_publisher_overwrites_that_of_another(samples: Path) -> None:
    path = samples / "databento/OPRA.PILLAR/test_data.ohlcv-1m.dbn.zst"
    loaded = taken_in(path, Settings(provider="opra"), 1000)
    assert [row[0] for row in loaded.bars] == [f"databento-{n}" for n in (31, 33, 37, 22)]
    assert len({row[1:4] for row in loaded.bars}) == 1
    assert any("provider is what column 'provider' says" in note for note in loaded.notes)


def test_two_formats_agree_on_one_stock(samples: Path) -> None:
    """hikyuu's lots and thousandths against TDX's shares and hundredths, of SH600000."""
    ours, theirs = (
        {row[3]: row[4:9] for row in read(samples / name) if row[1] == "SH600000"}
        for name in ("hikyuu/sh_day.h5", "tdx/vipdoc/sh/lday/sh600000.day")
    )
    both = ours.keys() & theirs.keys()
    same = [day for day in both if ours[day][:4] == theirs[day][:4]]
    assert len(same) > 0.98 * len(both) > 2_000
    lots = [abs(ours[day][4] - theirs[day][4]) <= 100 for day in same]
    assert sum(lots) > 0.95 * len(lots)


def test_two_providers_have_the_same_sessions(samples: Path) -> None:
    """Both files have each day of 2011 on which New York traded."""
    yahoo, quandl = (
        [row[3] for row in read(samples / name)]
        for name in ("yahoo_csv/SPY-2011-yahoofinance.csv", "quandl_wiki/WIKI-AAPL-2011-quandl.csv")
    )
    assert yahoo == quandl
    assert len(yahoo) == 252


@pytest.mark.parametrize(
    "path", ["empty.bi5", "jetta_json/candles-minute-EUR-USD-BID-2026-7-11-empty.json"]
)
def test_a_day_without_trading_is_no_error(path: str, samples: Path) -> None:
    loaded = taken_in(samples / "dukascopy" / path, Settings(), 5_000)
    assert (loaded.bars, loaded.skipped, dict(loaded.rejected)) == ([], 0, {})


@pytest.mark.parametrize(
    ("binary", "text", "same", "changed"),
    [
        ("BTCUSD/2020/BID_candles_day_1.bi5", "jetta_json/candles-day-BTC-USD-BID-2020.json",
         359, 5),  # days that Dukascopy has changed since
        ("EURUSD/2018/BID_candles_day_1.bi5",
         "dukascopy-node_out/eurusd-d1-bid-2017-01-01-2020-01-01.csv", 313, 0),
    ],
)  # fmt: skip
def test_the_same_days_are_the_same_in_each_form_of_dukascopy(
    binary: str, text: str, same: int, changed: int, samples: Path
) -> None:
    one, other = (
        {row[:4]: row[4:8] for row in read(samples / "dukascopy" / path)} for path in (binary, text)
    )
    assert one.keys() <= other.keys()
    equal = sum(other[key] == prices for key, prices in one.items())
    assert (equal, len(one) - equal) == (same, changed)


def test_an_hour_of_dukascopy_is_its_sixty_minutes(samples: Path) -> None:
    folder = samples / "dukascopy" / "EURUSD" / "2019" / "01"
    start = datetime(2019, 2, 4, 9, tzinfo=UTC)
    (hour,) = [row for row in read(folder / "BID_candles_hour_1.bi5") if row[3] == start]
    minutes = read(folder / "04" / "BID_candles_min_1.bi5")
    within = [row for row in minutes if start <= row[3] < start + timedelta(hours=1)]
    assert len(within) == 60
    assert hour[4:8] == (
        within[0][4], max(row[5] for row in within), min(row[6] for row in within), within[-1][7]
    )  # fmt: skip
