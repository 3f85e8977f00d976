"""Spellings that become one symbol: which are refused, and which are one security."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from loader import bars
from loader.check.spellings import SCHEMA, brought_together, refuse_collisions, refuse_meeting
from loader.errors import SymbolCollision

T0 = datetime(2024, 3, 4, tzinfo=UTC)


def spellings(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@pytest.mark.parametrize(
    ("rows", "pair"),
    [
        ([("p", "ALpA", "ALPA", "plain"), ("p", "ALPA", "ALPA", "plain")], "'ALPA' and 'ALpA'"),
        ([("p", "A-B", "A.B", "x"), ("p", "A/B", "A.B", "x"), ("p", "A B", "A.B", "x")],
         "'A B' and 'A/B'"),
        ([("p", "aapl", "AAPL", "plain"), ("p", " AAPL", "AAPL", "plain")], None),
        ([("p", "ALpA", "ALPA", "plain"), ("q", "ALPA", "ALPA", "plain")], None),
        ([("p", "FB", "META", "map"), ("p", "META", "META", "plain")], None),
    ],
)  # fmt: skip
def test_collisions(rows: list[tuple[str, str, str, str]], pair: str | None) -> None:
    if pair is None:
        refuse_collisions(spellings(*rows))
        return
    with pytest.raises(SymbolCollision) as refused:
        refuse_collisions(spellings(*rows))
    assert pair in str(refused.value)


def test_what_a_map_brings_together() -> None:
    """Also where the map makes only one of the spellings."""
    found = brought_together(
        spellings(
            ("p", "FB", "META", "map"), ("p", "META", "META", "plain"),
            ("p", "A", "X", "map"), ("p", "B", "X", "map"),
            ("p", "C", "Y", "map"),
            ("p", "d", "D", "plain"), ("p", "D", "D", "plain"),
            ("q", "META", "META", "plain"),
        )
    )  # fmt: skip
    assert sorted(found.rows()) == [("p", "META"), ("p", "X")]


def two(interval: str = "1m", minutes: int = 0, **differs: float | None) -> pl.DataFrame:
    """A bar spelled FB, and one spelled META that differs in these columns."""
    first: dict[str, Any] = {
        "provider": "p", "symbol": "META", "interval": "1m", "ts": T0,
        "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 5.0, "vwap": None,
        "trade_count": None, "source_symbol": "FB",
    }  # fmt: skip
    second = {
        **first, "interval": interval, "ts": T0 + timedelta(minutes=minutes),
        "source_symbol": "META", **differs,
    }  # fmt: skip
    return pl.DataFrame([first, second], schema={**bars.SCHEMA, "source_symbol": pl.String()})


TOGETHER = pl.DataFrame({"provider": ["p"], "symbol": ["META"]})


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("value", [10.5, None])
def test_two_spellings_with_different_bars_at_one_time(column: str, value: float | None) -> None:
    with pytest.raises(SymbolCollision, match="'FB' and 'META' of p into META") as refused:
        refuse_meeting(two(**{column: value}), TOGETHER)
    assert "2024-03-04 00:00Z" in str(refused.value)


@pytest.mark.parametrize(
    "frame",
    [two(), two(minutes=1, close=10.0), two(interval="1d", close=10.0)],
    ids=["equal bars", "another time", "another interval"],
)
def test_two_spellings_that_do_not_meet(frame: pl.DataFrame) -> None:
    refuse_meeting(frame, TOGETHER)


def test_only_symbols_that_a_map_brings_together_are_compared() -> None:
    refuse_meeting(two(close=10.0), TOGETHER.with_columns(symbol=pl.lit("OTHER")))
