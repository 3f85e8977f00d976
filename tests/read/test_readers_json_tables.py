"""JSON tables that are not rows: pandas' orientations, and arrays in several objects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loader.read.formats.containers.json.place import find
from loader.read.formats.containers.json.tables import as_columns

ROWS = {"Open": [1.5, 2.5], "High": [2, 3], "Low": [1, 2], "Close": [1.75, 2.75]}
KEYS = ["1699920000000", "1700006400000"]
TABLE = {"index": KEYS, **ROWS}


def by_column(keys: list[str]) -> dict[str, Any]:
    return {name: dict(zip(keys, cells, strict=True)) for name, cells in ROWS.items()}


def split(**more: Any) -> dict[str, Any]:
    data = [list(row) for row in zip(*ROWS.values(), strict=True)]
    return {"columns": list(ROWS), "index": KEYS, "data": data, **more}


@pytest.mark.parametrize("value", [by_column(KEYS), split()], ids=["columns", "split"])
def test_tables_of_pandas_become_columns(value: dict[str, Any]) -> None:
    assert as_columns(value) == TABLE
    assert as_columns({"prices": value}) == {"prices": TABLE}


def test_split_of_several_levels_joins_the_names() -> None:
    value = split(columns=[[name, "KO"] for name in ROWS])
    assert list(as_columns(value)) == ["index", *(f"{name}_KO" for name in ROWS)]


@pytest.mark.parametrize(
    "value",
    [
        {"AAPL": {"open": 1, "close": 2}, "KO": {"open": 1, "close": 2}, "IBM": {"open": 3}},
        {"2024-01-02": {"1": 1}, "2024-01-03": {"1": 2}, "2024-01-04": {"1": 3}},  # of rows by date
        {"columns": ["a", "b"], "data": [[1, 2], [3]]},  # ragged
        {"columns": ["a", "a"], "data": [[1, 2], [3, 4]]},  # one name twice
        {"t": KEYS, "q": {"o": [1, 2], "h": [1, 2], "c": [1, 2, 3]}},  # of another length
        {"symbols": ["A", "B"], "q": {"o": [1, 2], "h": [1, 2], "c": [1, 2]}},  # no times
        [{"o": 1, "h": 2}, {"o": 2, "h": 3}],
    ],
)
def test_what_is_no_such_table_stays_itself(value: Any) -> None:
    assert as_columns(value) is value


def test_arrays_in_several_objects_are_one_table() -> None:
    quote = {"open": [1, 2], "high": [2, 3], "low": [1, 1], "close": [2, 2]}
    value = {
        "meta": {"symbol": "KO", "ranges": ["1d", "5d", "1mo"]},
        "timestamp": KEYS,
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": [1, 2]}]},
    }
    table = as_columns({"chart": {"result": [value], "error": None}})
    [found] = table["chart"]["result"]
    assert {name: found[name] for name in ("timestamp", *quote)} == {"timestamp": KEYS, **quote}
    assert found["meta"] == {"symbol": "KO"}
    [place], _ = find(table)
    assert str(place) == "chart.result[]."
    assert set(place.names) == {"timestamp", *quote, "adjclose"}


def test_arrays_of_one_name_keep_their_paths() -> None:
    side = {"o": [1, 2], "h": [1, 2]}
    found = as_columns({"t": KEYS, "bid": dict(side), "ask": dict(side)})
    assert set(found) >= {"t", "bid.o", "bid.h", "ask.o", "ask.h"}


@pytest.mark.parametrize(
    ("value", "steps"),
    [
        ({"history": {"day": {"date": "2024-01-02", "o": "1", "h": "2", "l": "1", "c": "2"}}},
         ("history", "day")),
        ({"ts": "1700001234567", "tick": {"id": "1700000100", "o": "1", "h": "2", "l": "1"}},
         ("tick",)),
        # the time is outside of the prices, so the bar is the whole
        ({"time": "2024-01-02", "mid": {"o": "1", "h": "2", "l": "1", "c": "2"}}, ()),
        # the prices are outside of the header, so the bar is the whole
        ({"hd": {"ts": "1700000100000000000", "a": "1", "b": "2", "c": "3"},
          "o": "1", "h": "2", "l": "1", "c": "2"}, ()),
    ],
)  # fmt: skip
def test_one_bar_stands_where_its_time_is(value: dict[str, Any], steps: tuple[str, ...]) -> None:
    [place], _ = find(json.loads(json.dumps(value)))
    assert place.steps == steps
