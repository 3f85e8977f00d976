"""TDX's .day: daily bars of Shanghai and Shenzhen."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.errors import UnreadableFile
from loader.read.batch import Reading
from loader.read.formats import records
from loader.read.formats.format import Format, Opened
from loader.read.formats.records import Finish, Records, in_a_row

_LAYOUT: Final = Records(
    name="tdx",
    size=32,
    fields=in_a_row(pl.UInt32, "date open high low close", 0)
    | {"amount": (20, pl.Float32), "volume": (24, pl.UInt32)},
)


def read(opened: Opened) -> Reading:
    """Numbers are as the file has them: prices in hundredths, dates as YYYYMMDD.

    Raises:
        UnreadableFile: it is cut short, or is not such a file; also while its batches are read.
    """
    return records.read(_LAYOUT, opened, _checked(opened.source.name))


def _checked(name: str) -> Finish:
    """The format has no mark of its own, so that its first values must bear it out."""

    def checked(frame: pl.DataFrame, done: int) -> pl.DataFrame:
        if frame.height and not 1900_00_00 < (date := frame["date"][0]) < 2200_00_00:
            raise UnreadableFile.of(
                name,
                f"is not TDX's daily file that its name makes it: row {done + 1:,} has "
                f"{date} for a date",
            )
        # An integer above 2^29 is a price of five million yuan, or a float of about 1.
        if (frame["open"] > 1 << 29).any():
            raise UnreadableFile.of(
                name,
                "is a daily file of TDX's other markets (futures, Hong Kong) with prices "
                "as floats, which mdload does not read",
                hint="export it as text from TDX, and load that",
            )
        return frame

    return checked


FORMAT: Final = Format(
    names=("tdx",),
    read=read,
    suffixes=(".day",),
    file_name=r"\.day$",
    no_bars={r"\.lc[15]?$": "is one of TDX's minute files, which mdload does not read"},
    vendor=True,
)
