"""Objects into frames: accepted objects, refused ones, and messages."""

from __future__ import annotations

import copy
import enum
import pickle
from collections import namedtuple
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader import bars
from loader.check.layout.decide import decide
from loader.check.normalise import normalise
from loader.check.validate import CheckedBatch, RuleSettings
from loader.client import Bar, WriteResult
from loader.client.bar import checked_row, columns, frame
from loader.client.checks import Checks
from loader.client.checks.keys import KnownKeys
from loader.client.checks.plain import PlainBatch
from loader.read.batch import Location, RawBatch
from loader.results import Counts
from loader.settings import Meaning
from tests.support.candles import T0, Candle, minutes


def framed(*candles: object) -> pl.DataFrame:
    return frame(columns(candles, 0), 0)


def test_a_frame_of_bars() -> None:
    made = framed(Candle(volume=None), Candle(symbol="BB", vwap=10.25, trade_count=7))
    assert dict(made.schema) == bars.SCHEMA
    assert made.rows() == [
        ("p", "AA", "1m", T0, 10.0, 11.0, 9.0, 10.5, None, None, None),
        ("p", "BB", "1m", T0, 10.0, 11.0, 9.0, 10.5, 100.0, 10.25, 7),
    ]
    assert framed().height == 0


Named = namedtuple("Named", bars.COLUMNS[:9])


def test_what_a_bar_is() -> None:
    """Any object that has the attributes; vwap and trade_count may be absent."""
    named = Named("p", "AA", "1m", T0, 10.0, 11.0, 9.0, 10.5, 100.0)
    for one in (Candle(), named, SimpleNamespace(**named._asdict())):
        assert isinstance(one, Bar)
        assert framed(one).row(0)[:9] == named
    assert not isinstance(SimpleNamespace(provider="p"), Bar)


class Text(str, enum.Enum):  # noqa: UP042 - an enum that is text, as programs had before StrEnum
    KRAKEN = "kraken"


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (10, 10.0),
        (Decimal("10.10"), 10.1),
        (Fraction(1, 3), 1 / 3),
        (np.float64(10.25), 10.25),
        (np.float32(10.1), 10.100000381469727),
        (np.int64(10), 10.0),
        (2**53 + 1, float(2**53)),
        (None, None),
    ],
)
def test_numbers_of_every_kind(value: object, stored: float | None) -> None:
    assert framed(Candle(), Candle(close=value))["close"].to_list() == [10.5, stored]
    assert framed(Candle(close=value))["close"].to_list() == [stored]


def test_text_of_every_kind() -> None:
    made = framed(Candle(provider=Text.KRAKEN, symbol=np.str_("BTC")))
    assert made.select("provider", "symbol").row(0) == ("kraken", "BTC")


class NoOffset(tzinfo):
    def utcoffset(self, _: datetime | None, /) -> timedelta | None:
        return None


def test_zones_are_converted() -> None:
    new_york = ZoneInfo("America/New_York")
    stamps = [
        datetime(2024, 11, 3, 1, 30, tzinfo=new_york),
        datetime(2024, 11, 3, 1, 30, fold=1, tzinfo=new_york),
        datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        None,
    ]
    assert framed(*(Candle(ts=ts) for ts in stamps))["ts"].to_list() == [
        datetime(2024, 11, 3, 5, 30, tzinfo=UTC),
        datetime(2024, 11, 3, 6, 30, tzinfo=UTC),
        datetime(2023, 12, 31, 18, 30, 0, 1, tzinfo=UTC),
        None,
    ]


@pytest.mark.parametrize(
    ("bad", "error", "said"),
    [
        (Candle(ts=datetime(2024, 1, 1)), ValueError, "bars[2].ts has no time zone: 2024-01-01"),
        (Candle(ts=datetime(2024, 1, 1, tzinfo=NoOffset())), ValueError, "bars[2].ts has no time"),
        (Candle(ts="2024-01-01"), TypeError, "bars[2].ts is '2024-01-01' (str), not a datetime"),
        (Candle(ts=T0.date()), TypeError, "bars[2].ts is datetime.date(2024, 3, 4)"),
        (Candle(open="10"), TypeError, "bars[2].open is '10' (str), not a number"),
        (Candle(volume=[1]), TypeError, "bars[2].volume is [1] (list), not a number"),
        (Candle(trade_count="7"), TypeError, "bars[2].trade_count is '7' (str), not a number"),
        (Candle(volume=10**400), ValueError, "bars[2].volume is too large a number"),
        (Candle(trade_count=10**400), ValueError, "bars[2].trade_count is too large a number"),
        (Candle(symbol=600000), TypeError, "bars[2].symbol is 600000 (int), not text"),
        (Candle(provider=b"p"), TypeError, "bars[2].provider is b'p' (bytes), not text"),
        (Candle(symbol="\ud800"), ValueError, r"bars[2].symbol is not Unicode: '\ud800'"),
        (SimpleNamespace(provider="p"), TypeError,
         "bars[2] (SimpleNamespace) has no attribute 'symbol'"),
        ({"provider": "p"}, TypeError, "bars[2] (dict) has no key 'symbol'"),
        (None, TypeError, "bars[2] (NoneType) has no attribute 'provider'"),
    ],
)  # fmt: skip
def test_what_is_no_bar_is_named(bad: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as raised:
        framed(Candle(), Candle(), bad)
    assert said in str(raised.value)
    with pytest.raises(error) as raised:
        checked_row(bad, 2)
    assert said in str(raised.value)


def test_an_error_of_an_attribute_itself_comes_out() -> None:
    class Broken(Candle):
        @property
        def volume(self) -> float:
            raise AttributeError("the exchange sent none")

        @volume.setter
        def volume(self, value: object) -> None: ...

    with pytest.raises(TypeError, match="has no attribute 'volume'") as raised:
        framed(Broken())
    assert "the exchange sent none" in str(raised.value.__cause__)


def test_a_row_is_what_a_bar_says_now() -> None:
    candle = Candle()
    row = checked_row(candle, 0)
    candle.close = 9.5
    assert row == ("p", "AA", "1m", T0, 10.0, 11.0, 9.0, 10.5, 100.0, None, None)


def test_counts_that_are_no_whole_numbers_are_for_the_rules() -> None:
    made = framed(Candle(trade_count=2), Candle(trade_count=2.5), Candle(trade_count=3.0))
    checked = Checks(RuleSettings()).batch(
        columns([Candle(trade_count=n) for n in (2, 2.5, 3.0, 2**70)], 0), 0
    )
    assert made["trade_count"].to_list() == [2.0, 2.5, 3.0]
    assert checked.good["trade_count"].to_list() == [2, 3]
    assert checked.bad.select("row_number", "rules").rows() == [
        (2, ["trade_count_unparsable"]),
        (4, ["trade_count_unparsable"]),
    ]


words = st.sampled_from(["p", " p ", "", "AA", "aa", "ß", "1m", "5min", "1D", "x", "a\x00b", "é"])
keys = st.tuples(words | st.none(), words | st.none(), words | st.none())


@given(st.lists(st.lists(keys, max_size=6), max_size=4))
def test_known_keys_are_what_normalisation_makes_of_them(batches: list[list[Any]]) -> None:
    known = KnownKeys()
    for batch in batches:
        candles = [Candle(provider=p, symbol=s, interval=i) for p, s, i in batch]
        raw = RawBatch(framed(*candles), Location("bars", 0, 1))
        layout = decide(RawBatch(framed(), Location("bars", 0, 1)), Meaning())
        expected, found = normalise(raw, layout), known.normalise(raw)
        assert found.bars.equals(expected.bars)
        assert found.faults.equals(expected.faults)
        assert found.source_symbols.to_list() == expected.source_symbols.to_list()


def by_rules(batch: CheckedBatch | PlainBatch) -> CheckedBatch:
    return batch.checked() if isinstance(batch, PlainBatch) else batch


@pytest.mark.parametrize("size", [1, 3, 7, 10, 100])
def test_batches_of_a_list_are_those_of_a_stream(size: int) -> None:
    """A list is checked in larger pieces with the same result."""
    candles = [replace(c, high=1.0) if n % 4 == 3 else c for n, c in enumerate(minutes(10))]
    checks = Checks(RuleSettings())
    as_list = list(map(by_rules, checks.objects(candles, size)))
    as_stream = list(map(by_rules, checks.objects(iter(candles), size)))
    assert len(as_list) == len(as_stream) == -(-10 // size)
    for one, other in zip(as_list, as_stream, strict=True):
        assert one.good.equals(other.good)
        assert one.bad.equals(other.bad)
        assert one.rejected == other.rejected


def test_batches_before_a_culprit_are_given() -> None:
    checks = Checks(RuleSettings())
    batches = map(by_rules, checks.objects([*minutes(5), Candle(open="x")], 2))
    assert [next(batches).good.height, next(batches).good.height] == [2, 2]
    with pytest.raises(TypeError, match=r"bars\[5\].open is 'x'"):
        next(batches)


def test_a_result_is_a_frozen_number() -> None:
    counts = Counts(read=9, inserted=3, updated=2, unchanged=1, duplicate=1, rejected=2)
    result = WriteResult(counts)
    assert (int(result), result == 5, result + 1, f"{result:,}") == (5, True, 6, "5")
    assert sum([result, result]) == 10
    assert int(WriteResult(Counts(read=1, unchanged=1))) == 0
    said = "WriteResult(submitted=9, inserted=3, updated=2, unchanged=1, duplicate=1, rejected=2)"
    assert repr(result) == said
    assert repr(copy.copy(result)) == repr(pickle.loads(pickle.dumps(result))) == said
    with pytest.raises(AttributeError, match="frozen"):
        result.inserted = 4
