"""Rows with more or fewer cells than columns: rejected under separate rules, in file order."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.check.file import Checking
from loader.check.ragged import numbered
from loader.check.validate import CheckedBatch
from loader.errors import SettingsError
from loader.read.formats import read
from loader.read.sources import find
from loader.settings import Settings
from tests.support.golden import written

HEADER = "timestamp,symbol,open,high,low,close,volume,vwap\n"
SAID: dict[str, Any] = {"provider": "acme", "interval": "1m"}


def pieces(text: str, batch_rows: int, cut_at: int = 0, **said: Any) -> list[CheckedBatch]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.csv"
        path.write_text(text)
        with find([str(path)]) as (source,), read(source, batch_rows) as reading:
            return list(Checking(reading, source, Settings(**SAID, **said), cut_at).pieces())


def row(minute: int, cells: int) -> str:
    whole = f"2024-07-01T{13 + minute // 60}:{minute % 60:02}:00Z,AAPL,10,12,9,11,100,10.5,7,8"
    return ",".join(whole.split(",")[:cells])


def test_the_reject_has_the_row_as_it_stood_and_says_why() -> None:
    (piece,) = pieces(HEADER + "".join(f"{row(m, n)}\n" for m, n in enumerate([8, 7, 8, 9, 8])), 9)
    assert piece.bad.select("row_number", "rules").rows() == [
        (2, ["row_too_short"]),
        (4, ["row_too_long"]),
    ]
    assert [json.loads(raw) for raw in piece.bad["raw"]] == [
        {
            "line": "2024-07-01T13:01:00Z,AAPL,10,12,9,11,100",
            "why": "7 cells where 8 are expected",
        },
        {
            "line": "2024-07-01T13:03:00Z,AAPL,10,12,9,11,100,10.5,7",
            "why": "9 cells where 8 are expected",
        },
    ]
    assert dict(piece.rejected) == {"row_too_short": 1, "row_too_long": 1}


WIDTHS = st.lists(st.sampled_from([8, 8, 8, 8, 7, 9, 2, 1]), min_size=1, max_size=30)


@given(WIDTHS, st.integers(1, 12), st.integers(0, 32))
def test_every_row_is_told_once_under_its_number(
    widths: list[int], batch_rows: int, cut_at: int
) -> None:
    widths = [8] * 16 + widths  # the most common length decides
    text = HEADER + "".join(row(minute, cells) + "\n" for minute, cells in enumerate(widths))
    found = pieces(text, batch_rows, cut_at)
    good = [number for piece in found for number in piece.good["row_number"]]
    assert good == [number for number, cells in enumerate(widths, 1) if cells == 8]
    bad = [row for piece in found for row in piece.bad.select("row_number", "rules").rows()]
    assert bad == [
        (number, ["row_too_short" if cells < 8 else "row_too_long"])
        for number, cells in enumerate(widths, 1)
        if cells != 8
    ]
    assert [piece.last_row for piece in found][-1] == len(widths)
    for piece in found:
        numbers = [*piece.good["row_number"], *piece.bad["row_number"]]
        assert max(numbers) == piece.last_row
        assert max(numbers) <= cut_at or min(numbers) > cut_at


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_a_file_that_begins_with_them(batch_rows: int) -> None:
    rows = [row(0, 9), row(1, 2), row(2, 8), row(3, 8), row(4, 8)]
    found = pieces(HEADER + "\n".join([*rows, ""]), batch_rows)
    assert [number for piece in found for number in piece.good["row_number"]] == [3, 4, 5]
    assert [number for piece in found for number in piece.bad["row_number"]] == [1, 2]


ACME = {
    "header": ["Stamp", "O", "H", "L", "C", "V", "Note"],
    "columns": {"ts": "Stamp", "open": "O", "high": "H", "low": "L", "close": "C", "volume": "V"},
    "timezone": "UTC",
    "interval": "1d",
}
DAYS = """Stamp,O,H,L,C,V,Note
2024-06-26,10,12,9,11,100,x
2024-06-27,10,12,9,11,100,x
2024-06-28,10,12,9,11,100,x
2024-06-30,10,12,9,11,100,x
2024-07-01,10,12,9,11,100,x
2024-07-02,10,12,9,11,100
2024-07-03,10,12,9,11
2024-07-04,10,12,9
2024-07-05,10,12,9,11,100,,
Total of 5 days,50
"""


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_a_dialect_may_let_rows_leave_off_what_is_empty(batch_rows: int) -> None:
    own = {"acme": {**ACME, "short_rows": True, "skip": {"Stamp": "Total .*"}}}
    loaded = written("AAPL.csv", DAYS, batch_rows, symbol="AAPL", own_dialects=own)
    assert [bar[8] for bar in loaded.bars] == [100, 100, 100, 100, 100, 100, None]
    assert loaded.rejected == {"price_missing": 1, "row_too_long": 1}
    assert loaded.skipped == 1


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_a_row_is_skipped_only_by_cells_that_it_has(batch_rows: int) -> None:
    own = {"acme": {**ACME, "skip": {"Stamp": "Total .*", "Note": "", "O": "7"}}}
    loaded = written("AAPL.csv", DAYS, batch_rows, symbol="AAPL", own_dialects=own)
    assert len(loaded.bars) == 5
    assert loaded.rejected == {"row_too_short": 3, "row_too_long": 1}
    assert loaded.skipped == 1


def test_short_rows_is_true_or_false() -> None:
    with pytest.raises(SettingsError, match="short_rows must be true or false, not 'yes'"):
        written("AAPL.csv", DAYS, 9, own_dialects={"acme": {**ACME, "short_rows": "yes"}})


def test_a_reason_to_skip_sees_no_cell_that_is_missing() -> None:
    frame = pl.DataFrame({"a": ["1", "2"], "b": ["x", None], "c": [None, None]})
    ragged = pl.DataFrame(
        {"at": [0, 1], "cells": [2, 1], "line": ["1,x", "2"]},
        schema={"at": pl.UInt32, "cells": pl.UInt32, "line": pl.String},
    )

    def skipped(reason: pl.Expr) -> list[bool]:
        return numbered(frame, ragged, 0, 1, {"why": reason})[1]["skipped"].to_list()

    assert skipped(pl.col("c").is_null()) == [False, False]
    assert skipped(pl.col("b").is_null()) == [False, False]
    assert skipped(pl.col("b") == "x") == [True, False]
    assert skipped((pl.col("a") == "1") & pl.col("c").is_null()) == [False, False]


def test_rejects_of_all_kinds_stay_in_the_order_of_the_file() -> None:
    broken = row(3, 8).replace(",100,", ",-1,")
    rows = [row(0, 8), row(1, 7), row(2, 8), broken, row(4, 9)]
    (piece,) = pieces(HEADER + "".join(f"{each}\n" for each in rows), 9)
    assert piece.bad["row_number"].to_list() == [2, 4, 5]
    assert piece.bad["rules"].to_list() == [
        ["row_too_short"],
        ["volume_negative"],
        ["row_too_long"],
    ]
