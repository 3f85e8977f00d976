"""Databento's bars: DBN, and the CSV, lines of JSON and Parquet that it and its client write."""

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
#: What Databento writes for a price that is not defined.
_UNDEFINED: Final = 2**63 - 1
#: How the nanoseconds of pretty times end, as bars start on whole seconds.
_WHOLE: Final = ".000000000Z"
#: With a point it is the price, without one it is a multiple of 1e-9: never by magnitude.
_DECIMAL: Final = {"open": r"-?\d+\.\d+"}
_FIXED: Final = {"open": r"-?\d+"}
_NO_SYMBOLS: Final = "written with map_symbols=False: it has numbers of instruments, and no symbols"


def _floats(opening: Opening) -> bool:
    return opening.first.schema["open"].is_float()


def _bars(opening: Opening) -> Reshape:
    """One symbol may be of several publishers: each is a provider. What has no symbol may be one
    instrument only, which `--symbol` can name."""
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
                "symbols, which nothing in the file resolves",
                hint="get it again with map_symbols=True, or as DBN, which has the symbols in it",
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
                "multiples of 1e-9: it is made of two files",
                hint="load each as a file of its own",
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
        **dict.fromkeys(("publisher_id", "hd.publisher_id"), "it is part of the provider's name"),
        **dict.fromkeys(
            ("instrument_id", "hd.instrument_id"), "a number for the symbol, good for a day only"
        ),
    },
    price_exponent=None,
    reshape=_bars,
    volume="shares or contracts, of the one publisher",
    adjusted="nothing, as traded; continuous contracts (ES.c.0) are strung together unadjusted",
    traps=(
        "one instrument has bars of each publisher (a dataset's venue) side by side: the provider "
        "is databento- and the publisher's number, databento-2 for XNAS.ITCH, whatever --provider "
        "says, so that none overwrites another",
        "no bar where nothing traded; ts_event is the start of the bar",
        "the same symbol can be another instrument at another time: ESH1 is 2021, and 2031",
        "prices of spreads can be negative: --allow-nonpositive-prices",
        "whole numbers in CSV and JSON are units of 1e-9; in Parquet (price_type='fixed') nothing "
        "marks them, and they want --price-divisor 1000000000",
        "files written with map_symbols=False have no symbols: with one instrument --symbol names "
        "it, with several they are refused",
    ),
    source="files of Databento's libraries in DBN 1 to 3; what its client 0.87 writes; "
    "databento.com/docs/schemas/ohlcv",
)  # fmt: skip
