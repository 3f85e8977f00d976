"""Time zones: parses their names and converts local times to UTC, except in gaps and folds."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from dataclasses import replace
from datetime import timedelta

import polars as pl

from loader.bars.words import constant
from loader.errors import SettingsError
from loader.lazy import dataclass, regex


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of the IANA database, or a fixed one if `offset` is set.

    `ahead` is added to the zone's clock; daylight saving changes with that zone.
    """

    name: str
    offset: timedelta | None = None
    ahead: timedelta = timedelta(0)

    def __str__(self) -> str:
        return f"{self.name}{self.ahead // timedelta(hours=1):+d}h" if self.ahead else self.name


UTC = Zone("UTC", timedelta(0))
_SHIFTED = regex(r"(.+)([+-]\d{1,2})h")
_FIXED = regex(r"(?:UTC)?([+-])(\d{1,2})(?::?([0-5]\d))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Placed:
    """`utc` is Datetime us UTC, null where the wall clock never showed the time or showed it twice;
    the two boolean columns say which."""

    utc: pl.Series
    nonexistent: pl.Series
    ambiguous: pl.Series


def parse_zone(text: str, what: str = "--timezone") -> Zone:
    """`America/New_York`, `UTC`, `UTC-5`, `+05:30`, `Etc/GMT+5` (which is five hours west), and
    `America/New_York+7h`, a server's clock that is seven hours ahead of New York all year. Of days
    that begin on the evening before it is the clock that shows their date.

    Raises:
        SettingsError: no zone has that name.
    """
    name = text.strip()
    if name.upper() in {"UTC", "Z"}:
        return UTC
    fixed = _FIXED.fullmatch(name)
    if fixed and int(fixed[2]) <= 14:
        minutes = int(fixed[2]) * 60 + int(fixed[3] or 0)
        return Zone(name, timedelta(minutes=-minutes if fixed[1] == "-" else minutes))
    if _known(name):
        return Zone(name)
    if shifted := _SHIFTED.fullmatch(name):
        return replace(parse_zone(shifted[1], what), ahead=timedelta(hours=int(shifted[2])))
    known = zoneinfo.available_timezones()
    by_folded = {_fold(zone): zone for zone in sorted(known, reverse=True)}
    if (same := by_folded.get(_fold(name))) and _known(same):
        return Zone(same)
    raise SettingsError(f"{text!r} is not a time zone", option=what, hint=_near(name, known))


def to_utc(wall: pl.Series, zone: Zone) -> Placed:
    """Converts naive times `wall` (Datetime us) of the zone's clock to UTC; null stays null."""
    no = constant(False, len(wall), pl.Boolean())
    if zone.offset is not None:
        return Placed((wall - zone.offset - zone.ahead).dt.replace_time_zone("UTC"), no, no)
    wall = wall - zone.ahead
    local = wall.dt.replace_time_zone(zone.name, ambiguous="null", non_existent="null")
    utc = local.dt.convert_time_zone("UTC")
    if local.null_count() == wall.null_count():
        return Placed(utc, no, no)
    lost = local.is_null() & wall.is_not_null()
    twice = lost & _earliest(wall, zone).is_not_null()
    return Placed(utc, lost & ~twice, twice)


def to_wall(utc: pl.Series, zone: Zone) -> pl.Series:
    """The zone's clock (naive Datetime us) at the instants `utc` (Datetime us UTC)."""
    if zone.offset is not None:
        return utc.dt.replace_time_zone(None) + zone.offset + zone.ahead
    return utc.dt.convert_time_zone(zone.name).dt.replace_time_zone(None) + zone.ahead


def _earliest(wall: pl.Series, zone: Zone) -> pl.Series:
    return wall.dt.replace_time_zone(zone.name, ambiguous="earliest", non_existent="null")


def _known(name: str) -> bool:
    if not name:
        return False
    try:
        pl.Series([], dtype=pl.Datetime("us")).dt.replace_time_zone(name)
    except pl.exceptions.ComputeError:
        return False
    return True


def _fold(name: str) -> str:
    return name.lower().replace(" ", "_")


def _near(name: str, known: set[str]) -> str:
    """Zones that sound like `name`, by whole name or by city."""
    names: dict[str, str] = {}
    for zone in sorted(known):
        names[_fold(zone)] = zone
        names.setdefault(_fold(zone.rpartition("/")[2]), zone)
    near = [names[n] for n in difflib.get_close_matches(_fold(name), names, n=3, cutoff=0.7)]
    if not near:
        near = ["America/New_York", "UTC", "UTC-5"]
    return "for example " + ", ".join(dict.fromkeys(near))
