"""Investing.com's historical data: the close is called Price and comes before the open."""

from __future__ import annotations

from loader.bars.numbers import NumberFormat
from loader.dialects.dialect import Dialect, Shape

_PRICES = ("Date", "Price", "Open", "High", "Low")
_HEADERS = ((*_PRICES, "Vol.", "Change %"), (*_PRICES, "Change %"))
_SUFFIXES = {"K": 3, "M": 6, "B": 9}
_WITH_COMMAS = NumberFormat(grouping=".", decimal=",", suffixes=_SUFFIXES, empty=("-",))
#: The change shows which decimal mark the file uses; 149,123 alone does not.
_COMMA = {"Change %": r"[+-]?\d+(?:\.\d{3})*,\d+ ?%"}

DIALECT = Dialect(
    name="investing",
    title="Investing.com historical data",
    columns={
        "ts": ("date",),
        "open": ("open",),
        "high": ("high",),
        "low": ("low",),
        "close": ("price",),
        "volume": ("vol.",),
    },
    shapes=(
        *(Shape(header=header, exact=True) for header in _HEADERS),
        *(
            Shape(
                header=header,
                exact=True,
                values=_COMMA,
                numbers=_WITH_COMMAS,
                note="numbers have a decimal comma, as the change shows",
            )
            for header in _HEADERS
        ),
    ),
    names=(r"(?:^|[/!])(?P<symbol>[^/!]+?) Historical Data(?: ?\(\d+\))?\.csv(?:\.\w+)?$",),
    left_out={"change%": "the difference to the bar before"},
    numbers=NumberFormat(grouping=",", suffixes=_SUFFIXES, empty=("-",)),
    volume="units traded, rounded by the site to five digits or fewer: 190.28M",
    adjusted="unknown: the file does not tell",
    traps=(
        "Price is the close and comes before the open",
        "if the change has a decimal comma (0,39%), so have all numbers: 149,123 is then a "
        "fraction",
        "the volume is rounded (190.28M); `-` stands for a missing one",
        "dates follow the site's edition, month first or day first: if the values do not show "
        "which, use --time-format '%m/%d/%Y' or '%d/%m/%Y'",
        "the symbol comes from the file's name, such as `S&P 500`; --symbol gives a better one",
        "newest first; the file does not tell whether a bar is a day, week or month",
    ),
    source="public readers of the site's downloads",
)
