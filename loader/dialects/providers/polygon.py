"""Polygon (Massive since 2026): flat files of aggregates, and answers of its REST API."""

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
#: Crypto and currencies trade around the clock; their days are not New York's.
_ALL_DAY: Final = "^[XC]:"
#: Futures sessions open at 17:00 in Chicago, which is midnight on this clock.
_SESSIONS: Final = "America/Chicago+7h"
_NOT_THE_DATE: Final = "other_date"
_ABOUT: Final = "metadata of the API response"


def _facts(opening: Opening) -> Mapping[str, str]:
    """Adds the interval and, for answers, whether prices are adjusted."""
    first, facts = opening.first, dict(opening.facts)
    if "timespan" in facts:  # from the request's path: range/5/minute
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
    """Whether all timestamps are a midnight in New York, when no stock trades."""
    stamps = _nanoseconds(frame["window_start"]).drop_nulls()
    local = stamps.cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone("America/New_York")
    midnight = (local.dt.time() == time()).all() and len(local) > 0
    return midnight and not frame["ticker"].str.contains(_ALL_DAY).any()


def _remarks(opening: Opening) -> tuple[str, ...]:
    first = opening.first
    if "next_url" in first.columns and first["next_url"][-1] is not None:
        return ("the answer is incomplete: next_url holds the rest, which must be loaded too",)
    said = _day_in_new_york(opening)
    if said is None or "window_start" not in first.columns:
        return ()
    wrong = int(_of_another_date(first, said).sum())
    if not wrong:
        return ()
    return (
        f"{wrong:,} of the first {first.height:,} rows have another date in New York "
        f"than the file's name, {said}: one of the two is wrong, and the rows are left out "
        "(--keep-skipped trusts the timestamps; the file of 2019-08-12 is known for this)",
    )


def _against_the_name(opening: Opening) -> Reshape:
    """Marks rows with another date than the one in the file's name."""
    said = _day_in_new_york(opening)
    if said is None:
        return lambda frame: frame
    return lambda frame: frame.with_columns(_of_another_date(frame, said))


def _day_in_new_york(opening: Opening) -> str | None:
    """The date in the file's name; None for futures, because their day begins the evening
    before."""
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
    """Renames `T`, the ticker, because folded names would confuse it with `t`, the time."""
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
            note="adjusted or not is unknown: read as adjusted, the default",
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
        "otherdate": "marks rows dated differently from the file's name",
        **dict.fromkeys(
            ("querycount", "resultscount", "adjusted", "status", "requestid", "count", "nexturl"),
            _ABOUT,
        ),
        **dict.fromkeys(("premarket", "afterhours"), "a price outside the bar of the day"),
        "otc": "whether it trades over the counter is not stored",
    },
    symbol_convention="cqs",
    timezone="America/New_York",
    intervals={"session": "1d"},
    skip={
        "rows dated differently in New York from the file's name": pl.col(
            _NOT_THE_DATE
        )
    },
    volume="shares or contracts, with fractions since 2026; base asset in crypto",
    adjusted="flat files: nothing. REST: splits by default, loaded as polygon-adjusted",
    traps=(
        "the close comes before the high, and the volume before the open",
        "daily bars carry midnight in New York, 04:00 or 05:00 UTC: the date is New York's; a "
        "futures session that opens at 17:00 in Chicago belongs to the next day",
        "case matters: ALpA is a preferred share of Air Lease, ALPA another company",
        "the files contain test tickers (ZVZZT, ATEST.A, NTEST.B), which are loaded",
        "corrected files are published again: reload them",
        "the daily file of 2019-08-12 carries 2019-08-13",
    ),
    source="massive.com/docs/flat-files; REST answers of massive-com/client-python; "
    "tickers and faults seen by github.com/fovi-llc/zipline-polygon-bundle",
)  # fmt: skip
