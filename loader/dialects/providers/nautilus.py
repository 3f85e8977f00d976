"""NautilusTrader's bar catalogs: Parquet with numbers as fixed-point integers in bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from loader import bars
from loader.dialects.dialect import OHLCV, Dialect, Opening, Refused, Reshape, Shape
from loader.errors import ColumnMismatch
from loader.lazy import regex

_VALUES: Final = ("open", "high", "low", "close", "volume")
_HEADER: Final = (*_VALUES, "ts_event", "ts_init")
#: The size of a number in bytes, its type, and the power of ten of its unit.
_NARROW: Final = (8, pl.Int64(), -9)
_WIDE: Final = (16, pl.Int128(), -16)
#: ADABTC.BINANCE-1-MINUTE-LAST-EXTERNAL, with the source type after an @.
_BAR_TYPE: Final = regex(
    r"(?P<symbol>.+)-(?P<step>\d+)-(?P<unit>[A-Z]+)-(?P<price>[A-Z]+)-(?:EX|IN)TERNAL(?:@.*)?"
)
_OF_TIME: Final = (
    r".+-\d+-(?:SECOND|MINUTE|HOUR|DAY|WEEK|MONTH|YEAR)-[A-Z]+-(?:EX|IN)TERNAL(?:@.*)?"
)


def _facts(opening: Opening) -> Mapping[str, str]:
    """Reads the bar type. Bid, ask and midpoint bars get their own providers.

    Raises:
        ColumnMismatch: the dates of daily bars depend on the unknown end that their times mark.
    """
    said = _said(opening)
    interval = said["step"] + said["unit"]
    known = bars.parse_interval(interval)
    if known is not None and bars.is_daily(known) and not _starts(opening):
        raise ColumnMismatch.of(
            opening.name,
            f"has {known} bars, and ts_init is not the end of the bar, so "
            "ts_event may be the midnight before or after a day",
            hint="write it again with ts_init = ts_event + the interval, or as CSV with dates",
        )
    side = "" if said["price"] == "LAST" else f"-{said['price'].lower()}"
    return {"symbol": said["symbol"], "interval": interval, "side": side}


def _said(opening: Opening) -> dict[str, str]:
    match = _BAR_TYPE.fullmatch(opening.metadata["bar_type"])
    return match.groupdict() if match else {}


def _starts(opening: Opening) -> bool:
    """Whether `ts_init`, the end of the bar, is one bar length after `ts_event`."""
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
    """Reads integers of this size; the largest one stands for an undefined price or volume."""
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
            note="" if starts else "ts_event may be the start or the end of the bar",
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
    left_out={"ts_init": "the end of the bar, known from its start and interval"},
    volume="base asset or contracts, depending on the venue",
    adjusted="nothing",
    traps=(
        "symbol, interval and side come from the schema's metadata (bar_type), never from the "
        "file's name",
        "ts_event is the start or the end of a bar, as its writer chose. If ts_init is one bar "
        "length later, it is the start; otherwise use --stamp (by default NautilusTrader marks "
        "the end)",
        "symbols include the venue: ADABTC.BINANCE; bid, ask and midpoint bars get the providers "
        "nautilus-bid, nautilus-ask and nautilus-mid",
        "numbers of 8 bytes are in units of 1e-9, those of 16 bytes in units of 1e-16",
    ),
    source="catalog files of both widths; nautilustrader.io on bars, their times and their types",
)
