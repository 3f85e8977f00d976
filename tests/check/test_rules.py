"""Every rule, broken alone, and the table of reasons."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader import bars
from loader.check.file import rules_for
from loader.check.reasons import REASONS, SYMBOL_COLLISION
from loader.check.rules import RuleSettings, all_sound, rules
from loader.check.validate import all_hold_exactly
from loader.settings import Meaning, Settings

MINUTE, DAY = 60_000_000, 86_400_000_000
FAULTS = (
    "key_unreadable", "key_too_long", "interval_unknown", "ts_unparsable", "ts_nonexistent",
    "ts_ambiguous", "price_unparsable", "volume_unparsable", "vwap_unparsable",
    "trade_count_unparsable",
)  # fmt: skip

GOOD: dict[str, Any] = {
    "provider": "demo", "symbol": "AAPL", "interval": "1m",
    "ts": datetime(2024, 7, 1, 13, 30, tzinfo=UTC),
    "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0,
    "volume": 100.0, "vwap": 10.5, "trade_count": 7,
    **dict.fromkeys(FAULTS, False), "step": MINUTE,
}  # fmt: skip
SCHEMA = {**bars.SCHEMA, **dict.fromkeys(FAULTS, pl.Boolean()), "step": pl.Int64()}


def broken(settings: RuleSettings | None = None, /, **cells: object) -> set[str]:
    """The rules that a good row with these cells breaks."""
    frame = pl.DataFrame([{**GOOD, **cells}], schema=SCHEMA)
    verdicts = frame.select(
        rule.holds.fill_null(False).alias(rule.name) for rule in rules(settings or RuleSettings())
    )
    return {name for name, holds in verdicts.row(0, named=True).items() if not holds}


NAN, INF = float("nan"), float("inf")
CASES: dict[str, list[dict[str, object]]] = {
    "provider_missing": [{"provider": None}],
    "symbol_missing": [{"symbol": None}],
    "key_unreadable": [{"key_unreadable": True}],
    "key_too_long": [{"key_too_long": True}],
    "interval_missing": [{"interval": None, "step": None}],
    "interval_unknown": [{"interval": None, "step": None, "interval_unknown": True}],
    "ts_missing": [{"ts": None}],
    "ts_unparsable": [{"ts": None, "ts_unparsable": True}],
    "ts_nonexistent": [{"ts": None, "ts_nonexistent": True}],
    "ts_ambiguous": [{"ts": None, "ts_ambiguous": True}],
    "ts_out_of_range": [
        {"ts": datetime(1899, 12, 31, 23, 59, tzinfo=UTC)},
        {"ts": datetime(2100, 1, 1, tzinfo=UTC)},
        {"ts": datetime(20, 1, 1, tzinfo=UTC)},
    ],
    "ts_not_midnight": [
        {"interval": "1d", "step": DAY, "ts": datetime(2024, 7, 1, 4, tzinfo=UTC)},
        {"interval": "1mo", "step": DAY, "ts": datetime(2024, 7, 1, 0, 0, 0, 1, tzinfo=UTC)},
    ],
    "ts_off_grid": [
        {"ts": datetime(2024, 7, 1, 13, 30, 30, tzinfo=UTC)},
        {"ts": datetime(2024, 7, 1, 13, 30, 0, 1, tzinfo=UTC)},
        {"interval": "5m", "step": 5 * MINUTE, "ts": datetime(2024, 7, 1, 13, 31, tzinfo=UTC)},
        {"ts": datetime(1950, 7, 1, 13, 30, 30, tzinfo=UTC)},
    ],
    "price_missing": [{name: None} for name in bars.PRICES] + [dict.fromkeys(bars.PRICES)],
    "price_unparsable": [{"open": None, "price_unparsable": True}],
    "price_not_positive": [
        dict.fromkeys(bars.PRICES, 0.0),
        dict.fromkeys(bars.PRICES, -0.0),
        {"low": -1.0},
        {"open": -40.0, "high": 1.0, "low": -41.0, "close": -37.63},
    ],
    "open_outside_range": [{"open": 12.5}, {"open": 8.9}],
    "close_outside_range": [
        {"close": 12.5},
        {"close": 8.9},
        {"close": 12.0 * (1 + 6 * 2.0**-52)},
        {"close": 9.0 * (1 - 6 * 2.0**-52)},
    ],
    "volume_unparsable": [{"volume": None, "volume_unparsable": True}],
    "volume_not_finite": [{"volume": NAN}, {"volume": INF}],
    "volume_negative": [{"volume": -1.0}, {"volume": -1e-300}],
    "vwap_unparsable": [{"vwap": None, "vwap_unparsable": True}],
    "vwap_not_finite": [{"vwap": NAN}, {"vwap": INF}],
    "vwap_negative": [{"vwap": -0.5}],
    "trade_count_unparsable": [{"trade_count": None, "trade_count_unparsable": True}],
    "trade_count_negative": [{"trade_count": -1}],
}


@pytest.mark.parametrize(
    ("rule", "cells"), [(rule, cells) for rule, cases in CASES.items() for cells in cases]
)
def test_a_row_that_breaks_one_rule(rule: str, cells: dict[str, object]) -> None:
    assert broken(**cells) == {rule}


@pytest.mark.parametrize(
    ("cells", "rules_broken"),
    [
        ({"high": 8.0}, {"high_below_low", "open_outside_range", "close_outside_range"}),
        ({"open": NAN}, {"price_not_finite", "open_outside_range"}),
        ({"high": INF}, {"price_not_finite"}),
        ({"low": -INF}, {"price_not_finite", "price_not_positive"}),
        ({"volume": -INF}, {"volume_not_finite", "volume_negative"}),
        ({"symbol": None, "open": None, "high": 8.0},
         {"symbol_missing", "price_missing", "high_below_low", "close_outside_range"}),
    ],
)  # fmt: skip
def test_rows_that_break_several(cells: dict[str, object], rules_broken: set[str]) -> None:
    assert broken(**cells) == rules_broken


@pytest.mark.parametrize(
    ("rule", "cells"), [(rule, cells) for rule, cases in CASES.items() for cells in cases]
)
def test_no_row_that_breaks_a_rule_is_sound(rule: str, cells: dict[str, object]) -> None:
    rows = pl.DataFrame([GOOD, {**GOOD, **cells}], schema=SCHEMA)
    assert all_sound(rows[:1], RuleSettings())
    assert not all_sound(rows, RuleSettings()), rule


NUMBERS = st.sampled_from([None, NAN, INF, -INF, -1.0, -0.0, 0.0, 1e-300, 9.0, 10.0, 12.0])
CELLS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys((*bars.PRICES, "volume", "vwap"), NUMBERS),
        "trade_count": st.sampled_from([None, -1, 0, 2**62]),
        "ts": st.sampled_from([None, *(datetime(y, 1, 1, tzinfo=UTC) for y in (1899, 1970, 2100))]),
        "step": st.sampled_from([DAY, 5 * MINUTE]),
    },
)


@given(st.lists(CELLS, max_size=4), st.booleans())
def test_rows_are_sound_only_where_all_rules_hold(
    rows: list[dict[str, object]], nonpositive: bool
) -> None:
    settings = RuleSettings(allow_nonpositive_prices=nonpositive)
    facts = pl.DataFrame([{**GOOD, **cells} for cells in rows], schema=SCHEMA)
    if all_sound(facts, settings):
        assert facts.select(all_hold_exactly(settings)).to_series().all()


def test_every_rule_has_a_case_a_name_and_a_line() -> None:
    elsewhere = {"high_below_low", "price_not_finite"}
    found = [rule.name for rule in rules(RuleSettings())]
    assert set(found) == set(CASES) | elsewhere
    assert found == [r.name for r in REASONS if r.stage == "bar" and r.name != SYMBOL_COLLISION]
    assert len({reason.name for reason in REASONS}) == len(REASONS)
    assert all(reason.description and "\n" not in reason.description for reason in REASONS)


@pytest.mark.parametrize(
    "cells",
    [
        {},
        dict.fromkeys(bars.OPTIONAL),
        dict.fromkeys(bars.OPTIONAL, 0),
        dict.fromkeys(bars.PRICES, 1e-300),
        {"open": 12.0, "close": 9.0},
        {"close": 12.0 * (1 + 3 * 2.0**-52), "open": 9.0 * (1 - 3 * 2.0**-52)},
        {"ts": datetime(1900, 1, 1, tzinfo=UTC)},
        {"ts": datetime(2099, 12, 31, 23, 59, tzinfo=UTC)},
        {"ts": datetime(1950, 7, 1, 13, 31, tzinfo=UTC)},
        {"interval": "1h", "step": 5 * MINUTE, "ts": datetime(2024, 7, 1, 22, 5, tzinfo=UTC)},
        {"interval": "1w", "step": DAY, "ts": datetime(1969, 7, 21, tzinfo=UTC)},
    ],
)
def test_rows_that_are_good(cells: dict[str, object]) -> None:
    assert broken(**cells) == set()


def test_prices_below_zero_can_be_allowed() -> None:
    allowed = RuleSettings(allow_nonpositive_prices=True)
    oil = {"open": 17.73, "high": 17.85, "low": -40.32, "close": -37.63, "vwap": -20.0}
    assert broken(**oil) == {"price_not_positive", "vwap_negative"}
    assert broken(allowed, **oil) == set()
    assert broken(allowed, open=NAN) == {"price_not_finite", "open_outside_range"}


def test_the_grid_can_be_left_unchecked_but_not_midnight() -> None:
    unchecked = RuleSettings(check_grid=False)
    assert broken(unchecked, **CASES["ts_off_grid"][0]) == set()
    assert broken(unchecked, **CASES["ts_not_midnight"][0]) == {"ts_not_midnight"}


def test_the_span_can_be_set() -> None:
    span = RuleSettings(
        min_ts=datetime(2024, 1, 1, tzinfo=UTC), max_ts=datetime(2024, 7, 1, tzinfo=UTC)
    )
    assert broken(span) == {"ts_out_of_range"}
    assert broken(span, ts=datetime(2024, 6, 30, 23, 59, tzinfo=UTC)) == set()


def test_a_setting_of_the_load_reaches_the_rules() -> None:
    given = Settings(allow_nonpositive_prices=True, check_grid=False).meaning
    assert rules_for(given) == RuleSettings(allow_nonpositive_prices=True, check_grid=False)
    assert rules_for(Meaning()) == RuleSettings()
    by_programs_only = {"min_ts", "max_ts", "allowed"}
    assert {each.name for each in fields(RuleSettings)} - by_programs_only <= {
        each.name for each in fields(Meaning)
    }


def test_a_rule_without_a_reason_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would never be applied."""
    monkeypatch.setattr("loader.check.rules.REASONS", REASONS[:-2])
    with pytest.raises(ValueError, match="trade_count_negative"):
        rules(RuleSettings(max_ts=datetime(2098, 1, 1, tzinfo=UTC)))


def test_the_switches_are_settings() -> None:
    names = set(RuleSettings.__dataclass_fields__) - {"allowed"}  # of rules by their names
    assert {name for reason in REASONS for name in reason.switches} == names


def test_the_description_of_the_span_is_the_default_one() -> None:
    (span,) = (reason for reason in REASONS if reason.name == "ts_out_of_range")
    default = RuleSettings()
    assert f"before {default.min_ts:%Y-%m-%d}, or {default.max_ts:%Y-%m-%d}" in span.description
