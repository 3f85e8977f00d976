"""Dukascopy: bi5 candles, JSON of its newer feed, and files of dukascopy-node and duka."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl

from loader.bars import TS
from loader.bars.numbers import to_count
from loader.dialects.dialect import OHLCV, Dialect, Opening, Refused, Reshape, Shape
from loader.dialects.providers.dukascopy_jforex import (
    INTERVALS,
    PLATFORM_CLOCKS,
    jforex_times,
    without_blanks,
)
from loader.dialects.providers.dukascopy_points import duka_exponent, exponent
from loader.errors import UnreadableFile

_PRICES = ("open", "high", "low", "close")
_NODE = ("timestamp", *_PRICES)
_NODE_NAME = (
    r"(?:^|[/!])(?P<symbol>[a-z0-9]+)-(?P<interval>s1|m1|m5|m15|m30|h1|h4|d1|mn1)-"
    r"(?P<side>bid|ask)-\d{4}-\d\d-\d\d[^/!]*\.(?:csv|json)(?:\.\w+)?$"
)
_DUKA = ("time", "open", "close", "high", "low")
_DUKA_NAME = r"(?:^|[/!])(?P<symbol>[A-Z0-9]+)-\d{4}_\d\d_\d\d-\d{4}_\d\d_\d\d\.csv(?:\.\w+)?$"
_JFOREX_NAME = (
    r"(?:^|[/!])(?P<symbol>[^/!]+?)_Candlestick_"
    r"(?P<interval>\d+_(?i:s|m|hour|h|d|week|month))_(?P<side>BID|ASK)(?:_[^/!]*)?\.csv"
)
_PLATFORM_NAME = (
    r"(?:^|[/!])(?P<symbol>[A-Za-z0-9.]+?)(?:_(?:UTC|EET|GMT))?_"
    r"(?P<interval>\d+ (?:Sec|Min|Hour)s?|Hourly|Daily|Weekly|Monthly)_(?P<side>Bid|Ask)_"
    r"\d{4}\.\d\d\.\d\d_[^/!]*\.csv"
)
_DELTAS = ("times", "opens", "highs", "lows", "closes", "volumes")
_SHIFTS = {"60000": "1m", "3600000": "1h", "86400000": "1d"}
_JFOREX_FLAT = pl.all_horizontal(
    pl.col("Open") == pl.col(name) for name in ("High", "Low", "Close")
)
_FLAT = pl.all_horizontal(pl.col("open") == pl.col(name) for name in _PRICES[1:])


_FILLER = "a flat bar without volume, a filler for closed hours"


def _unquoted(volume: str) -> pl.Expr:
    return pl.col(volume).cast(pl.Float64, strict=False) == 0


def _facts(opening: Opening) -> Mapping[str, str]:
    said = dict(opening.facts)
    columns = opening.first.columns
    if "shift" in columns:
        said["interval"] = _SHIFTS.get(opening.first["shift"][0], "")
        said["symbol"] = said.get("symbol", "").replace("-", "").replace(".", "")
    elif opening.container == "bi5":
        if "symbol" not in said:
            raise UnreadableFile.at(
                opening.name,
                "only the folders above a bi5 file name its symbol and its day, "
                "and they are missing",
                hint="keep Dukascopy's folders: EURUSD/2019/00/31/BID_candles_min_1.bi5, with "
                "months counted from 00",
            )
        said |= _scale(exponent(said["symbol"]))
    elif "time" in columns:  # duka
        said |= {"side": "ask", **_scale(duka_exponent(said["symbol"]))}
    if "side" in said:
        said["side"] = said["side"].lower()
    return {name: text for name, text in said.items() if text}


def _scale(power: int | None) -> dict[str, str]:
    return {} if power is None else {"price_exponent": str(power)}


def _from_start(opening: Opening) -> Reshape:
    """Adds the seconds of a bi5 file to the start of its day, month (folder 00 is January) or
    year."""
    facts = opening.facts
    month, day = int(facts.get("month", "0")) + 1, int(facts.get("day", "1"))
    try:
        start = datetime(int(facts["year"]), month, day, tzinfo=UTC)
    except ValueError as exc:
        raise UnreadableFile.at(
            opening.name,
            f"its folders do not name a real day: year {facts['year']}, "
            f"month {month:02d}, day {day:02d}",
            hint="Dukascopy counts months from 00: 2019/00 is January",
        ) from exc
    since = pl.duration(seconds=pl.col("seconds"), time_unit="us")
    return lambda batch: batch.select(
        (pl.lit(start).cast(TS) + since).alias("time"), *_PRICES, "volume"
    )


def _absolute(opening: Opening) -> Reshape:
    """Sums up the differences: each number is the difference from the previous row, in units of
    `shift` and `multiplier`. The first row's base is outside the rows. A missing number makes all
    later numbers unknown."""
    first = opening.first.row(0, named=True)
    unit = Decimal(first["multiplier"]).normalize()
    if unit.as_tuple().digits != (1,):
        raise UnreadableFile.at(
            opening.name,
            f"multiplier {first['multiplier']} is not a power of ten",
            hint="prices in such units cannot be exact: load the day's bi5 or CSV instead",
        )
    running: dict[str, int | None] = {"times": 0}
    running |= {f"{name}s": round(Decimal(first[name]) / unit) for name in _PRICES}
    scale, shift, start = f"e{unit.as_tuple().exponent}", int(first["shift"]), first["timestamp"]

    def summed(batch: pl.DataFrame, name: str) -> pl.Series:
        delta, before = to_count(batch[name]), running[name]
        whole = delta.cum_sum() + (before or 0)
        whole = whole.set(delta.is_null().cum_max() | (before is None), None)
        running[name] = whole[-1]
        return whole

    def bars(batch: pl.DataFrame) -> pl.DataFrame:
        time = summed(batch, "times") * shift + int(start)
        prices = [(summed(batch, f"{n}s").cast(pl.String) + scale).alias(n) for n in _PRICES]
        stamp = time.cast(pl.Datetime("ms", "UTC")).cast(TS)
        return pl.DataFrame([stamp.alias("time"), *prices, batch["volumes"].alias("volume")])

    return bars


DIALECT = Dialect(
    name="dukascopy",
    title="Dukascopy candles",
    columns={
        "ts": ("time", "timestamp"),
        **OHLCV,
    },
    shapes=(
        Shape(containers=("bi5",), reshape=_from_start, note="prices are in points"),
        Shape(
            containers=("json",),
            place=r"\.",
            header=("timestamp", "multiplier", *_PRICES, "shift", *_DELTAS),
            price_exponent=0,
            reshape=_absolute,
            note="rows are differences from the previous row",
        ),
        *(
            Shape(
                containers=(container,),
                place=place,
                header=header,
                exact=True,
                name=_NODE_NAME,
                price_exponent=0,
            )
            for container, place in (("csv", None), ("json", r"\[\]"))
            for header in ((*_NODE, "volume"), _NODE)
        ),
        *(
            Shape(
                containers=("json",),
                place=r"\[\]",
                positions=positions,
                name=_NODE_NAME,
                values={"timestamp": r"\d{12,13}"},
                price_exponent=0,
            )
            for positions in ((*_NODE, "volume"), _NODE)
        ),
        *(
            Shape(
                header=(clock, "Open", "High", "Low", "Close", "Volume"),
                exact=True,
                columns={"ts": (clock,), **OHLCV},
                values={clock: r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d.*"},
                price_exponent=0,
                reshape=jforex_times(clock),
                skip={_FILLER: _JFOREX_FLAT & _unquoted("Volume")},
                note="written by JForex or Dukascopy's page",
            )
            for clock in ("Gmt time", "Local time")
        ),
        *(
            Shape(
                header=(clock, "Open", "High", "Low", "Close", "Volume"),
                exact=True,
                columns={"ts": (clock,), **OHLCV},
                values={clock: r"\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d"},
                timezone=zone,
                price_exponent=0,
                reshape=without_blanks,
                skip={_FILLER: _JFOREX_FLAT & _unquoted("Volume")},
                note="written by JForex's manager of historical data",
            )
            for clock, zone in PLATFORM_CLOCKS.items()
        ),
        Shape(header=_DUKA, exact=True, name=_DUKA_NAME, note="written by duka, from ask prices"),
        Shape(positions=_DUKA, name=_DUKA_NAME, note="written by duka, from ask prices"),
    ),
    refused=(
        Refused(
            Shape(containers=("csv", "json"), header=("timestamp", "askPrice", "bidPrice")), "ticks"
        ),
        Refused(
            Shape(
                containers=("json",), place=r"\.", header=("multiplier", "times", "asks", "bids")
            ),
            "ticks",
        ),
        Refused(
            Shape(
                name=_DUKA_NAME,
                positions=("time", "ask", "bid", "ask_volume", "bid_volume"),
                values={"time": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+"},
            ),
            "ticks",
        ),
    ),
    names=(
        r"(?:^|[/!])(?P<symbol>[A-Z0-9]+)/(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)/"
        r"(?P<side>BID|ASK)_candles_(?P<interval>min)_1(?:\.bi5)?(?:\.\w+)?$",
        r"(?:^|[/!])(?P<symbol>[A-Z0-9]+)/(?P<year>\d{4})/(?P<month>\d\d)/"
        r"(?P<side>BID|ASK)_candles_(?P<interval>hour)_1(?:\.bi5)?(?:\.\w+)?$",
        r"(?:^|[/!])(?P<symbol>[A-Z0-9]+)/(?P<year>\d{4})/"
        r"(?P<side>BID|ASK)_candles_(?P<interval>day)_1(?:\.bi5)?(?:\.\w+)?$",
        r"(?:minute|hour|day)[/-](?P<symbol>[A-Z0-9.]+-[A-Z]{3})[/-](?P<side>BID|ASK)[/-]\d{4}",
        _NODE_NAME,
        _DUKA_NAME,
        _JFOREX_NAME,
        _PLATFORM_NAME,
    ),
    facts=_facts,
    provider="dukascopy-{side}",
    intervals={
        "min": "1m",
        "hour": "1h",
        "day": "1d",
        "s1": "1s",
        "m1": "1m",
        "m5": "5m",
        "m15": "15m",
        "m30": "30m",
        "h1": "1h",
        "h4": "4h",
        "d1": "1d",
        "mn1": "1mo",
        **INTERVALS,
    },
    price_exponent=None,
    skip={_FILLER: _FLAT & _unquoted("volume")},
    timezone="UTC",
    volume="quoted volume, in millions or the requested unit",
    adjusted="nothing",
    traps=(
        "bid and ask come in separate files: they are stored as dukascopy-bid and dukascopy-ask",
        "a bi5 file contains neither symbol nor day nor price unit: they come from its folders and "
        "a table of instruments; an instrument outside the table needs --price-divisor",
        "months in the folders count from 00: 2019/01 is February",
        "bi5 candles hold open, close, low, high, in this order",
        "flat bars without volume fill closed hours; in a file without volume they look like "
        "other bars and are loaded",
        "duka writes open, close, high, low; it uses points of 1e-5 for all instruments (JPY pairs "
        "come out 100 times too small; mdload corrects that) and fills gaps with copies of the "
        "last candle",
        "minutes missing from the newer feed had no quotes",
    ),
    source="bi5 of EURUSD and BTCUSD against the newer feed and dukascopy-node's text; "
    "dukascopy-node's metadata of instruments; duka's code; exports of JForex in public code "
    "(EURUSD_15 Mins_Bid_2025.01.01_….csv, with Time (UTC) or Time (EET), the clock of Athens), "
    "giuse88/duka issue 18",
)
