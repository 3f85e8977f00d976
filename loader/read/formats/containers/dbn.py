"""Databento's DBN, versions 1 to 3: its metadata by Databento's own library, then its records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from io import BufferedReader
from typing import TYPE_CHECKING, Final

import polars as pl

from loader.errors import UnreadableFile
from loader.read.batch import Reading
from loader.read.formats import records
from loader.read.formats.format import Format, Opened
from loader.read.formats.records import Finish, Number, Records, header

if TYPE_CHECKING:
    from databento_dbn import Metadata

#: Bytes that metadata may have: a name and dates for each of a hundred thousand instruments.
_LONGEST_HEAD: Final = 64 << 20
#: A record gives its length in units of 4 bytes. A record with a time of sending is 8 bytes longer.
_FIELDS: Final[Mapping[str, tuple[int, Number]]] = {
    "length": (0, pl.UInt8), "ts_event": (8, pl.UInt64), "rtype": (1, pl.UInt8),
    "publisher_id": (2, pl.UInt16), "instrument_id": (4, pl.UInt32),
    "open": (16, pl.Int64), "high": (24, pl.Int64), "low": (32, pl.Int64), "close": (40, pl.Int64),
    "volume": (48, pl.UInt64),
}  # fmt: skip
#: The type of the records of each schema.
_RTYPES: Final = {
    "ohlcv-1s": 0x20, "ohlcv-1m": 0x21, "ohlcv-1h": 0x22, "ohlcv-1d": 0x23, "ohlcv-eod": 0x24,
}  # fmt: skip
_UNDEFINED_PRICE: Final = 2**63 - 1


def read(opened: Opened) -> Reading:
    """The bars of an `ohlcv` schema.

    Prices are Int64 in units of 1e-9; undefined ones are null. `ts_event`, the start of the bar, is
    Datetime("ns", "UTC"). `symbol` is what the metadata calls the instrument on the day of the bar
    (UTC), null where it does not say.

    Raises:
        UnreadableFile: it holds something else, is damaged or cut short, an instrument has two
            names on one day, or Databento's library is not there; also while its batches are read.
    """
    name = opened.source.name
    head = _head(opened.stream, name)
    metadata, named = _decoded(head, name)
    schema = metadata.schema
    if schema is None or not str(schema).startswith("ohlcv-"):
        what = "of several schemas at once" if schema is None else f"of the schema {schema}"
        raise UnreadableFile.of(
            name,
            f"holds Databento's records {what}, not bars",
            hint="bars have one of the schemas ohlcv-1s, ohlcv-1m, ohlcv-1h and ohlcv-1d",
        )
    facts = {
        "dataset": metadata.dataset, "schema": schema, "stype_in": metadata.stype_in,
        "stype_out": metadata.stype_out, "version": head[3],
    }  # fmt: skip
    layout = Records(
        name="dbn",
        size=64 if metadata.ts_out else 56,
        fields=_FIELDS,
        skip=len(head),
        metadata={key: str(value) for key, value in facts.items() if value is not None},
    )
    notes = () if named.height else ("its metadata names no instrument, so that symbol is empty",)
    return records.read(layout, opened, _bars(layout.size, str(schema), named, name), notes)


def _head(stream: BufferedReader, name: str) -> bytes:
    """All bytes before the first record; the fourth is the version."""
    prefix = header(stream, 8, name)
    size = int.from_bytes(prefix[4:], "little")
    if size > _LONGEST_HEAD:
        raise UnreadableFile.of(
            name,
            f"is damaged: it says that its metadata has {size:,} bytes, where "
            f"{_LONGEST_HEAD:,} are read",
            hint="get the file again from where it came",
        )
    return prefix + header(stream, size, name)


def _decoded(head: bytes, name: str) -> tuple[Metadata, pl.DataFrame]:
    """The metadata, and its symbols as `_intervals` has them."""
    try:
        import databento_dbn  # noqa: PLC0415  # an extra
    except ImportError:
        raise UnreadableFile.of(
            name,
            "is Databento's DBN, which needs the extra",
            hint="pip install 'mdload[databento]'",
        ) from None
    try:
        metadata = databento_dbn.Metadata.decode(head)
        return metadata, _intervals(metadata)
    except (databento_dbn.DBNError, pl.exceptions.PolarsError, ValueError) as exc:
        raise UnreadableFile.of(
            name,
            f"has metadata that cannot be read: {str(exc).splitlines()[0]}",
            hint="get the file again, or a newer library: pip install -U databento-dbn",
        ) from exc


def _intervals(metadata: Metadata) -> pl.DataFrame:
    """Which instrument has which symbol from `start` until before `end`, both dates."""
    from_id = str(metadata.stype_in) == "instrument_id"
    if not from_id and str(metadata.stype_out) != "instrument_id":
        found: list[tuple[int, date, date, str]] = []
    else:
        found = [
            (int(key), each["start_date"], each["end_date"], symbol)
            for asked, intervals in metadata.mappings.items()
            for each in intervals
            if each["symbol"]
            for key, symbol in [(asked, each["symbol"]) if from_id else (each["symbol"], asked)]
        ]
    schema = {"instrument_id": pl.UInt32, "start": pl.Date, "end": pl.Date, "symbol": pl.String}
    return pl.DataFrame(found, schema, orient="row")


def _bars(size: int, schema: str, named: pl.DataFrame, name: str) -> Finish:
    rtypes = [_RTYPES[schema]] if schema in _RTYPES else list(_RTYPES.values())

    def bars(frame: pl.DataFrame, done: int) -> pl.DataFrame:
        alien = (frame["length"] != size // 4) | ~frame["rtype"].is_in(rtypes)
        if alien.any():
            row = alien.arg_max() or 0
            raise UnreadableFile.of(
                name,
                f"has a record in row {done + row + 1:,} that is not a bar of {schema}: its "
                f"type is {frame['rtype'][row]} and its length {frame['length'][row] * 4}",
            )
        prices = pl.col("open", "high", "low", "close")
        frame = frame.drop("length").with_columns(
            # Undefined is 2^64 - 1, which no Int64 holds.
            pl.col("ts_event").cast(pl.Int64, strict=False).cast(pl.Datetime("ns", "UTC")),
            pl.when(prices != _UNDEFINED_PRICE).then(prices),
        )
        days = frame.select("instrument_id", day=pl.col("ts_event").dt.date())
        return frame.with_columns(symbol=_symbols(days, named, name))

    return bars


def _symbols(days: pl.DataFrame, named: pl.DataFrame, name: str) -> pl.Series:
    """The symbol of each row of `days`: instrument_id, day."""
    keys = ["instrument_id", "day"]
    within = pl.col("day").is_between("start", "end", closed="left")
    known = days.unique().join(named, on="instrument_id").filter(within)
    known = known.select(*keys, "symbol").unique()
    two = known.filter(pl.struct(keys).is_duplicated()).sort(*keys, "symbol")
    if two.height:
        number, day, first = two.row(0)
        raise UnreadableFile.of(
            name,
            f"calls instrument {number} both {first!r} and {two['symbol'][1]!r} on {day}, "
            "and nothing tells which of them its bars belong to",
            hint="get each from Databento in a file of its own",
        )
    return days.join(known, on=keys, how="left", maintain_order="left")["symbol"]


FORMAT: Final = Format(
    names=("dbn",),
    read=read,
    magic=(b"DBN",),
    suffixes=(".dbn",),
    no_bars={
        r"\.dbn\.frag$": "is a fragment of Databento's DBN, "
        "without the start that says what is in it"
    },
    vendor=True,
)
