"""Dukascopy's .bi5, candles: LZMA around records that count seconds from the start of the file."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.read.batch import Reading
from loader.read.formats import records
from loader.read.formats.format import Format, Opened
from loader.read.formats.records import Records, in_a_row

_LAYOUT: Final = Records(
    name="bi5",
    size=24,
    endianness="big",
    fields=in_a_row(pl.Int32, "seconds open close low high", 0) | {"volume": (20, pl.Float32)},
)


def read(opened: Opened) -> Reading:
    """Numbers are as the file has them, prices in points. A file without bytes is one of a time
    without trading.

    Raises:
        UnreadableFile: it is cut short; also while its batches are read.
    """
    return records.read(_LAYOUT, opened)


FORMAT: Final = Format(
    names=("bi5",),
    read=read,
    suffixes=(".bi5",),
    file_name=r"\.bi5$|_candles_(min|hour|day)_1$",
    layer="lzma",
    empty=True,
    no_bars={r"_ticks\.bi5$": "holds Dukascopy's ticks, not bars"},
    vendor=True,
)
