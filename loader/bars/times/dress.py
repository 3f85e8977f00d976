"""What programs write around a time: a weekday, a zone's full name, commas.

`Tue, 02 Jan 2024 14:30:00 GMT` (RFC 2822), `Tue Jan 02 2024 09:30:00 GMT-0500 (Eastern Standard
Time)` (JavaScript), `Tue Jan  2 09:30:00 2024` (C), `2024-01-02T09:30-05:00[America/New_York]`
(Java), `1/2/2024, 9:30:00 AM` (browsers), `09:30:00,000` (ISO 8601 with a comma).
"""

from __future__ import annotations

from typing import Final

import polars as pl

#: Patterns and what remains of them, in this order.
_DRESS: Final = (
    ("^(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +", ""),
    (r" *\([^()]*\)$", ""),
    (r"([+-][0-9]{2}:?[0-9]{2}|Z)\[[A-Za-z_/+-]+\]$", "$1"),
    ("  +", " "),
    ("^([A-Za-z]{3} [0-9]{1,2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})( [A-Z]{2,5})? ([0-9]{4})$",
     "$1 $4 $2$3"),
    (",( [0-9]{1,2}:)", "$1"),
    ("(:[0-5]?[0-9]),([0-9]+)", "$1.$2"),
)  # fmt: skip


def undressed(text: pl.Series) -> pl.Series:
    """The trimmed texts (String) with nothing but date, clock, and offset or zone."""
    for pattern, remains in _DRESS:
        text = text.str.replace(pattern, remains)
    return text
