"""Frames of pandas, Arrow and vendors; dicts as bars; what a notebook gets back."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from loader.client import StoreClient
from loader.errors import ColumnMismatch, ProviderUnknown, UnknownDialect
from tests.support.candles import T0, Candle, minutes

PRICES = {"Open": [10.0, 10.5], "High": [11.0, 11.5], "Low": [9.0, 9.5], "Close": [10.5, 11.0],
          "Volume": [100, None]}  # fmt: skip
DAYS = ["2024-03-04", "2024-03-05"]
STORED = [
    (datetime(2024, 3, 4, tzinfo=UTC), 10.0, 11.0, 9.0, 10.5, 100.0),
    (datetime(2024, 3, 5, tzinfo=UTC), 10.5, 11.5, 9.5, 11.0, None),
]
NAMED = {"provider": "mine", "symbol": "SPY", "interval": "1d"}


@pytest.fixture
def client(database_url: str) -> Iterator[StoreClient]:
    with StoreClient(database_url) as client:
        yield client


def stored(client: StoreClient) -> list[tuple[object, ...]]:
    return client.read_bars("mine", "SPY", "1d")[
        ["ts", "open", "high", "low", "close", "volume"]
    ].rows()


@pytest.mark.parametrize("name", ["Date", None])
def test_the_index_of_pandas_is_the_time(client: StoreClient, name: str | None) -> None:
    frame = pd.DataFrame(PRICES, index=pd.DatetimeIndex(DAYS, tz="UTC", name=name))
    assert client.write_frame(frame, **NAMED).inserted == 2
    assert stored(client) == STORED


def test_an_index_of_two_levels(client: StoreClient) -> None:
    index = pd.MultiIndex.from_product([["SPY"], pd.to_datetime(DAYS, utc=True)],
                                       names=["symbol", "timestamp"])  # fmt: skip
    frame = pd.DataFrame(PRICES, index=index)
    assert client.write_frame(frame, provider="mine", interval="1d").inserted == 2
    assert stored(client) == STORED


def test_a_plain_index_is_left_out(client: StoreClient) -> None:
    frame = pd.DataFrame(PRICES | {"ts": pd.to_datetime(DAYS, utc=True)})
    assert client.write_frame(frame[::-1], **NAMED).inserted == 2
    assert stored(client) == STORED


def test_two_rows_of_names(client: StoreClient) -> None:
    columns = pd.MultiIndex.from_product([list(PRICES), ["SPY"]])
    frame = pd.DataFrame({c: PRICES[c[0]] for c in columns}, index=pd.to_datetime(DAYS, utc=True))
    with pytest.raises(ValueError, match="more than one row of column names"):
        client.write_frame(frame, **NAMED)
    one = frame.xs("SPY", axis=1, level=1)
    assert client.write_frame(one, **NAMED).inserted == 2
    assert stored(client) == STORED


def test_times_without_a_zone(client: StoreClient) -> None:
    frame = pd.DataFrame(PRICES, index=pd.DatetimeIndex(["2024-03-04 09:30", "2024-03-04 09:31"]))
    with pytest.raises(ColumnMismatch, match="time zone"):
        client.write_frame(frame, provider="mine", symbol="SPY", interval="1m")
    result = client.write_frame(
        frame, provider="mine", symbol="SPY", interval="1m", timezone="America/New_York"
    )
    assert result.inserted == 2
    assert client.read_bars()["ts"][0] == T0


@pytest.mark.parametrize("kind", ["arrow", "dict", "lazy"])
def test_other_frames(client: StoreClient, kind: str) -> None:
    values = {**PRICES, "ts": [row[0] for row in STORED]}
    frame = {"arrow": pa.table, "dict": dict, "lazy": pl.LazyFrame}[kind](values)
    assert client.write_frame(frame, **NAMED).inserted == 2
    assert stored(client) == STORED


def test_columns_of_ones_own(client: StoreClient) -> None:
    frame = pl.DataFrame({**PRICES, "when": [row[0] for row in STORED], "Settle": [10.25, 10.75]})
    result = client.write_frame(frame, columns={"ts": "when", "close": "Settle"}, **NAMED)
    assert result.inserted == 2
    assert client.read_bars()["close"].to_list() == [10.25, 10.75]


def test_a_dialect(client: StoreClient) -> None:
    """Alpaca's bars as its API gives them: t, o, h, l, c, v, n, vw."""
    frame = pl.DataFrame(
        {"t": ["2024-03-04T14:30:00Z"], "o": [10.0], "h": [11.0], "l": [9.0],
         "c": [10.5], "v": [100], "n": [7], "vw": [10.25]}
    )  # fmt: skip
    result = client.write_frame(frame, dialect="alpaca", symbol="SPY", interval="1m")
    assert result.inserted == 1, result.rejects
    found = client.read_bars()
    assert found.row(0)[:4] == ("alpaca", "SPY", "1m", T0)
    assert found.row(0)[4:] == (10.0, 11.0, 9.0, 10.5, 100.0, 10.25, 7)
    with pytest.raises(UnknownDialect):
        client.write_frame(frame, dialect="alpca")
    with pytest.raises(ColumnMismatch):
        client.write_frame(pl.DataFrame({"x": [1]}), dialect="alpaca")


def test_an_error_has_its_next_step_in_python(client: StoreClient) -> None:
    frame = pl.DataFrame({**PRICES, "ts": [row[0] for row in STORED]})
    with pytest.raises(ProviderUnknown) as raised:
        client.write_frame(frame, symbol="SPY", interval="1d")
    assert "provider=" in raised.value.__notes__[0]
    assert "--" not in raised.value.__notes__[0]


def test_dicts_are_bars(client: StoreClient) -> None:
    bar = {"provider": "p", "symbol": "A", "interval": "1m", "ts": T0, "open": 1.0, "high": 2.0,
           "low": 1.0, "close": 2.0, "volume": None}  # fmt: skip
    mixed = [bar, Candle(symbol="B"), bar | {"symbol": "C", "trade_count": 5}]
    assert client.write_bars(mixed).inserted == 3
    assert client.read_bars(symbol="C")["trade_count"].to_list() == [5]
    with client.buffered() as feed:
        feed.write(bar | {"symbol": "D"})
    assert feed.result.inserted == 1
    del bar["close"]
    with pytest.raises(TypeError, match=r"bars\[1\] \(dict\) has no key 'close'"):
        client.write_bars([Candle(), bar])


def test_a_result_is_true_and_has_the_rejects(client: StoreClient) -> None:
    wrong = [*minutes(2), Candle(symbol="B", high=1.0), Candle(symbol="C", volume=-1.0)]
    result = client.write_bars(wrong)
    assert result.rejects[["row_number", "rules"]].rows() == [
        (3, ["high_below_low", "open_outside_range", "close_outside_range"]),
        (4, ["volume_negative"]),
    ]
    assert '"symbol": "B"' in result.rejects["raw"][0].replace('":"', '": "')
    again = client.write_bars(minutes(2))
    assert again
    assert int(again) == 0
    assert again.rejects.is_empty()
    copied = pickle.loads(pickle.dumps(result))
    assert (copied, repr(copied)) == (result, repr(result))
    assert copied.rejects.equals(result.rejects)
    many = client.write_bars([Candle(volume=-1.0)] * 10_500, batch_size=1000)
    assert (many.rejected, many.rejects.height) == (10_500, 10_000)
    frame = pl.DataFrame({**PRICES, "Volume": [-1, 1], "ts": [row[0] for row in STORED]})
    assert client.write_frame(frame, **NAMED).rejects["row_number"].to_list() == [1]
