"""Real vendor files that are plain tables, with expectations read off the files by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loader.check.layout.decide import decide
from loader.check.normalise import normalise
from loader.check.rules import RuleSettings
from loader.check.validate import CheckedBatch, validate
from loader.errors import ColumnMismatch
from loader.read.formats import read
from loader.read.sources import Source
from loader.settings import Meaning


@dataclass(frozen=True)
class Sample:
    """`first` and `last` are the file's first and last good rows: ts, OHLC and volume."""

    path: str
    rows: int
    interval: str
    first: tuple[Any, ...]
    last: tuple[Any, ...]
    hints: dict[str, Any] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    symbol: str = "X"


NEW_YORK = {"timezone": "America/New_York"}
MADRID = {"timezone": "Europe/Madrid"}
SAMPLES = [
    Sample("yahoo_csv/SPY-2011-yahoofinance.csv", 252, "1d",
           ("2011-12-30", 126.02, 126.33, 125.50, 125.50, 95599000),
           ("2011-01-03", 126.71, 127.60, 125.70, 127.05, 138725200)),
    Sample("yahoo_csv/yahoofinance-SPY-20200901-20210113.csv", 92, "1d",
           ("2020-09-01", 350.209991, 352.709991, 349.239990, 352.600006, 54999300),
           ("2021-01-12", 378.890015, 379.859985, 376.359985, 378.769989, 52445000)),
    Sample("yahoo_csv/zipline_BRK-A.csv", 127, "1d",
           ("2014-03-03", 174100.0, 174997.0, 172759.0, 174500.0, 800),
           ("2014-08-29", 204050.0, 205880.0, 204050.0, 205880.0, 400)),
    Sample("yfinance/4063-T-1d-bad-stock-split.csv", 22, "1d",
           ("2023-04-14", 4126, 4130, 4055, 4129, 7459400),
           ("2023-03-15", 20170, 20250, 20015, 20205, 1224400)),
    Sample("yfinance/AET-L-1d-100x-error.csv", 23, "1d",
           ("2022-06-06", *[0.14550000429153442] * 4, 0),
           ("2022-05-03", *[0.14550000429153442] * 4, 0)),
    Sample("yfinance/ASAI-L-1h-bad-unit.csv", 20, "1h",
           ("2024-10-21T09:00", 69, 72, 67, 72, 3061),
           ("2024-10-30T14:00", 74.5, 74.5, 71.75, 71.75, 0)),
    Sample("yfinance/CALM-1d-no-bad-divs.csv", 662, "1d",
           ("2022-01-03", 37.029998779296875, 37.7599983215332, 36.31999969482422,
            37.70000076293945, 707800),
           ("2024-08-21", 71.80000305175781, 71.98999786376953, 71.26000213623047,
            71.88999938964844, 329900)),
    Sample("yfinance/EA-15m-no-bad-divs.csv", 319, "15m",
           ("2026-05-26T08:00", 170.0712, 200.8117, 170.0712, 199.85, 0),
           ("2026-06-03T18:15", 202.785003662109, 202.889999389648, 202.770004272461,
            202.770004272461, 36730)),
    Sample("other/mplfinance_Issue101_data.csv", 100, "1d",
           ("2020-04-17", 156.96, 157.33, 147.74, 154.19, 723974),
           ("2019-11-22", 148.11, 148.75, 144.12, 147.92, 718830)),
    Sample("other/mplfinance_SP500_NOV2019_Hist.csv", 20, "1d",
           ("2019-11-01", 3050.72, 3066.95, 3050.72, 3066.91, 510301237),
           ("2019-11-29", 3147.18, 3150.3, 3139.34, 3140.98, 286602291)),
    Sample("other/mplfinance_SP500_NOV2019_IDay.csv", 1563, "1m",
           ("2019-11-05T14:30", 3080.8, 3081.47, 3080.3, 3080.49, 0),
           ("2019-11-08T20:59", 3091.16, 3092.91, 3090.96, 3092.91, 0),
           {**NEW_YORK, "time_format": "%m/%d/%Y %H:%M"}),
    Sample("other/mplfinance_issue142_data.csv", 41, "1h",
           ("2020-05-19T09:00", 2.11e-05, 2.118e-05, 2.106e-05, 2.113e-05, 324959),
           ("2020-05-21T01:00", 2.149e-05, 2.156e-05, 2.145e-05, 2.145e-05, 172228),
           {"timezone": "UTC"}),
    Sample("other/mplfinance_issue568.csv", 205, "1d",
           ("2022-01-03", *[17625.70] * 4, 16181), ("2022-10-31", *[18012.20] * 4, 19846)),
    Sample("other/mplfinance_pr451data.csv", 123, "1d",
           ("2019-09-01", 29, 29, 20, 20, 10787), ("2020-01-01", 55, 56, 47, 48, 17827)),
    Sample("other/mplfinance_so60982755.csv", 19, "1m",
           ("2020-02-27T01:51", 167761.49, 178565.38, 165000.01, 168764.01, 358.7939),
           ("2020-02-27T01:54", 168423.43, 178565.38, 165000.01, 168765.00, 359.22871),
           {"interval": "1m"}, {"ts_off_grid": 15}),
    Sample("other/mplfinance_so75737197_data.csv", 40, "15m",
           ("2023-03-12T18:30", 3.996, 4.038, 3.988, 4.008, 1216259),
           ("2023-03-13T04:15", 4.459, 4.465, 4.436, 4.439, 288049), {"timezone": "UTC"}),
    Sample("other/pandas_ta_SPY_D.csv", 5241, "1d",
           ("1999-11-01", 136.5, 137.0, 135.5625, 135.5625, 4006500),
           ("2020-08-28", 349.44, 350.72, 348.15, 350.58, 48588940)),
    Sample("other/pandas_ta_sample.csv", 100, "1d",
           ("2018-07-05", 272.17, 273.18, 270.96, 273.11, 56925919),
           ("2018-11-23", 263.18, 264.8234, 263.07, 263.25, 42807878)),
    Sample("other/stockindicators_bad.csv", 502, "1d",
           ("2017-01-03", 212.61, 213.35, 211.52, 212.8, 96708880),
           ("2018-12-31", 244.92, 245.54, 242.87, 245.28, 147031456), {},
           {"ts_missing": 50, "price_missing": 51, "price_not_positive": 54, "high_below_low": 3,
            "open_outside_range": 5, "close_outside_range": 10, "volume_negative": 1}),
    Sample("other/stockindicators_bitcoin.csv", 1246, "1d",
           ("2017-08-16", 4261.48, 4485.39, 4200.74, 4285.08, 795.150377),
           ("2021-01-12", 34049.15, 37850, 32380, 37371.38, 124477.914938)),
    Sample("other/stockindicators_penny.csv", 533, "1d",
           ("2018-12-21", 2.72, 2.72, 2.5905, 2.63, 136251),
           ("2021-02-03", 2.87, 3.0351, 2.87, 2.98, 90516)),
    Sample("other/stockindicators_spx.csv", 8111, "1d",
           ("1990-01-02", 353.4, 359.69, 351.98, 359.69, 0),
           ("2022-03-10", 4252.55, 4268.28, 4209.8, 4259.52, 2573193216)),
    Sample("other/stockindicators_toobig.csv", 1246, "1d",
           ("2017-08-16", 42667410863718.8, 44909275184681.3, 42059260987182.4, 42903702221740.8,
            7961320441231.66),
           ("2021-01-12", 340911859872718, 378967283946365, 324199753082782, 374175175057530,
            1246315913747970)),
    Sample("bitstamp/30min-bitstampUSD-2.csv", 1968, "30m",
           ("2014-06-23T22:00", 585.46, 588.5, 585.14, 586.54, 30.63408917),
           ("2014-08-03T23:00", 588.27, 588.27, 584.73, 586.9, 3.92964846), {"timezone": "UTC"}),
    Sample("hikyuu/test_day_data.csv", 100, "1d",
           ("2017-03-07", 3233.09, 3242.66, 3226.82, 3242.41, None),
           ("2017-07-31", 3252.75, 3276.95, 3251.19, 3273.03, None)),
    Sample("metatrader/mt4_with_header/EURUSD60.csv", 3728, "1h",
           ("2019-02-15T12:00", 1.12525, 1.12851, 1.12514, 1.12686, 9915),
           ("2019-09-20T18:00", 1.10184, 1.10215, 1.10147, 1.10167, 1224), {"timezone": "UTC+2"}),
    Sample("zipline_csvdir/daily/AAPL.csv.gz", 754, "1d",
           ("2012-01-03", 58.485714, 58.92857, 58.42857, 58.747143, 75555200),
           ("2014-12-31", 112.82, 113.129997, 110.209999, 110.379997, 41403400)),
    Sample("zipline_csvdir/daily/KO.csv.gz", 754, "1d",
           ("2012-01-03", 35.075001, 35.355, 35.049999, 35.07, 15639600),
           ("2014-12-31", 42.919998, 42.939999, 42.220001, 42.220001, 9369500)),
    Sample("fxcm/gbpusd-m1-bid-2012.csv", 30117, "1m",
           ("2012-02-01", 1.57597, 1.57606, 1.57576, 1.57576, None),
           ("2012-03-01", 1.59206, 1.59211, 1.59194, 1.59208, None)),
    Sample("tiingo/ticker_price_pandas_daily_csv_0.csv", 10, "1d",
           ("2018-01-05", 1103.45, 1113.58, 1101.8, 1110.29, 1493389),
           ("2018-01-19", 1138.03, 1143.78, 1132.5, 1143.5, 1418376)),
    Sample("tiingo/ticker_price_pandas_weekly_multiple_tickers_csv_1.csv", 3, "1w",
           ("2018-01-05", 170.16, 175.37, 169.26, 175.0, 99095223),
           ("2018-01-19", 177.9, 180.1, 175.07, 178.46, 122974060),
           {"interval": "weekly", "stamp": "start"}),
    Sample("ibkr/ib-spy-5min-20120628.csv", 168, "5m",
           ("2012-06-28T08:00", 132.66, 132.66, 132.53, 132.53, 6),
           ("2012-06-28T21:55", 132.65, 132.68, 132.65, 132.68, 66), MADRID),
    Sample("ccxt/btc_usdt_1h.csv", 585, "1h",
           ("2019-09-30T07:00", 7986.86, 8014.21, 7984.26, 7998.49, 269.91595799999993),
           ("2019-10-24T15:00", 7471.3, 7471.96, 7455.01, 7457.86, 100.10302200000001),
           {"timezone": "UTC", "symbol": None}, symbol="BTC/USDT"),
    Sample("quandl_wiki/WIKI-AAPL-2011-quandl.csv", 252, "1d",
           ("2011-12-30", 403.51, 406.28, 403.49, 405.0, 6416500),
           ("2011-01-03", 325.64, 330.26, 324.8365, 329.57, 15897800)),
    Sample("google_finance/orcl-2010-googlefinance-malformed.csv", 252, "1d",
           ("2010-12-31", 31.22, 31.33, 30.93, 31.30, 11716389),
           ("2010-01-04", 24.66, 25.19, 24.66, 24.85, 26795074), {}, {"price_unparsable": 1}),
    Sample("barchart/jpyusd_barchartdotcom.csv", 519, "1d",
           ("2020-03-11", 0.009469, 0.009596, 0.009467, 0.009582, 1769),
           ("2018-03-12", 0.009374999, 0.009403, 0.00935, 0.009397, 5031)),
    Sample("dukascopy/dukascopy-node_out/eurusd-d1-bid-2017-01-01-2020-01-01.csv", 938, "1d",
           ("2017-01-01", 1.05148, 1.05288, 1.05148, 1.0523, 352.85),
           ("2019-12-31", 1.12013, 1.12391, 1.11987, 1.12072, 107777.3125)),
    Sample("custom_csv/6EH4.XCME_1min_bars_20240101_20240131.csv.gz", 29996, "1m",
           ("2024-01-01T23:01", 1.1076, 1.10785, 1.1076, 1.1078, 205),
           ("2024-01-31T23:59", 1.08225, 1.0824, 1.08225, 1.0823, 36)),
]  # fmt: skip


def load(path: Path, **hints: Any) -> CheckedBatch:
    source = Source(path, path.name, None, path.stat().st_size)
    with read(source) as reading:
        (batch,) = reading
    layout = decide(batch, Meaning(**{"provider": "demo", "symbol": "X", **hints}))
    return validate(batch, normalise(batch, layout), RuleSettings())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.path)
def test_sample(sample: Sample, samples: Path) -> None:
    found = load(samples / sample.path, **sample.hints)
    assert found.good.height + found.bad.height == sample.rows
    assert found.rejected == sample.rejected
    assert found.good["interval"].unique().to_list() == [sample.interval]
    assert found.good["symbol"].unique().to_list() == [sample.symbol]
    values = found.good.select("ts", "open", "high", "low", "close", "volume")
    for row, (ts, *numbers) in ((0, sample.first), (-1, sample.last)):
        start = datetime.fromisoformat(ts).replace(tzinfo=UTC)
        assert values.row(row) == (start, *numbers)


@pytest.mark.parametrize(
    ("path", "hints", "message", "hint"),
    [
        ("other/ffn_wide_close_test_data.csv", {}, "a table of closes?", "a bar has"),
        ("cryptodatadownload/bitstamp_(BTC,ETH,LTC)USD_d.csv", {}, "a wide table", "one series"),
        ("cryptodatadownload/Coinbase_BTCUSD_d.csv", {}, "one of them is money", "volume_btc"),
        ("other/mplfinance_SP500_NOV2019_IDay.csv", NEW_YORK, "nothing shows which", "%m/%d/%Y"),
        ("other/mplfinance_so60982755.csv", {}, "55.6 % of 18 steps are 1 minute", "--interval"),
        ("bitstamp/30min-bitstampUSD-2.csv", {}, "are local", "--timezone"),
        (
            "tiingo/ticker_price_pandas_weekly_multiple_tickers_csv_0.csv",
            {},
            "too few steps",
            "--interval 1w",
        ),
        ("binance/unzipped/ADABTC-1m-2021-11-27.csv", {}, "no line names its 12", "ts=column_1"),
    ],
)
def test_samples_that_are_refused(
    path: str, hints: dict[str, Any], message: str, hint: str, samples: Path
) -> None:
    with pytest.raises(ColumnMismatch) as raised:
        load(samples / path, **hints)
    assert message in str(raised.value)
    assert hint in str(raised.value.hint)


def test_trade_counts_and_vwap_of_ibkr(samples: Path) -> None:
    found = load(samples / "ibkr/ib-spy-5min-20120627.csv", **MADRID)
    assert found.good.select("vwap", "trade_count").row(-1) == (133.104, 10)
    assert found.good["trade_count"].dtype == pl.Int64
