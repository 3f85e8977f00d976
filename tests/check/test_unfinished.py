"""Flags of unfinished bars: which columns are flags, and what they say."""

from __future__ import annotations

import polars as pl
import pytest

from loader.check.layout.unfinished import flags
from loader.errors import ColumnMismatch
from tests.support.golden import Loaded, written

HEADER = "symbol,ts,open,high,low,close"
ROW = "KO,2023-11-14T22:{}:00Z,57.5,57.75,57.25,57.6"
OPTIONS = {"provider": "x", "interval": "15m"}


def loaded(name: str, cells: list[str], **options: bool) -> Loaded:
    lines = [f"{ROW.format(m)},{cell}" for m, cell in zip(("15", "30", "45"), cells, strict=True)]
    text = "\n".join([f"{HEADER},{name}", *lines, ""])
    return written("bars.csv", text, 1_000, **OPTIONS, **options)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("complete", ["true", "true", "false"]),
        ("is_final", ["True", "TRUE", " False "]),
        ("isFinal", ["1", "1", "0"]),
        ("final", ["yes", "y", "no"]),
        ("Closed", ["1.0", "", "0.0"]),
        ("confirm", ["1", "1", "0"]),
        ("partial", ["false", "false", "true"]),
        ("in_progress", ["0", "0", "1"]),
        ("isBarClosed", ["True", "True", "False"]),
        ("preliminary", ["N", "N", "Y"]),
        ("status", ["closed", "Closed", "open"]),
        ("candle_state", ["CLOSED", "CLOSED", "FORMING"]),
    ],
)
def test_the_last_bar_is_left_out_and_counted(name: str, cells: list[str]) -> None:
    result = loaded(name, cells)
    assert (len(result.bars), result.skipped) == (2, 1)
    assert any(repr(name) in note and "unfinished" in note for note in result.notes)
    kept = loaded(name, cells, keep_skipped=True)
    assert (len(kept.bars), kept.skipped) == (3, 0)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("final", ["57.6", "57.6", "0"]),  # a price
        ("closed", ["2023-11-14", "", ""]),
        ("finality", ["true", "false", "false"]),
        ("complete", ["100%", "100%", "0"]),
    ],
)
def test_other_columns_are_no_flags(name: str, cells: list[str]) -> None:
    result = loaded(name, cells)
    assert (len(result.bars), result.skipped) == (3, 0)


def test_a_file_without_a_finished_bar_is_asked_about() -> None:
    with pytest.raises(ColumnMismatch, match="'closed' marks all 3 bars as unfinished") as refused:
        loaded("closed", ["0", "0", "0"])
    assert "--keep-skipped" in str(refused.value.hint)
    assert len(loaded("closed", ["0", "0", "0"], keep_skipped=True).bars) == 3


def test_a_used_column_is_no_flag() -> None:
    frame = pl.DataFrame({"close": [1.0], "closed": [False], "final": [True]})
    assert len(flags(frame, {"closed"})) == 1
