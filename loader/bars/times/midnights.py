"""Midnights that some writers leave without a clock: `2024-03-04` between 23:00 and 01:00."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from loader.bars.times import forms
from loader.bars.times.forms import Form


def filled(wall: pl.Series, text: pl.Series, form: Form) -> pl.Series:
    """`wall` (naive Datetime us, read from the trimmed `text` by `form`) with the midnights of
    dates that stand alone. Such a date is midnight where no other row has a clock that shows
    midnight, it lies between its neighbours in time, and one of them is a usual step away. Others
    stay null.
    """
    alone = forms.bare(text, form).str.contains(form.date or "") & wall.is_null()
    alone = alone.fill_null(False)
    clocked = wall.drop_nulls()
    if not alone.any() or not len(clocked) or (clocked == clocked.dt.truncate("1d")).any():
        return wall
    dates = replace(form, pattern=form.date, formats=_dates(form), date=None)
    midnight = forms.read(text.set(~alone, None), dates).wall
    steps = clocked.unique().sort().diff().drop_nulls()
    if not len(steps):
        return wall
    step = steps.mode().min()
    before, after = wall.forward_fill(), wall.backward_fill()
    rising = (before.is_null() | (before < midnight)) & (after.is_null() | (midnight < after))
    falling = (before.is_null() | (before > midnight)) & (after.is_null() | (midnight > after))
    near = _apart(midnight, before, step) | _apart(midnight, after, step)
    sound = ((rising.fill_null(True) | falling.fill_null(True)) & near).fill_null(False)
    return wall.zip_with(~(alone & sound), midnight)


def _apart(midnight: pl.Series, other: pl.Series, step: object) -> pl.Series:
    return ((midnight - other).abs() == step).fill_null(False)


def _dates(form: Form) -> tuple[str, ...]:
    """The formats of the date, without the clock behind it."""
    return tuple(
        dict.fromkeys(word.partition("%H")[0].partition("%I")[0][:-1] for word in form.formats)
    )
