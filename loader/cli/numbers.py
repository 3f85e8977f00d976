"""Kinds of numbers that options take, none of which the database or a clock cannot hold."""

from __future__ import annotations

import math
from typing import Any, Final

import click

#: The id of a row.
ROW_ID: Final = click.IntRange(1, 2**63 - 1)
#: Rows to show: none or more.
LIMIT: Final = click.IntRange(0, 1_000_000_000)


class Fraction(click.FloatRange):
    """A number in a range, which NaN is not."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number
