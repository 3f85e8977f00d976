"""Provider, symbol and interval where a column, an option and a file's name meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from loader.bars.names import intervals
from loader.bars.words import Words
from loader.check.instruments.hints import ASKED, Hint, parse_interval
from loader.check.instruments.lacks import Place
from loader.check.layout.fills import Fill, symbol
from loader.check.layout.intervals import interval
from loader.dialects.filenames import PathFacts

#: A dialect's own word that the vocabulary reads as something else.
OWN = {"1m": "1mo"}
T0 = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def times(count: int) -> pl.Series:
    return pl.Series([T0 + timedelta(hours=n) for n in range(count)]).dt.replace_time_zone(None)


def test_a_dialect_s_own_word_for_an_interval_goes_first() -> None:
    assert parse_interval(Hint("1m", ASKED)) == "1m"
    assert parse_interval(Hint("1m", "the file's name"), OWN) == "1mo"
    said = Words.of(pl.Series(["1m", " 1m ", "1h", None]))
    assert intervals(said, OWN).rows.to_list() == ["1mo", "1mo", "1h", None]
    frame = pl.DataFrame({"tf": ["1m"] * 3})
    asked = Hint("1mo", ASKED)
    assert interval(frame, {"interval": "tf"}, asked, times(3), "f", OWN) == Fill("1mo")
    assert interval(frame, {"interval": "tf"}, asked, times(3), "f", {}).notes


def test_an_interval_that_the_spacing_cannot_show_is_not_doubted() -> None:
    frame = pl.DataFrame({"o": [1.0]})
    assert interval(frame, {}, Hint("1h", ASKED), times(1), "f", {}) == Fill("1h")
    many = pl.DataFrame({"o": [1.0] * 30})
    assert interval(many, {}, Hint("1h", ASKED), times(30), "f", {}) == Fill("1h")
    (note,) = interval(many, {}, Hint("5m", ASKED), times(30), "f", {}).notes
    assert note.startswith("bars are loaded as 5m, but their spacing is 1h")


@pytest.mark.parametrize(
    ("cells", "note"),
    [(["SPY"], False), (["spy", " SPY"], False), (["QQQ"], True), (["SPY", "QQQ"], True)],
)
def test_a_file_s_name_and_its_column_of_symbols(cells: list[str], note: bool) -> None:
    frame = pl.DataFrame({"ticker": cells})
    found = symbol(frame, {"symbol": "ticker"}, None, PathFacts(), "SPY", Place("f"))
    assert found.value is None
    assert bool(found.notes) is note
