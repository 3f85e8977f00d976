"""Good and bad rows: together all rows, numbered, with reasons and the raw row."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from loader import bars
from loader.check.layout.decide import decide
from loader.check.normalise import normalise
from loader.check.rules import RuleSettings
from loader.check.validate import CheckedBatch, rules_of, validate
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

HINTS = Meaning(provider="demo", symbol="X", interval="1d", timezone="UTC")


def checked(
    frame: pl.DataFrame,
    start_row: int = 1,
    settings: RuleSettings | None = None,
    hints: Meaning = HINTS,
) -> CheckedBatch:
    batch = RawBatch(frame, Location("file.csv", 0, start_row))
    return validate(batch, normalise(batch, decide(batch, hints)), settings or RuleSettings())


def table(rows: int, **cells: dict[int, str | None]) -> pl.DataFrame:
    """Good daily rows, with some cells replaced by row (from 0)."""
    good = {
        "Date": "2024-07-01",
        "Open": "10",
        "High": "12",
        "Low": "9",
        "Close": "11",
        "Volume": "5",
    }
    columns: dict[str, list[str | None]] = {name: [cell] * rows for name, cell in good.items()}
    for name, replaced in cells.items():
        for row, cell in replaced.items():
            columns[name][row] = cell
    return pl.DataFrame(columns)


def test_a_clean_batch() -> None:
    found = checked(table(3), start_row=250_001)
    assert dict(found.good.schema) == {**bars.SCHEMA, "row_number": pl.Int64}
    assert found.good["row_number"].to_list() == [250_001, 250_002, 250_003]
    assert dict(found.bad.schema) == {
        "row_number": pl.Int64, "rules": pl.List(pl.String), "raw": pl.String,
        "provider": pl.String, "symbol": pl.String, "interval": pl.String,
        "ts": pl.Datetime("us", "UTC"),
    }  # fmt: skip
    assert found.bad.height == 0
    assert found.rejected == {}
    assert found.last_row == 250_003


def test_bad_rows_are_kept_with_their_rules_and_their_text() -> None:
    frame = table(6, Open={1: "-"}, High={1: None, 3: "8"}, Volume={4: "-1"}, Date={5: ""})
    found = checked(frame, start_row=11)
    assert found.good["row_number"].to_list() == [11, 13]
    assert found.bad["row_number"].to_list() == [12, 14, 15, 16]
    assert found.bad["rules"].to_list() == [
        ["price_unparsable"],
        ["high_below_low", "open_outside_range", "close_outside_range"],
        ["volume_negative"],
        ["ts_missing"],
    ]
    assert json.loads(found.bad["raw"][0]) == {
        "Date": "2024-07-01", "Open": "-", "High": None, "Low": "9", "Close": "11", "Volume": "5",
    }  # fmt: skip
    assert found.rejected == {
        "ts_missing": 1, "price_unparsable": 1, "high_below_low": 1, "open_outside_range": 1,
        "close_outside_range": 1, "volume_negative": 1,
    }  # fmt: skip
    assert found.last_row == 16


def test_a_batch_that_is_all_bad() -> None:
    found = checked(table(2, Open={0: "99", 1: "0"}))
    assert dict(found.good.schema) == {**bars.SCHEMA, "row_number": pl.Int64}
    assert found.good.height == found.spellings.height == 0
    assert found.rejected == {"price_not_positive": 1, "open_outside_range": 2}


def test_a_batch_without_rows() -> None:
    found = checked(table(1).clear())
    assert (found.good.height, found.bad.height, found.last_row) == (0, 0, 0)
    assert dict(found.good.schema) == {**bars.SCHEMA, "row_number": pl.Int64}
    assert dict(found.spellings.schema) == dict.fromkeys(
        ("provider", "source_symbol", "symbol", "convention"), pl.String
    )


def test_settings_reach_the_rules() -> None:
    frame = table(1, Low={0: "-40.32"}, Close={0: "-37.63"})
    assert checked(frame).bad.height == 1
    allowed = checked(frame, settings=RuleSettings(allow_nonpositive_prices=True))
    assert allowed.good["close"].to_list() == [-37.63]


def test_spellings_are_those_of_the_good_rows() -> None:
    frame = table(6, Open={4: "x"}).with_columns(
        symbol=pl.Series(["aapl", "AAPL ", "aapl", "MSFT", "BAD", None]),
        provider=pl.Series(["a", "a", "a", "b", "b", " b "]),
    )
    found = checked(frame)
    assert found.spellings.rows() == [
        ("a", "aapl", "AAPL", "plain"),
        ("a", "AAPL ", "AAPL", "plain"),
        ("b", "MSFT", "MSFT", "plain"),
        ("b", "X", "X", "plain"),
    ]


def test_typed_rows_are_kept_exactly() -> None:
    frame = pl.DataFrame({
        "ts": [datetime(2024, 7, 1, 13, 30, tzinfo=UTC), datetime(2024, 7, 1, 13, 31, tzinfo=UTC)],
        "open": [10.0, 0.1], "high": [12.0, float("nan")], "low": [9.0, 0.05], "close": [11.0, 0.1],
        "symbol": ["A", "B\0"],
    })  # fmt: skip
    found = checked(frame, hints=Meaning(provider="demo", interval="1m"))
    assert found.bad["rules"].to_list() == [["key_unreadable", "price_not_finite"]]
    assert json.loads(found.bad["raw"][0]) == {
        "ts": "2024-07-01 13:31:00.000000+00:00", "open": "0.1", "high": "NaN", "low": "0.05",
        "close": "0.1", "symbol": "B␀",
    }  # fmt: skip


def test_intraday_bars_off_the_grid_and_daily_bars_off_midnight() -> None:
    frame = pl.DataFrame({
        "ts": ["2024-07-01T13:30:00Z", "2024-07-01T13:31:00Z", "2024-07-01T00:00:00Z"] * 2,
        "interval": ["5m"] * 3 + ["1d"] * 3,
        **{name: ["10"] * 6 for name in bars.PRICES},
    })  # fmt: skip
    batch = RawBatch(frame, Location("file.csv", 0, 1))
    layout = decide(RawBatch(frame[[0, 1, 5]], batch.location), HINTS)  # all daily ones at midnight
    found = validate(batch, normalise(batch, layout), RuleSettings())
    assert found.good["row_number"].to_list() == [1, 3, 6]
    assert found.bad["rules"].to_list() == [
        ["ts_off_grid"],
        ["ts_not_midnight"],
        ["ts_not_midnight"],
    ]


CELLS = st.sampled_from(["10", "9", "12", "11.5", "", "x", "nan", "inf", "-1", "0", "1e400", None])


@given(st.lists(st.tuples(*[CELLS] * 5), min_size=1, max_size=40), st.integers(1, 10**12))
def test_every_row_is_good_or_bad_by_a_slow_oracle(
    rows: list[tuple[str | None, ...]], start_row: int
) -> None:
    def is_bar(cells: tuple[str | None, ...]) -> bool:
        try:
            o, h, l, c = (float(cell or "") for cell in cells[:4])  # noqa: E741
            volume = 0.0 if cells[4] in (None, "", "nan") else float(cells[4])  # NULL
        except ValueError:
            return False
        finite = all(map(isfinite, (o, h, l, c, volume)))
        return finite and 0 < l <= min(o, c) and max(o, c) <= h and volume >= 0

    # a first row with numbers, so that the columns are columns of numbers
    cells: list[tuple[Any, ...]] = [("10", "12", "9", "11", "1"), *rows]
    columns = zip(("open", "high", "low", "close", "volume"), zip(*cells, strict=True), strict=True)
    frame = pl.DataFrame({"date": ["2024-07-01"] * len(cells), **dict(columns)})
    found = checked(frame, start_row)
    numbers = range(start_row, start_row + len(cells))
    expected = [number for number, row in zip(numbers, cells, strict=True) if is_bar(row)]
    assert found.good["row_number"].to_list() == expected
    assert sorted([*expected, *found.bad["row_number"]]) == list(numbers)
    assert all(len(names) > 0 for names in found.bad["rules"])
    counted: dict[str, int] = {}
    for names in found.bad["rules"]:
        for name in names:
            counted[name] = counted.get(name, 0) + 1
    assert found.rejected == counted


def test_what_a_rule_cannot_decide_counts_as_broken() -> None:
    batch = RawBatch(table(3), Location("file.csv", 0, 1))
    normalised = normalise(batch, decide(batch, HINTS))
    unknown = pl.Series([False, None, False], dtype=pl.Boolean)
    faults = normalised.faults.with_columns(ts_ambiguous=unknown)
    found = validate(batch, replace(normalised, faults=faults), RuleSettings())
    assert found.good["row_number"].to_list() == [1, 3]
    assert found.bad.select("row_number", "rules").rows() == [(2, ["ts_ambiguous"])]
    assert found.rejected == {"ts_ambiguous": 1}


def test_a_close_above_the_high_by_its_rounding_is_kept_and_counted() -> None:
    high = 30.33979988098144
    closes = [high, 30.339799880981445, 30.3398, 29.0]
    frame = table(4, **{"High": dict.fromkeys(range(4), repr(high))}).with_columns(
        pl.Series("Close", map(repr, closes)),
        pl.Series("Date", [f"2024-07-0{n}" for n in range(1, 5)]),
    )
    found = checked(frame)
    assert found.good["close"].to_list() == [high, 30.339799880981445, 29.0]
    assert found.bad["row_number"].to_list() == [3]
    assert found.rounded == 1
    assert checked(frame[:1]).rounded == 0
    alone = checked(frame[:2])  # no row of it is rejected
    assert (alone.rounded, alone.good.height, alone.bad.height, alone.rejected) == (1, 2, 0, {})


@given(st.lists(st.lists(st.booleans(), min_size=7, max_size=7), max_size=30), st.integers(1, 7))
def test_the_rules_of_each_row_are_listed_in_their_order(
    rows: list[list[bool]], width: int
) -> None:
    names = ["high_below_low", "b", "c", "ts_off_grid", "e", "f", "g"]
    broken = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Boolean), orient="row")
    wanted = [[name for name, is_broken in zip(names[:width], row, strict=False) if is_broken]
              for row in rows]  # fmt: skip
    found = rules_of(broken, names[:width])
    assert (found.name, found.dtype) == ("rules", pl.List(pl.String))
    assert found.to_list() == wanted


def test_sixty_rules_are_as_good_as_one() -> None:
    names = [f"rule_{number}" for number in range(60)]
    rows = [[number in (at, 59) for number in range(60)] for at in range(60)]
    found = rules_of(pl.DataFrame(rows, schema=names, orient="row"), names).to_list()
    assert found[0] == ["rule_0", "rule_59"]
    assert found[58] == ["rule_58", "rule_59"]
    assert found[59] == ["rule_59"]
