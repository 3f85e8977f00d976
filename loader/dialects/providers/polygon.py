"""Polygon, since 2026 Massive: flat files of aggregates, and the answers of its REST interface."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from loader.dialects.dialect import Dialect, Opening, Refused, Reshape, Shape

_TABLES: Final = ("csv", "parquet", "arrow")
_NEW_YORK: Final = ZoneInfo("America/New_York")
_DATE: Final = r"(?P<date>\d{4}-\d\d-\d\d)"
_END: Final = r"\.(?:csv|parquet)(?:\.\w+)?(?:!.*)?$"
#: Crypto and currencies trade around the clock, in days that are not New York's.
_ALL_DAY: Final = "^[XC]:"
#: Sessions of futures open at 17:00 in Chicago, which is midnight on this clock.
_SESSIONS: Final = "America/Chicago+7h"
_NOT_THE_DATE: Final = "other_date"
_ABOUT: Final = "metadata of the API response"


def _facts(opening: Opening) -> Mapping[str, str]:
    """The interval, and in answers whether prices are adjusted."""
    first, facts = opening.first, dict(opening.facts)
    if "timespan" in facts:  # of the request's path: range/5/minute
        facts["interval"] = facts.pop("multiplier") + facts.pop("timespan")
    if facts.get("interval") == "session":
        facts["timezone"] = _SESSIONS
    if "interval" not in facts and "window_start" in first.columns and _is_day(first):
        facts["interval"] = "day"
    if "adjusted" in first.columns:
        said = first["adjusted"].drop_nulls().unique().to_list()
        known = {"true": "-adjusted", "false": ""}
        facts |= {"adjustment": known[said[0]]} if len(said) == 1 and said[0] in known else {}
    return facts


def _is_day(frame: pl.DataFrame) -> bool:
    """Whether all stamps are a midnight in New York, at which no stock trades."""
    stamps = _nanoseconds(frame["window_start"]).drop_nulls()
    local = stamps.cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone("America/New_York")
    midnight = (local.dt.time() == time()).all() and len(local) > 0
    return midnight and not frame["ticker"].str.contains(_ALL_DAY).any()


def _remarks(opening: Opening) -> tuple[str, ...]:
    first = opening.first
    if "next_url" in first.columns and first["next_url"][-1] is not None:
        return ("the answer is cut short: it goes on at next_url, which has to be loaded too",)
    said = _day_in_new_york(opening)
    if said is None or "window_start" not in first.columns:
        return ()
    wrong = int(_of_another_date(first, said).sum())
    if not wrong:
        return ()
    return (
        f"{wrong:,} of the first {first.height:,} rows are stamped with another date in New York "
        f"than the file's name says, {said}: one of the two is wrong, and they "
        "are left out (--keep-skipped takes the stamps; the file of 2019-08-12 is known for it)",
    )


def _against_the_name(opening: Opening) -> Reshape:
    """Marks rows whose stamps are of another date than the file's name says."""
    said = _day_in_new_york(opening)
    if said is None:
        return lambda frame: frame
    return lambda frame: frame.with_columns(_of_another_date(frame, said))


def _day_in_new_york(opening: Opening) -> str | None:
    """The date that the file's name says, of markets whose day it is: a future's begins on the
    evening before."""
    return None if "futures" in opening.path else opening.facts.get("date")


def _of_another_date(frame: pl.DataFrame, said: str) -> pl.Series:
    day = date.fromisoformat(said)
    start, end = (
        int(datetime.combine(at, time(), _NEW_YORK).timestamp()) * 1_000_000_000
        for at in (day, day + timedelta(days=1))
    )
    outside = ~_nanoseconds(frame["window_start"]).is_between(start, end, closed="left")
    all_day = frame["ticker"].str.contains(_ALL_DAY)
    return (outside & ~all_day).fill_null(False).alias(_NOT_THE_DATE)


def _nanoseconds(stamps: pl.Series) -> pl.Series:
    if isinstance(stamps.dtype, pl.Datetime):
        return stamps.dt.epoch("ns")
    return stamps.cast(pl.Int64, strict=False)


def _grouped(opening: Opening) -> Reshape:
    """Tells `T`, the ticker, from `t`, the time: column names are compared folded."""
    return lambda frame: frame.rename({"T": "ticker"})


DIALECT = Dialect(
    name="polygon",
    title="Polygon (Massive) aggregates",
    columns={
        "symbol": ("ticker", "symbol"),
        "ts": ("window_start", "t", "from"),
        "open": ("open", "o"),
        "high": ("high", "h"),
        "low": ("low", "l"),
        "close": ("close", "c"),
        "volume": ("volume", "v"),
        "vwap": ("vw",),
        "trade_count": ("transactions", "n"),
    },
    shapes=(
        Shape(
            containers=_TABLES,
            header=(
                "ticker", "volume", "open", "close", "high", "low", "window_start", "transactions",
            ),
            exact=True,
            reshape=_against_the_name,
        ),
        Shape(
            containers=_TABLES,
            header=("ticker", "open", "close", "high", "low", "window_start"),
            exact=True,
            reshape=_against_the_name,
            note="indices: they have no volume",
        ),
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\]\.)?results\[\]",
            header=("o", "c", "h", "l", "t", "ticker", "adjusted"),
            provider="polygon{adjustment}",
        ),
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\]\.)?results\[\]",
            header=("T", "o", "c", "h", "l", "t", "adjusted"),
            accept=lambda opening: {"T", "t"} <= set(opening.first.columns),
            provider="polygon{adjustment}",
            interval="1d",
            reshape=_grouped,
            note="one day of all tickers",
        ),
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\])?",
            header=("from", "symbol", "open", "high", "low", "close", "volume", "afterHours"),
            provider="polygon-adjusted",
            interval="1d",
            note="the answer does not say whether prices are adjusted: taken as by default",
        ),
    ),
    refused=(
        Refused(
            Shape(
                containers=_TABLES,
                header=("ticker", "conditions", "exchange", "participant_timestamp", "price",
                        "size"),
            ),
            "trades",
        ),
        Refused(
            Shape(
                containers=_TABLES,
                header=("ticker", "ask_price", "bid_price", "participant_timestamp"),
            ),
            "quotes",
        ),
    ),
    names=(
        rf"(?P<interval>day|minute|session)_aggs_v1[/_](?:.*[/_])?{_DATE}{_END}",
        rf"(?:^|[/!]){_DATE}{_END}",
        r"range[/_](?P<multiplier>\d+)[/_](?P<timespan>second|minute|hour|day|week|month|quarter"
        r"|year)(?:[/_.][^!]*)?(?:!.*)?$",
    ),
    facts=_facts,
    remarks=_remarks,
    left_out={
        "otherdate": "it says which rows are stamped with another date than the file's name says",
        **dict.fromkeys(
            ("querycount", "resultscount", "adjusted", "status", "requestid", "count", "nexturl"),
            _ABOUT,
        ),
        **dict.fromkeys(("premarket", "afterhours"), "a price, but of none of the day's bar"),
        "otc": "whether it trades over the counter is not stored",
    },
    symbol_convention="cqs",
    timezone="America/New_York",
    intervals={"session": "1d"},
    skip={
        "rows stamped with another date in New York than the file's name says": pl.col(
            _NOT_THE_DATE
        )
    },
    volume="shares or contracts, with fractions since 2026; base asset in crypto",
    adjusted="flat files: nothing. REST: splits by default, loaded as polygon-adjusted",
    traps=(
        "the close stands before the high, and the volume before the open",
        "days are stamped with midnight in New York, 04:00 or 05:00 UTC: the date is New York's; a "
        "session of futures that opens at 17:00 in Chicago is of the next day",
        "case tells securities apart: ALpA is a preferred share of Air Lease, ALPA another company",
        "test tickers (ZVZZT, ATEST.A, NTEST.B) are in the files, and are loaded",
        "files are published anew with corrections: load them again",
        "the day file of 2019-08-12 was stamped 2019-08-13",
    ),
    source="massive.com/docs/flat-files; REST answers of massive-com/client-python; "
    "tickers and faults seen by github.com/fovi-llc/zipline-polygon-bundle",
)  # fmt: skip
