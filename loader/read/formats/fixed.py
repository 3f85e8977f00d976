"""Four formats of fixed records: Dukascopy's bi5, TDX's .day, Sierra Chart's .scid, MetaTrader 4's
.hst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from io import BufferedReader
from typing import Final

import polars as pl

from loader import bars
from loader.errors import UnreadableFile
from loader.read.batch import Reading
from loader.read.formats import records
from loader.read.formats.records import BYTES, Finish, Number, Records, header
from loader.read.sources import Source


def _in_a_row(number: Number, names: str, start: int) -> dict[str, tuple[int, Number]]:
    return {name: (start + BYTES[number] * at, number) for at, name in enumerate(names.split())}


BI5: Final = Records(
    name="bi5",
    size=24,
    endianness="big",
    fields=_in_a_row(pl.Int32, "seconds open close low high", 0) | {"volume": (20, pl.Float32)},
)
TDX: Final = Records(
    name="tdx",
    size=32,
    fields=_in_a_row(pl.UInt32, "date open high low close", 0)
    | {"amount": (20, pl.Float32), "volume": (24, pl.UInt32)},
)
SCID: Final = Records(
    name="scid",
    size=40,
    fields={"datetime": (0, pl.Int64), "days": (0, pl.Float64)}
    | _in_a_row(pl.Float32, "open high low close", 8)
    | _in_a_row(pl.UInt32, "num_trades total_volume bid_volume ask_volume", 24),
)
#: By the version in the header; terminals before build 510 wrote 400.
HST: Final[Mapping[int, Records]] = {
    401: Records(
        name="hst",
        size=60,
        skip=148,
        fields={"time": (0, pl.Int64)}
        | _in_a_row(pl.Float64, "open high low close", 8)
        | {"volume": (40, pl.Int64), "spread": (48, pl.Int32), "real_volume": (52, pl.Int64)},
    ),
    400: Records(
        name="hst",
        size=44,
        skip=148,
        fields={
            "time": (0, pl.Int32), "open": (4, pl.Float64), "high": (20, pl.Float64),
            "low": (12, pl.Float64), "close": (28, pl.Float64), "volume": (36, pl.Float64),
        },
    ),
}  # fmt: skip


def read(
    container: str, stream: BufferedReader, source: Source, size: int | None, batch_rows: int
) -> Reading:
    """The table in `stream`, of the container `bi5`, `tdx`, `scid` or `hst`.

    Numbers are as the file has them: prices in points, stamps in the file's own unit; only
    `datetime` of a .scid is Datetime("us", "UTC").

    Raises:
        UnreadableFile: it is cut short, or holds ticks or what mdload does not read; also while its
            batches are read.
    """
    name = source.name
    match container:
        case "tdx":
            return records.read(TDX, stream, source, size, batch_rows, _tdx(name))
        case "scid":
            layout = _scid_header(stream, name)
            return records.read(layout, stream, source, size, batch_rows, _scid(name))
        case "hst":
            return records.read(_hst_header(stream, name), stream, source, size, batch_rows)
        case _:
            return records.read(BI5, stream, source, size, batch_rows)


def _tdx(name: str) -> Finish:
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
                "is a daily file of TDX's other markets (futures, Hong Kong), whose prices "
                "are floats, and which mdload does not read",
                hint="export it as text from TDX, and load that",
            )
        return frame

    return checked


def _scid_header(stream: BufferedReader, name: str) -> Records:
    first = header(stream, 20, name)
    at = {"header": 4, "record": 8, "utc": 16}
    number = {key: int.from_bytes(first[i : i + 4], "little") for key, i in at.items()}
    if number["record"] != SCID.size or not 20 <= number["header"] <= 4096:
        raise UnreadableFile.of(
            name,
            f"says that its header has {number['header']:,} bytes and its records "
            f"{number['record']:,}, where Sierra Chart writes 56 and {SCID.size}",
        )
    if number["utc"]:
        raise UnreadableFile.of(
            name,
            f"says that its times are UTC only from row {number['utc'] + 1:,} on",
            hint="export it as text from Sierra Chart, and load that with --timezone",
        )
    header(stream, number["header"] - 20, name)
    return replace(SCID, skip=number["header"])


def _scid(name: str) -> Finish:
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


def _hst_header(stream: BufferedReader, name: str) -> Records:
    data = header(stream, 148, name)
    version, period, digits = (int.from_bytes(data[at : at + 4], "little") for at in (0, 80, 84))
    if version not in HST:
        raise UnreadableFile.of(
            name,
            f"is no history file of MetaTrader 4 in version 400 or 401: its first four "
            f"bytes are {version}",
            hint="export it from MetaTrader's History Center as CSV, and load that",
        )
    symbol = data[68:80].split(b"\0")[0].decode("latin-1").strip()
    said = {"version": str(version), "symbol": symbol, "period": str(period), "digits": str(digits)}
    return replace(HST[version], metadata=said)
