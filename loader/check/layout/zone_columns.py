"""Columns that name the zone of a row's times."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from shlex import quote
from typing import Final

import polars as pl

from loader.bars.numbers import is_text
from loader.bars.times.zones import Zone, parse_zone, to_utc
from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch, SettingsError
from loader.lazy import regex
from loader.settings import Meaning

#: Folded names of columns that name the zone of a row's times.
_ZONES: Final = frozenset(
    [
        "tz", "tzname", "zone", "timezone", "timezonename", "timezoneid", "zoneid", "utcoffset",
        "gmtoffset", "tzoffset", "exchangetz", "exchangetimezone", "exchangetimezonename",
        "markettz", "markettimezone", "localtimezone",
    ]
)  # fmt: skip
#: An offset as a number: of hours, minutes or seconds. Offsets are whole quarters of an hour.
_OFFSET: Final = regex(r"[+-]?[0-9]{1,5}(\.[0-9]*)?")
_HOURS, _QUARTER = 14, 900


def refuse_other_zones(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    shown: pl.Series,
    zone: Zone | None,
    meaning: Meaning,
    where: str,
) -> None:
    """Looks at columns that name zones, where the times themselves have none: `shown` are the
    clocks, and `zone` is where they are taken to be. The `columns` of the bars do not count,
    and none does where the person names both the times and their zone.

    Raises:
        ColumnMismatch: rows are of several zones, or of another one than `zone`.
    """
    if "ts" in meaning.columns and meaning.timezone is not None:
        return
    for name in _names(frame, columns.values()):
        named = _named(frame[name])
        if len(named) > 1:
            raise _several(name, named, where)
        for each, known in named.items():
            if zone is None or not _alike(shown, zone, known):
                taken = f", not {zone}" if zone is not None else ""
                raise ColumnMismatch.at(
                    where,
                    f"column {name!r} says that the times are of {each}{taken}",
                    column=name,
                    hint=f"say --timezone {quote(known.name)}; or if the column is about something "
                    f"else, name both: --column ts={quote(columns['ts'])} --timezone "
                    f"{quote(str(zone or 'UTC'))}",
                )


def _known_zone(text: str) -> Zone | None:
    if _OFFSET.fullmatch(text.strip()):
        return _of_offset(float(text))
    try:
        return parse_zone(text)
    except SettingsError:
        return None


def _of_offset(number: float) -> Zone | None:
    """The zone with this offset from UTC: no two units have a number in common."""
    for most, seconds in ((_HOURS, 3_600), (_HOURS * 60, 60), (_HOURS * 3_600, 1)):
        if abs(number) <= most:
            quarters, rest = divmod(abs(number) * seconds, _QUARTER)
            break
    else:
        return None
    if rest:
        return None
    if not quarters:
        return parse_zone("UTC")
    hours, minutes = divmod(int(quarters) * 15, 60)
    sign = "-" if number < 0 else "+"
    return parse_zone(f"UTC{sign}{hours}{f':{minutes:02}' if minutes else ''}")


def _alike(shown: pl.Series, one: Zone, other: Zone) -> bool:
    """Whether the clocks are the same times in both zones."""
    clocks = shown.drop_nulls().head(1_000)
    return to_utc(clocks, one).utc.equals(to_utc(clocks, other).utc, null_equal=True)


class ZonesSeen:
    """The zones in such columns, over all batches of a file whose times have none themselves."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._found: dict[str, dict[str, Zone]] = {}

    def look(self, frame: pl.DataFrame, used: Collection[str]) -> None:
        """
        Raises:
        ColumnMismatch: a column names another zone than in the batches before.
        """
        for name in _names(frame, used):
            found = self._found.setdefault(name, {})
            found.update(_named(frame[name]))
            if len(found) > 1:
                raise _several(name, found, self._where)


def _names(frame: pl.DataFrame, used: Collection[str]) -> list[str]:
    return [
        name
        for name in frame.columns
        if name not in used and fold(name) in _ZONES and _may_name(frame.schema[name])
    ]


def _may_name(dtype: pl.DataType) -> bool:
    return is_text(dtype) or dtype.is_numeric()


def _named(column: pl.Series) -> dict[str, Zone]:
    words = column.cast(pl.String).drop_nulls().unique().sort()
    return {word: known for word in words if (known := _known_zone(word)) is not None}


def _several(name: str, zones: Mapping[str, Zone], where: str) -> ColumnMismatch:
    return ColumnMismatch.at(
        where,
        f"times are of several zones: column {name!r} has {', '.join([*zones][:3])}",
        column=name,
        hint="load each alone: "
        + ", then ".join(
            f"--where {quote(f'{name}={each}')} --timezone {quote(zone.name)}"
            for each, zone in [*zones.items()][:2]
        ),
    )
