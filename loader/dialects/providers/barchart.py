"""Barchart's downloads: the close is called Last or Latest, and the last line is a footer."""

from __future__ import annotations

import polars as pl

from loader.dialects.dialect import Dialect, Shape

_FOOTER = "Downloaded from Barchart"
_DAY, _CLOCK = r"\d{1,2}/\d{1,2}/\d{4}", r"\d{1,2}:\d\d"
_LAST = tuple(("Time", "Open", "High", "Low", close, "Change") for close in ("Last", "Latest"))


def _like(pattern: str) -> dict[str, str]:
    return {"Time": rf"{pattern}|{_FOOTER}.*"}


DIALECT = Dialect(
    name="barchart",
    title="Barchart historical data",
    columns={
        "symbol": ("symbol",),
        "ts": ("time",),
        "open": ("open",),
        "high": ("high",),
        "low": ("low",),
        "close": ("last", "latest"),
        "volume": ("volume",),
    },
    shapes=(
        *(Shape(header=h, values=_like(_DAY), time_format="%m/%d/%Y") for h in _LAST),
        *(
            Shape(header=h, values=_like(f"{_DAY} {_CLOCK}"), time_format="%m/%d/%Y %H:%M")
            for h in _LAST
        ),
        *(Shape(header=h, values=_like(rf"\d{{4}}-\d\d-\d\d(?: {_CLOCK})?")) for h in _LAST),
    ),
    names=(
        r"(?:^|[/!])(?P<symbol>[^/!_]+)_(?:intraday-)?(?P<interval>daily|weekly|monthly|\d+min)"
        r"(?:-[a-z]+)?_historical-data-[^/!]*$",
    ),
    left_out={
        **dict.fromkeys(("change", "%change", "%chg"), "the difference to the bar before"),
        "openint": "open interest is not stored",
    },
    skip={
        "the footer with the download time": pl.col("Time").str.starts_with(_FOOTER),
        "the footer of several symbols": pl.col("Symbol").str.starts_with(_FOOTER),
    },
    timezone="America/Chicago",
    volume="shares or contracts",
    adjusted="unknown: the file does not tell",
    traps=(
        "intraday times are in Chicago's zone",
        "newest first; the last line holds the download time",
        "small prices are written like 3.60E-05",
        "dates are month first",
    ),
    source="a daily download of a future; public readers of daily and intraday downloads",
)
