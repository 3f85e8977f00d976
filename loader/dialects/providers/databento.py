"""Databento's bars: DBN, and the CSV, NDJSON and Parquet that it and its client write."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader import bars
from loader.dialects.dialect import OHLCV, Dialect, Opening, Reshape, Shape
from loader.errors import ColumnMismatch

_KEYS: Final = ("rtype", "publisher_id", "instrument_id")
_VALUES: Final = ("open", "high", "low", "close", "volume")
_UNMAPPED: Final = ("ts_event", *_KEYS, *_VALUES)
_MAPPED: Final = (*_UNMAPPED, "symbol")
_TYPED: Final = (*_KEYS, *_VALUES, "ts_event")
_NESTED: Final = (*(f"hd.{name}" for name in ("ts_event", *_KEYS)), *_VALUES)
#: Databento's value for an undefined price.
_UNDEFINED: Final = 2**63 - 1
#: The end of formatted times: bars start on whole seconds.
_WHOLE: Final = ".000000000Z"
#: A decimal point marks a price, its absence a multiple of 1e-9. Magnitude never decides.
_DECIMAL: Final = {"open": r"-?\d+\.\d+"}
_FIXED: Final = {"open": r"-?\d+"}
_NO_SYMBOLS: Final = "written with map_symbols=False: it has instrument numbers, not symbols"


def _floats(opening: Opening) -> bool:
    return opening.first.schema["open"].is_float()


def _bars(opening: Opening) -> Reshape:
    """Makes each publisher a provider, because several publishers can have one symbol. A file
    without symbols may hold only one instrument, which `--symbol` can name."""
    nameless: set[str] = set()
    written: set[bool] = set()

    def shaped(frame: pl.DataFrame) -> pl.DataFrame:
        publisher, instrument = (
            next(c for c in frame.columns if c.rpartition(".")[2] == name) for name in _KEYS[1:]
        )
        if "symbol" not in frame.columns or frame["symbol"].is_null().all():
            nameless.update(frame[instrument].drop_nulls().unique().cast(pl.String))
        if len(nameless) > 1:
            numbers = sorted(nameless, key=int)[:3]
            raise ColumnMismatch.of(
                opening.name,
                f"holds several instruments ({', '.join(numbers)} …) without their "
                "symbols, and the file has no mapping for them",
                hint="download it again with map_symbols=True, or as DBN, which has the symbols",
            )
        times = next(c for c in frame.columns if c.rpartition(".")[2] == "ts_event")
        stamp = pl.col(times)
        if frame.schema[times] == pl.String and frame[times].str.ends_with(_WHOLE).all():
            stamp = stamp.str.strip_suffix(_WHOLE) + "Z"  # read in half the time
        if frame.schema["open"] == pl.String:
            points = frame["open"].str.contains(".", literal=True).drop_nulls()
            written.update(points.unique())
        if len(written) > 1:
            raise ColumnMismatch.of(
                opening.name,
                "has prices with a point and prices without one, which are "
                "multiples of 1e-9: two files seem to be joined",
                hint="split it and load each part as its own file",
            )
        prices = pl.col(bars.PRICES)
        if not frame.schema["open"].is_float():
            undefined = pl.lit(str(_UNDEFINED)) if frame.schema["open"] == pl.String else _UNDEFINED
            prices = pl.when(prices != undefined).then(prices)
        provider = pl.concat_str(pl.lit("databento-"), publisher).alias("provider")
        return frame.with_columns(stamp, prices, provider)

    return shaped


DIALECT = Dialect(
    name="databento",
    title="Databento's OHLCV bars",
    columns={
        "provider": ("provider",),
        "symbol": ("symbol",),
        "interval": ("rtype", "hd.rtype"),
        "ts": ("ts_event", "hd.ts_event"),
        **OHLCV,
    },
    shapes=(
        Shape(containers=("dbn",), price_exponent=-9),
        Shape(header=_MAPPED, exact=True, values=_DECIMAL, price_exponent=0),
        Shape(header=_MAPPED, exact=True, values=_FIXED, price_exponent=-9),
        Shape(header=_UNMAPPED, exact=True, values=_DECIMAL, price_exponent=0, note=_NO_SYMBOLS),
        Shape(header=_UNMAPPED, exact=True, values=_FIXED, price_exponent=-9, note=_NO_SYMBOLS),
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\])?",
            header=_NESTED,
            values=_DECIMAL,
            price_exponent=0,
        ),
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\])?",
            header=_NESTED,
            values=_FIXED,
            price_exponent=-9,
        ),
        Shape(containers=("parquet", "arrow"), header=_TYPED, accept=_floats, price_exponent=0),
        Shape(
            containers=("parquet", "arrow"),
            header=_TYPED,
            accept=lambda opening: not _floats(opening),
            note="prices are whole numbers: written with price_type='fixed', in units of 1e-9",
        ),
    ),
    intervals={"32": "1s", "33": "1m", "34": "1h", "35": "1d"},
    left_out={
        **dict.fromkeys(("publisher_id", "hd.publisher_id"), "part of the provider's name"),
        **dict.fromkeys(
            ("instrument_id", "hd.instrument_id"), "a number for the symbol, valid for one day only"
        ),
    },
    price_exponent=None,
    reshape=_bars,
    volume="shares or contracts, at this one publisher",
    adjusted="nothing, as traded; continuous contracts (ES.c.0) are joined unadjusted",
    traps=(
        "one instrument has bars from each publisher (a venue of the dataset): the provider is "
        "databento- plus the publisher's number, databento-2 for XNAS.ITCH, whatever --provider "
        "is, so that none overwrites another",
        "intervals without trades have no bar; ts_event is the start of the bar",
        "a symbol can name different instruments over time: ESH1 is 2021 and 2031",
        "prices of spreads can be negative: --allow-nonpositive-prices",
        "whole numbers in CSV and JSON are units of 1e-9; in Parquet (price_type='fixed') nothing "
        "marks them, and they need --price-divisor 1000000000",
        "files written with map_symbols=False have no symbols: --symbol can name one instrument; "
        "files with several are refused",
    ),
    source="DBN 1 to 3 files from Databento's libraries; output of its client 0.87; "
    "databento.com/docs/schemas/ohlcv",
)  # fmt: skip
