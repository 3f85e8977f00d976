"""Files that are named after the month of a contract, under a symbol without it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from loader.lazy import regex

_MONTH: Final = regex(r"(?<![0-9])((?:19|20)[0-9]{2})[-_.]?(0[1-9]|1[0-2])(?![-_.]?[0-9])")
#: A contract is traded for so long at most.
_YEARS: Final = timedelta(days=3 * 366)


def month_notes(path: str, times: pl.Series, symbol: str | None) -> tuple[str, ...]:
    """A note if the file at `path` has a month in its name, and all bars at `times` (naive Datetime
    us) lie before it: it is not when they are. `symbol` is that of all of them, if they have one.
    """
    stem = re.split("[/!]", path)[-1]
    found = _MONTH.search(stem)
    known = times.drop_nulls()
    if found is None or symbol is None or not len(known) or found[0] in symbol:
        return ()
    first, last = known.min(), known.max()
    begin = datetime(int(found[1]), int(found[2]), 1)
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    if not begin - _YEARS < first <= last < begin:
        return ()
    return (
        f"the name has {found[0]}, and its bars end before that month: if it is the month of a "
        f"contract, make it part of the symbol, such as --symbol {symbol}_{found[0]}",
    )
