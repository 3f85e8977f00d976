"""The factors from which a price moves by more than its rounding: the limits against the inequality
that they solve, in plain numbers."""

from __future__ import annotations

import polars as pl
from hypothesis import assume, given
from hypothesis import strategies as st

from loader.check.guard.fitting import limits

#: So many times its rounding a price has to move; the shares of it that rounding and 32 bits take.
TIMES, SHARE, NOISE = 3, 0.005, 2e-6


def moves(close: float, old: float, units: tuple[float, float], factor: float) -> float:
    """How much farther than its rounding allows the factor moves the price."""
    rounding = min(0.505 * (units[0] + abs(factor) * units[1]), SHARE * abs(close))
    return abs(old * (factor - 1)) - TIMES * (rounding + NOISE * abs(close))


def limits_of(close: float, old: float, units: tuple[float, float]) -> tuple[float, float]:
    row = pl.DataFrame({"close": [close], "old_close": [old], "unit": units[:1],
                        "old_unit": units[1:]})  # fmt: skip
    above, below = row.select(above=limits()[0], below=limits()[1]).row(0)
    return above, below


@given(
    close=st.floats(0.01, 5_000),
    old=st.floats(0.01, 5_000),
    unit=st.sampled_from((0.0, 0.0001, 0.01, 1.0)),
    old_unit=st.sampled_from((0.0, 0.0001, 0.01, 1.0)),
    factor=st.one_of(st.floats(0.5, 2), st.floats(0.98, 1.02), st.floats(1 - 2e-5, 1 + 2e-5)),
)
def test_a_factor_beyond_the_limits_moves_the_price(
    close: float, old: float, unit: float, old_unit: float, factor: float
) -> None:
    by = moves(close, old, (unit, old_unit), factor)
    assume(abs(by) > 1e-9 * (close + old))
    above, below = limits_of(close, old, (unit, old_unit))
    assert (factor > above or factor < below) == (by > 0)


def test_limits_by_hand() -> None:
    """Of a price of 100 with cents: 3 × 0.505 × two cents are 0.0303 and, with 32 bits, 0.0309.
    Without a unit, 32 bits alone excuse 3 × 0.0002. Of one of 2 with whole units, rounding would
    excuse everything, so half a percent has to do: 3 × 0.01, and 32 bits."""
    for old, unit, most in ((100.0, 0.01, 0.0309), (100.0, 0.0, 0.0006), (2.0, 1.0, 0.030012)):
        above, below = limits_of(old, old, (unit, unit))
        assert abs((above - 1) * old - most) < most / 1_000
        assert abs((1 - below) * old - most) < most / 1_000
