"""Which of a file's columns hold times: whole ones, or a date and a time of day; and of which zone
they are."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import Final

import polars as pl

from loader.bars.cells import is_clock, is_date
from loader.bars.numbers import is_text
from loader.bars.times.stamps import TimePlan
from loader.bars.times.zones import UTC, Zone, parse_zone
from loader.check.instruments.lacks import KEY
from loader.dialects.dialect import Dialect, fold
from loader.errors import ColumnMismatch
from loader.lazy import regex
from loader.settings import Meaning

#: Names of columns that hold dates without a time of day.
DAY_WORDS: Final = ("date", "day", "dt", "tradedate", "tradingdate", "tradeday", "dtyyyymmdd")
#: Names such as `<TIME>`, of MetaTrader and Finam.
_BRACKETS: Final = regex("^<(.+)>$")
#: What the keys of rows look like where they are times.
_TIME: Final = r"^[0-9]{4}-?[0-9]{2}-?[0-9]{2}|^-?[0-9]{9,}$"

#: Words in the names of columns that hold times of UTC.
_CLOCK_OF_UTC: Final = ("utc", "gmt")
#: Abbreviations that are zones of the IANA database, with one offset all year.
_ALL_YEAR: Final = {
    "EST": "America/New_York", "MST": "America/Denver", "HST": "Pacific/Honolulu",
}  # fmt: skip
#: Folded names of columns that hold the ends of bars.
ENDS: Final = frozenset(
    [
        "closetime", "timeclose", "closetimestamp", "endtime", "timeend", "endtimestamp", "end",
        "barend", "candleend", "periodend", "windowend", "intervalend", "endts", "closets",
    ]
)  # fmt: skip
_UTC_NAMES: Final = {"UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "GMT", "Etc/GMT"}


def date_and_time(
    frame: pl.DataFrame,
    dialect: Dialect,
    found: list[list[str]],
    outside: list[list[str]],
    names: dict[str, str],
) -> list[list[str]]:
    """The candidates for `ts`, without a time of day that completes the best of them: a date, which
    may stand outside of the rows."""
    words = [fold(word) for word in dialect.columns.get("time_of_day", ())]
    for group in found:
        rest = [other for other in found if other is not group] or outside
        if not rest or _BRACKETS.sub(r"\1", fold(group[0])) not in words:
            continue
        if is_clock(frame[group[0]]) and is_date(frame[rest[0][0]]):
            names["time_of_day"] = group[0]
            return rest
    return found


def are_times(column: pl.Series) -> bool:
    """Whether the keys of rows are times, as pandas writes its index, rather than symbols."""
    return is_text(column.dtype) and bool(
        column.head(1_000).cast(pl.String).str.contains(_TIME).fill_null(False).all()
    )


def names(frame: pl.DataFrame) -> list[str]:
    """The first keys of rows, unless they are times."""
    if KEY not in frame.columns or are_times(frame[KEY]) or not is_text(frame.schema[KEY]):
        return []
    return [key for key in frame[KEY].head(1_000).unique(maintain_order=True) if key]


def own_zone(dtype: pl.DataType) -> Zone | None:
    """The zone of a typed column. UTC counts as no zone: it does not give a session's date."""
    own = dtype.time_zone if isinstance(dtype, pl.Datetime) else None
    return None if own is None or own in _UTC_NAMES else Zone(own)


def zone(
    column: str, plan: TimePlan, meaning: Meaning, dialect: Dialect, where: str
) -> tuple[Zone | None, tuple[str, ...]]:
    """The zone from the person's option, else from the column's name, else from the dialect.

    Raises:
        ColumnMismatch: the option says another zone than the name of a column that was not asked
            for.
    """
    named = fold(column)
    is_utc = plan.kind == "wall" and (
        named.endswith(_CLOCK_OF_UTC) or named.startswith(_CLOCK_OF_UTC)
    )
    if meaning.timezone is not None:
        asked = parse_zone(meaning.timezone)
        other = asked.name not in _UTC_NAMES and asked.offset != UTC.offset
        if is_utc and other and "ts" not in meaning.columns:
            raise ColumnMismatch.at(
                where,
                f"the name of column {column!r} says UTC, and --timezone says {meaning.timezone}",
                column=column,
                hint="leave --timezone out; or if the name is wrong, say both: "
                f"--column ts={quote(column)} --timezone {meaning.timezone}",
            )
        return asked, _all_year(asked)
    if plan.zone is not None:
        return None, ()
    if is_utc:
        return UTC, (f"times are UTC, as the name of column {column!r} says",)
    if dialect.timezone is None:
        return None, ()
    note = f"times are {dialect.timezone}, as {dialect.name} has them"
    return parse_zone(dialect.timezone), (note,) if plan.kind == "wall" else ()


def _all_year(zone: Zone) -> tuple[str, ...]:
    """A note on an abbreviation that is a zone without daylight saving."""
    place = _ALL_YEAR.get(zone.name)
    if place is None:
        return ()
    return (f"{zone.name} has no daylight saving; for a clock that has: --timezone {place}",)


def refuse_twelve_hours(
    frame: pl.DataFrame, columns: Mapping[str, str], shown: pl.Series, where: str
) -> None:
    """Looks for clocks of twelve hours without AM and PM, which fall from 12 to 1 within a day.

    Raises:
        ColumnMismatch: they do, and no hour is above 12.
    """
    rows = pl.DataFrame({"t": shown}).hstack(
        [frame[columns[k]].alias(k) for k in ("provider", "symbol") if k in columns]
    )
    hour, names = pl.col("t").dt.hour(), [name for name in rows.columns if name != "t"]
    if rows.select((hour > 12).any() | (hour < 1).any()).item() is not False:
        return
    same = [pl.col(name) == pl.col(name).shift() for name in names]
    falls = rows.with_columns(before=pl.col("t").shift()).filter(
        (hour == 1)
        & (pl.col("before").dt.hour() == 12)
        & (pl.col("before").dt.date() == pl.col("t").dt.date()),
        *same,
    )
    if falls.height:
        before, after = falls.select("before", "t").row(0)
        raise ColumnMismatch.at(
            where,
            f"{before:%H:%M} is followed by {after:%H:%M} on {after:%Y-%m-%d}, and no hour is "
            "above 12: these look like clocks of twelve hours, without AM or PM",
            column=columns.get("time_of_day", columns["ts"]),
            hint="write the times with AM and PM, or of 24 hours; if they are right, sort the rows "
            "by time",
        )


def refuse_ends_by_name(column: str, meaning: Meaning, dialect: Dialect, where: str) -> None:
    """Asks about a table of no known format if its only time says that it is an end.

    Raises:
        ColumnMismatch: nobody has said which end of a bar it is.
    """
    if meaning.stamp is None and not dialect.shapes and fold(column) in ENDS:
        raise ColumnMismatch.at(
            where,
            f"the name of column {column!r} says that its times are the ends of the bars",
            column=column,
            hint="say --stamp end; or --stamp start if the name is wrong",
        )
