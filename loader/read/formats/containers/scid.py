"""Sierra Chart's .scid, where it holds bars."""

from __future__ import annotations

from dataclasses import replace
from io import BufferedReader
from typing import Final

import polars as pl

from loader import bars
from loader.errors import UnreadableFile
from loader.read.batch import Reading
from loader.read.formats import records
from loader.read.formats.format import Format, Opened
from loader.read.formats.records import Finish, Records, header, in_a_row

_LAYOUT: Final = Records(
    name="scid",
    size=40,
    fields={"datetime": (0, pl.Int64), "days": (0, pl.Float64)}
    | in_a_row(pl.Float32, "open high low close", 8)
    | in_a_row(pl.UInt32, "num_trades total_volume bid_volume ask_volume", 24),
)


def read(opened: Opened) -> Reading:
    """Numbers are as the file has them; `datetime` is Datetime("us", "UTC").

    Raises:
        UnreadableFile: it is cut short, or holds ticks or what mdload does not read; also while its
            batches are read.
    """
    name = opened.source.name
    return records.read(_header(opened.stream, name), opened, _checked(name))


def _header(stream: BufferedReader, name: str) -> Records:
    first = header(stream, 20, name)
    at = {"header": 4, "record": 8, "utc": 16}
    number = {key: int.from_bytes(first[i : i + 4], "little") for key, i in at.items()}
    if number["record"] != _LAYOUT.size or not 20 <= number["header"] <= 4096:
        raise UnreadableFile.of(
            name,
            f"says that its header has {number['header']:,} bytes and its records "
            f"{number['record']:,}, where Sierra Chart writes 56 and {_LAYOUT.size}",
        )
    if number["utc"]:
        raise UnreadableFile.of(
            name,
            f"says that its times are UTC only from row {number['utc'] + 1:,} on",
            hint="export it as text from Sierra Chart, and load that with --timezone",
        )
    header(stream, number["header"] - 20, name)
    return replace(_LAYOUT, skip=number["header"])


def _checked(name: str) -> Finish:
    """Stamps count microseconds, in older files days as a double, since 1899-12-30: no number is
    plausible as both."""
    micros, days = pl.col("datetime"), pl.col("days")
    millis = (days * 86_400_000).round().cast(pl.Int64, strict=False)
    since = (
        pl.when(micros.is_between(0, 10**17)).then(micros)
        .when(days.is_between(1, 10**6)).then(millis * 1000)
    )  # fmt: skip
    stamp = (since - 25_569 * 86_400_000_000).cast(bars.TS)

    def checked(frame: pl.DataFrame, done: int) -> pl.DataFrame:
        # The open of a tick is 0, or the mark of a trade that was cut in pieces.
        ticks = ((frame["open"] == 0) | (frame["open"] < -1e37)).sum()
        if ticks * 2 > frame.height:
            raise UnreadableFile.of(
                name,
                f"holds ticks, not bars, from about row {done + 1:,}",
                hint="export bars from the chart as text, and load those",
            )
        return frame.with_columns(datetime=stamp).drop("days")

    return checked


FORMAT: Final = Format(
    names=("scid",), read=read, suffixes=(".scid",), magic=(b"SCID",), vendor=True
)
