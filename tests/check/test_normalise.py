"""Raw batches of every dtype become exactly the bars' schema, row for row."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from polars.testing import assert_series_equal

from loader import bars
from loader.check.layout.decide import decide
from loader.check.normalise import Normalised, normalise
from loader.check.reasons import REASONS
from loader.errors import ColumnMismatch
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

HINTS: dict[str, Any] = {"provider": "demo", "symbol": "X", "interval": "1d"}


def raw(**columns: Any) -> RawBatch:
    return RawBatch(pl.DataFrame(columns), Location("file.csv", 0, 1))


def normalised(batch: RawBatch, **hints: Any) -> Normalised:
    return normalise(batch, decide(batch, Meaning(**{**HINTS, **hints})))


OHLC = {"open": ["10"], "high": ["12"], "low": ["9"], "close": ["11"]}


def test_invisible_characters_of_a_provider_or_a_symbol_are_a_fault() -> None:
    columns = {name: cells * 3 for name, cells in OHLC.items()}
    batch = raw(
        provider=["demo", "de\u200bmo", "demo"], symbol=["X", "X", "X\ufffd"],
        Date=["2024-07-01"] * 3, **columns,
    )  # fmt: skip
    found = normalised(batch, provider=None, symbol=None)
    assert found.faults["key_unreadable"].to_list() == [False, True, True]


def test_a_row_is_skipped_only_if_a_condition_certainly_holds() -> None:
    columns = {name: cells * 3 for name, cells in OHLC.items()}
    batch = raw(Date=["2024-07-01"] * 3, closed=["yes", "no", None], **columns)
    layout = decide(batch, Meaning(**HINTS))
    skip = {"closed hours": pl.col("closed") == "yes", "zero": pl.col("close") == "0"}
    found = normalise(batch, replace(layout, skip=skip))
    assert found.skipped is not None
    assert found.skipped.to_list() == [True, False, False]
    assert normalise(batch, replace(layout, skip={"zero": skip["zero"]})).skipped is None


def test_the_schema_is_exact_whatever_the_file_has() -> None:
    text = normalised(raw(Date=["2024-07-01"], **OHLC))
    typed = normalised(
        raw(
            ticker=pl.Series(["x"], dtype=pl.Categorical),
            date=[date(2024, 7, 1)],
            open=pl.Series([10], dtype=pl.UInt64),
            high=pl.Series([12.0], dtype=pl.Float32),
            low=pl.Series([Decimal("9.00")], dtype=pl.Decimal(38, 2)),
            close=pl.Series(["11"]).cast(pl.Enum(["11"])),
            volume=pl.Series([None], dtype=pl.Null),
        ),
        symbol=None,
    )
    for found in (text, typed):
        assert dict(found.bars.schema) == bars.SCHEMA
        assert found.bars.rows() == [
            ("demo", "X", "1d", datetime(2024, 7, 1, tzinfo=UTC), 10.0, 12.0, 9.0, 11.0,
             None, None, None),
        ]  # fmt: skip
        assert not found.faults.sum_horizontal().sum()
    assert text.source_symbols.to_list() == ["X"]
    assert typed.source_symbols.to_list() == ["x"]


def test_faults_are_named_like_rules() -> None:
    found = normalised(raw(Date=["2024-07-01"], **OHLC))
    assert set(found.faults.columns) <= {reason.name for reason in REASONS}
    assert set(found.faults.dtypes) == {pl.Boolean}


def faulty(found: Normalised) -> dict[str, list[int]]:
    """The rows, from 0, that have each fault."""
    return {
        column.name: column.arg_true().to_list() for column in found.faults if column.any()
    }  # fmt: skip


def test_cells_that_do_not_parse_are_faults_and_empty_ones_are_not() -> None:
    days = [f"2024-07-{day:02}" for day in range(1, 11)]
    table: dict[str, list[str | None]] = {name: ["10"] * 10 for name in OHLC}
    table |= {name: ["1"] * 10 for name in bars.OPTIONAL}
    table["open"][1] = "-"
    table["close"][2] = "12;5"
    table["volume"][3:6] = ["many", "", None]
    table["vwap"][5:7] = ["N/A", "x"]
    table["trade_count"][7:9] = ["12.5", "12.0"]
    days[9] = "soon"
    found = normalised(raw(Date=days, **table))
    assert faulty(found) == {
        "price_unparsable": [1, 2],
        "volume_unparsable": [3],
        "vwap_unparsable": [6],
        "trade_count_unparsable": [7],
        "ts_unparsable": [9],
    }
    assert found.bars["trade_count"].to_list() == [1] * 7 + [None, 12, 1]
    assert found.bars["volume"].null_count() == 3
    assert found.bars.height == 10


def test_times_that_the_clock_skipped_or_repeated() -> None:
    times = ["2024-03-10 01:30:00", "2024-03-10 02:30:00", "2024-11-03 01:30:00", "", None, "noon"]
    batch = raw(Date=times, **{name: ["10"] * 6 for name in OHLC})
    found = normalised(batch, interval="1h", timezone="America/New_York")
    assert faulty(found) == {"ts_nonexistent": [1], "ts_ambiguous": [2], "ts_unparsable": [5]}
    assert found.bars["ts"].to_list() == [datetime(2024, 3, 10, 6, 30, tzinfo=UTC), *[None] * 5]
    daily = normalised(batch, interval="1d", timezone="America/New_York")
    assert faulty(daily) == {"ts_unparsable": [5]}
    assert daily.bars["ts"][1] == datetime(2024, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_typed_times_of_every_unit(unit: Any, zone: str | None) -> None:
    moment = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
    column = pl.Series([moment, None]).dt.cast_time_unit(unit)
    column = (
        column.dt.replace_time_zone(None) if zone is None else column.dt.convert_time_zone(zone)
    )
    batch = raw(ts=column, **{name: ["10"] * 2 for name in OHLC})
    found = normalised(batch, interval="1m", timezone="UTC" if zone is None else None)
    assert found.bars["ts"].to_list() == [moment, None]
    assert faulty(found) == {}


def test_what_is_finer_than_a_microsecond_is_not_cut_off() -> None:
    column = pl.Series([1719840600 * 10**9, 1719840600 * 10**9 + 1, 1719840600 * 10**9 + 1000])
    batch = raw(ts=column.cast(pl.Datetime("ns", "UTC")), **{name: ["10"] * 3 for name in OHLC})
    found = normalised(batch, interval="1m")
    start = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
    assert found.bars["ts"].to_list() == [start, None, start.replace(microsecond=1)]
    assert faulty(found) == {"ts_unparsable": [1]}


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([0, 2**63 - 1, -(2**63)]).cast(pl.Datetime("ms")),
        pl.Series([0, 2**63 - 1, -(2**63)]).cast(pl.Datetime("us")),
        pl.Series([0, 2**63 - 1, -(2**63)]).cast(pl.Datetime("us", "America/New_York")),
        pl.Series([0, 2**31 - 1, -(2**31)], dtype=pl.Int32).cast(pl.Date),
    ],
)
@pytest.mark.parametrize("zone", ["America/New_York", "UTC", "+05:30"])
def test_times_beyond_the_calendar_are_null(column: pl.Series, zone: str) -> None:
    found = normalised(raw(ts=column, **{name: ["10"] * 3 for name in OHLC}), timezone=zone)
    assert found.bars["ts"].is_null().to_list() == [False, True, True]
    assert faulty(found) == {"ts_unparsable": [1, 2]}


def test_empty_keys_are_filled_or_stay_empty() -> None:
    batch = raw(
        Date=["2024-07-01"] * 4,
        symbol=["a", " ", None, "A\0"],
        interval=["1d", "", "soon", None],
        **{name: ["10"] * 4 for name in OHLC},
    )
    found = normalised(batch, interval="1w")
    assert found.bars["symbol"].to_list() == ["A", "X", "X", "A\0"]
    assert found.bars["interval"].to_list() == ["1d", "1w", None, "1w"]
    assert faulty(found) == {"key_unreadable": [3], "interval_unknown": [2]}
    bare = normalised(batch, symbol=None)
    assert bare.bars["symbol"].to_list() == ["A", None, None, "A\0"]
    assert bare.source_symbols.to_list() == ["a", None, None, "A\0"]


def test_a_later_batch_has_the_layout_of_the_first() -> None:
    first = raw(Date=["21/07/2024", "22/07/2024"], **{name: ["10"] * 2 for name in OHLC})
    layout = decide(first, Meaning(**HINTS))
    later = raw(Date=["01/02/2024", "02/22/2024"], **{name: ["10"] * 2 for name in OHLC})
    assert normalise(later, layout).bars["ts"].to_list() == [datetime(2024, 2, 1, tzinfo=UTC), None]


def test_a_column_that_vanishes() -> None:
    first = raw(Date=["2024-07-01"], **OHLC)
    layout = decide(first, Meaning(**HINTS))
    later = RawBatch(first.frame.drop("low"), Location("file.csv", 1, 250_001))
    with pytest.raises(ColumnMismatch, match="column 'low' is gone from row 250,001 on"):
        normalise(later, layout)


@st.composite
def tables(draw: DrawFn) -> list[tuple[datetime, list[float], int]]:
    moment = st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1))
    price = st.floats(1e-9, 1e12)
    rows = draw(st.lists(st.tuples(moment, st.lists(price, min_size=4, max_size=4),
                                   st.integers(0, 2**53)), min_size=1, max_size=30))  # fmt: skip
    return [(m.replace(second=0, microsecond=0), prices, volume) for m, prices, volume in rows]


@given(tables(), st.randoms(use_true_random=False))
def test_every_dress_of_a_table_gives_the_same_bars(
    table: list[tuple[datetime, list[float], int]], rng: random.Random
) -> None:
    moments = [moment.replace(tzinfo=UTC) for moment, _, _ in table]
    prices = {name: [row[1][n] for row in table] for n, name in enumerate(bars.PRICES)}
    volume = [row[2] for row in table]
    times = {
        "us": pl.Series(moments, dtype=pl.Datetime("us", "UTC")),
        "new york": pl.Series(moments, dtype=pl.Datetime("ms", "UTC")).dt.convert_time_zone(
            "America/New_York"
        ),
        "iso": pl.Series([moment.isoformat() for moment in moments]),
        "offset": pl.Series([f"{m.isoformat(' ')[:19]}+00:00" for m in moments]),
        "ns": pl.Series(moments).dt.cast_time_unit("ns"),
    }
    dress = rng.choice([
        lambda s: s, lambda s: s.cast(pl.String), lambda s: pl.Series([f" {v!r}" for v in s]),
    ])  # fmt: skip
    columns = {"time": times[rng.choice(sorted(times))], "vol": dress(pl.Series(volume))}
    columns |= {name[0]: dress(pl.Series(values)) for name, values in prices.items()}
    frame = pl.DataFrame(columns).select(rng.sample(sorted(columns), len(columns)))
    # unscaled prices: round ones in the millions look like fixed point
    found = normalised(RawBatch(frame, Location("file", 0, 1)), interval="1m", price_exponent=0)
    assert found.bars["ts"].to_list() == moments
    for name, values in prices.items():
        assert found.bars[name].to_list() == values
    assert found.bars["volume"].to_list() == [float(value) for value in volume]
    assert_series_equal(
        found.faults.sum_horizontal(), pl.Series([0] * len(table)), check_names=False,
        check_dtypes=False,
    )  # fmt: skip
