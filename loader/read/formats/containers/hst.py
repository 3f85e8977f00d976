"""MetaTrader 4's .hst, versions 400 and 401."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from io import BufferedReader
from typing import Final

import polars as pl

from loader.errors import UnreadableFile
from loader.read.batch import Reading
from loader.read.formats import records
from loader.read.formats.format import Format, Opened
from loader.read.formats.records import Records, header, in_a_row

#: By the version in the header; terminals before build 510 wrote 400.
_LAYOUTS: Final[Mapping[int, Records]] = {
    401: Records(
        name="hst",
        size=60,
        skip=148,
        fields={"time": (0, pl.Int64)}
        | in_a_row(pl.Float64, "open high low close", 8)
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


def read(opened: Opened) -> Reading:
    """Numbers are as the file has them; the metadata has its symbol, its digits and its period in
    minutes.

    Raises:
        UnreadableFile: it is cut short, or of another version; also while its batches are read.
    """
    return records.read(_header(opened.stream, opened.source.name), opened)


def _header(stream: BufferedReader, name: str) -> Records:
    data = header(stream, 148, name)
    version, period, digits = (int.from_bytes(data[at : at + 4], "little") for at in (0, 80, 84))
    if version not in _LAYOUTS:
        raise UnreadableFile.of(
            name,
            f"is not a history file of MetaTrader 4 in version 400 or 401: its first four "
            f"bytes are {version}",
            hint="export it from MetaTrader's History Center as CSV, and load that",
        )
    symbol = data[68:80].split(b"\0")[0].decode("latin-1").strip()
    metadata = {
        "version": str(version),
        "symbol": symbol,
        "period": str(period),
        "digits": str(digits),
    }
    return replace(_LAYOUTS[version], metadata=metadata)


FORMAT: Final = Format(
    names=("hst",), read=read, suffixes=(".hst",), file_name=r"\.hst$", vendor=True
)
