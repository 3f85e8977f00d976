"""Twelve Data: the JSON and the CSV of its time series."""

from collections.abc import Mapping

import polars as pl

from loader.dialects import tickers
from loader.dialects.dialect import OHLCV, Dialect, Opening, Reshape, Shape
from loader.errors import ColumnMismatch

_ZONE = "meta.exchange_timezone"
_ABOUT = "metadata of the instrument or the answer"


def _facts(opening: Opening) -> Mapping[str, str]:
    """Adds the exchange's time zone; the answer has one for exchanges, not for pairs."""
    first = opening.first
    facts = {} if "meta.symbol" in first.columns else dict(opening.facts)
    if _ZONE in first.columns and first[_ZONE][0] is not None:
        facts["timezone"] = first[_ZONE][0]
    return facts


def _of_one_zone(opening: Opening) -> Reshape:
    """Refuses local times of several zones, which one answer can mix. Dates have no zone."""
    said = opening.facts.get("timezone")

    def reshape(frame: pl.DataFrame) -> pl.DataFrame:
        if _ZONE not in frame.columns:
            return frame
        with_clock = pl.col("datetime").str.contains(":", literal=True)
        others = frame.filter(with_clock & pl.col(_ZONE).ne_missing(said))
        if others.height:
            raise ColumnMismatch.of(
                opening.name,
                f"has local times of {said or 'no zone'} and of {others[_ZONE][0] or 'no zone'}",
                hint="save the instruments of each exchange in a separate file",
            )
        return frame

    return reshape


DIALECT = Dialect(
    name="twelvedata",
    title="Twelve Data time series",
    columns={
        "symbol": ("metasymbol",),
        "interval": ("metainterval",),
        "ts": ("datetime",),
        **OHLCV,
    },
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\*\.|\[\]\.)?values\[\]",
            header=("datetime", "open", "high", "low", "close", "meta.symbol", "meta.interval"),
        ),
        Shape(
            header=("datetime", "open", "high", "low", "close"),
            name=r"(?i)(?:^|[/!_.-])twelve[_-]?data[/_.-]",
        ),
    ),
    names=(tickers.CSV,),
    facts=_facts,
    reshape=_of_one_zone,
    left_out={
        **dict.fromkeys(
            ("metacurrency", "metaexchange", "metaexchangetimezone", "metamiccode", "metatype",
             "metacurrencybase", "metacurrencyquote", "status", "key"),
            _ABOUT,
        ),
    },
    volume="shares; none for currencies",
    adjusted="splits, unless requested otherwise",
    traps=(
        "times are in the exchange's zone, which only the JSON names: a CSV needs --timezone",
        "if the request set a timezone, times are in that zone, and the answer does not name it",
        "the newest bar is unfinished",
        "the CSV looks common: recognised only by a name with twelvedata",
    ),
    source="twelvedata-python (mixins.py); answers and their schema in public clients of the API",
)  # fmt: skip
