"""Kinds of numbers that options take, none of which the database or a clock cannot hold."""

from __future__ import annotations

import math
from typing import Any, Final

import click

#: A limit above this is one of the machine, of which --help does not speak.
_HUGE: Final = 10_000_000


class Whole(click.IntRange):
    """A whole number in a range."""

    def _describe_range(self) -> str:
        return "" if (self.max or 0) >= _HUGE else super()._describe_range()


#: The id of a row.
ROW_ID: Final = Whole(1, 2**63 - 1)
#: Rows to show: none or more.
LIMIT: Final = Whole(0, 1_000_000_000)


class Fraction(click.FloatRange):
    """A number in a range, which NaN is not."""

    def _describe_range(self) -> str:
        return "" if (self.max or 0) >= _HUGE else super()._describe_range()

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number
