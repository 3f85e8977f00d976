"""NautilusTrader's catalogs of bars: Parquet whose numbers are fixed-point integers in bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from loader import bars
from loader.dialects.dialect import OHLCV, Dialect, Opening, Refused, Reshape, Shape
from loader.errors import ColumnMismatch

_VALUES: Final = ("open", "high", "low", "close", "volume")
_HEADER: Final = (*_VALUES, "ts_event", "ts_init")
#: The bytes of a number, its type, and the power of ten that it is a multiple of.
_NARROW: Final = (8, pl.Int64(), -9)
_WIDE: Final = (16, pl.Int128(), -16)
#: ADABTC.BINANCE-1-MINUTE-LAST-EXTERNAL, and behind an @ what it was made of.
_BAR_TYPE: Final = re.compile(
    r"(?P<symbol>.+)-(?P<step>\d+)-(?P<unit>[A-Z]+)-(?P<price>[A-Z]+)-(?:EX|IN)TERNAL(?:@.*)?"
)
_OF_TIME: Final = (
    r".+-\d+-(?:SECOND|MINUTE|HOUR|DAY|WEEK|MONTH|YEAR)-[A-Z]+-(?:EX|IN)TERNAL(?:@.*)?"
)


def _facts(opening: Opening) -> Mapping[str, str]:
    """Bars of bids, asks and middles are series of their own.

    Raises:
        ColumnMismatch: the dates of daily bars depend on which end their times are.
    """
    said = _said(opening)
    interval = said["step"] + said["unit"]
    known = bars.parse_interval(interval)
    if known is not None and bars.is_daily(known) and not _starts(opening):
        raise ColumnMismatch.of(
            opening.name,
            f"has bars of {known} whose ts_init is not the bar's end, so that "
            "ts_event may be the midnight before or after a day, and nothing says which",
            hint="write it anew with ts_init = ts_event + the interval, or as CSV with dates",
        )
    side = "" if said["price"] == "LAST" else f"-{said['price'].lower()}"
    return {"symbol": said["symbol"], "interval": interval, "side": side}


def _said(opening: Opening) -> dict[str, str]:
    match = _BAR_TYPE.fullmatch(opening.metadata["bar_type"])
    return match.groupdict() if match else {}


def _starts(opening: Opening) -> bool:
    """Whether `ts_init`, which has to be the bar's end, is its length behind `ts_event`."""
    said = _said(opening)
    seconds = bars.INTERVAL_SECONDS.get(bars.parse_interval(said["step"] + said["unit"]) or "", 0)
    ahead = opening.first.select(
        (pl.col("ts_init").cast(pl.Int64) - pl.col("ts_event").cast(pl.Int64)) / 1e9
    ).to_series()
    # a month has 28 to 31 days
    return seconds > 0 and bool(ahead.is_between(seconds * 0.9, seconds * 1.1).all())


def _of(width: int, *, starts: bool) -> Callable[[Opening], bool]:
    def accept(opening: Opening) -> bool:
        column = opening.first["open"]
        wide = isinstance(column.dtype, pl.Binary) and (column.bin.size() == width).all()
        return wide and _starts(opening) == starts

    return accept


def _integers(number: pl.DataType) -> Callable[[Opening], Reshape]:
    """The largest integer stands for a price or volume that is not defined."""
    largest = 2 ** (63 if number == pl.Int64 else 127) - 1
    read = pl.col(_VALUES).bin.reinterpret(dtype=number, endianness="little")
    defined = pl.when(read != pl.lit(largest, number)).then(read)
    return lambda opening: lambda frame: frame.with_columns(defined)


DIALECT = Dialect(
    name="nautilus",
    title="NautilusTrader's bars in Parquet",
    columns={"ts": ("ts_event",), **OHLCV},
    shapes=tuple(
        Shape(
            containers=("parquet", "arrow"),
            header=_HEADER,
            exact=True,
            metadata={"bar_type": _OF_TIME},
            accept=_of(width, starts=starts),
            stamp="start" if starts else None,
            price_exponent=exponent,
            volume_exponent=exponent,
            reshape=_integers(number),
            note="" if starts else "ts_init is ts_event: nothing says which end of a bar it is",
        )
        for width, number, exponent in (_NARROW, _WIDE)
        for starts in (True, False)
    ),
    refused=(
        Refused(
            Shape(
                containers=("parquet", "arrow"),
                header=_HEADER,
                metadata={"bar_type": rf"(?!{_OF_TIME}$).*"},
            ),
            "bars of equal volume, value or number of ticks",
        ),
    ),
    facts=_facts,
    provider="nautilus{side}",
    stamp=None,
    left_out={"ts_init": "when the bar was known, which its start and interval say"},
    volume="base asset or contracts, as the venue counts it",
    adjusted="nothing",
    traps=(
        "symbol, interval and side are in the schema's metadata (bar_type): the file's name says "
        "nothing",
        "ts_event is the start or the end of a bar, as its writer chose. If ts_init is the length "
        "of a bar behind, it is the start; otherwise --stamp has to say it (NautilusTrader's own "
        "bars are stamped at their end by default)",
        "symbols have the venue in them: ADABTC.BINANCE; bars of bids, asks and middles have the "
        "providers nautilus-bid, nautilus-ask and nautilus-mid",
        "numbers of 8 bytes are units of 1e-9, those of 16 bytes units of 1e-16",
    ),
    source="catalog files of both widths; nautilustrader.io on bars, their times and their types",
)
