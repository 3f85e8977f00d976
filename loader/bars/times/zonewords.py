"""What stands behind a time in its cell: names of zones, their abbreviations, offsets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

import polars as pl

from loader.bars.times import zones
from loader.bars.times.zones import Zone
from loader.bars.words import by_distinct, constant
from loader.errors import SettingsError

_WORD: Final = "^(.*[0-9](?: ?[AaPp][Mm])?) +([A-Z][A-Za-z]*(?:/[A-Za-z0-9_+-]+)+|[A-Z]{2,5})$"
#: Abbreviations that one place in the world uses: hours ahead of UTC, and the place.
_FIXED: Final = {
    "UTC": (0, "UTC"), "GMT": (0, "UTC"), "EST": (-5, "America/New_York"),
    "EDT": (-4, "America/New_York"), "CDT": (-5, "America/Chicago"), "MST": (-7, "America/Denver"),
    "MDT": (-6, "America/Denver"), "PST": (-8, "America/Los_Angeles"),
    "PDT": (-7, "America/Los_Angeles"), "CET": (1, "Europe/Berlin"), "CEST": (2, "Europe/Berlin"),
    "EET": (2, "Europe/Athens"), "EEST": (3, "Europe/Athens"), "WEST": (1, "Europe/Lisbon"),
    "MSK": (3, "Europe/Moscow"), "JST": (9, "Asia/Tokyo"), "KST": (9, "Asia/Seoul"),
    "HKT": (8, "Asia/Hong_Kong"), "SGT": (8, "Asia/Singapore"), "AEST": (10, "Australia/Sydney"),
    "AEDT": (11, "Australia/Sydney"), "NZST": (12, "Pacific/Auckland"),
    "NZDT": (13, "Pacific/Auckland"),
}  # fmt: skip
#: Abbreviations of several places, which another one beside them decides.
_BESIDE: Final = {"CST": ("CDT", -6, "America/Chicago")}
#: Words for a clock with its changes.
_CLOCKS: Final = {
    "ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver",
    "PT": "America/Los_Angeles",
}  # fmt: skip
#: Where abbreviations are used that several places have.
_SEVERAL: Final = {
    "CST": ("America/Chicago", "Asia/Shanghai"), "IST": ("Asia/Kolkata", "Asia/Jerusalem"),
    "BST": ("Europe/London", "Asia/Dhaka"), "AST": ("America/Halifax", "Asia/Riyadh"),
    "WET": ("Europe/Lisbon", "UTC"),
    "PKT": ("Asia/Karachi", "UTC+5"), "WIB": ("Asia/Jakarta", "UTC+7"),
    "SAST": ("Africa/Johannesburg", "UTC+2"), "ACST": ("Australia/Darwin", "Australia/Adelaide"),
    "SST": ("Asia/Singapore", "Pacific/Pago_Pago"), "BRT": ("America/Sao_Paulo", "UTC-3"),
}  # fmt: skip
OFFSET: Final = (
    " ?(?:[Zz]|(?:UTC|GMT)(?:[+-][0-9]{1,2}(?::?[0-9]{2})?)?|[+-][0-9]{2}(?::?[0-9]{2})?)"
)
_DURATION: Final = pl.Duration("us")


def split(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The texts without the word of a zone at their end, and the words; null where none is."""
    word = text.str.extract(_WORD, 2)
    return text.str.extract(_WORD, 1), word.set(word.is_in(["AM", "PM"]).fill_null(False), None)


def zones_of(text: pl.Series) -> tuple[tuple[str, Zone], ...]:
    """The zones by the words at the ends of the texts, in order of the words. Empty where most have
    none, or one means different clocks in different places (CST, IST, BST) or none.

    With one abbreviation come the others of its place, which stand in later rows.
    """
    words = set(split(text)[1].drop_nulls())
    if not words or unclear(text) is not None:
        return ()
    places = {place for word in words if (place := _fixed(word, words)[1])} - {"UTC"}
    words |= {word for word, (_, place) in _FIXED.items() if place in places}
    found = ((word, _zone(word, words)) for word in sorted(words))
    return tuple((word, zone) for word, zone in found if zone is not None)


def unclear(text: pl.Series) -> str | None:
    """A word behind most of the texts that is not the name of one zone."""
    words = split(text)[1].drop_nulls()
    if len(words) * 2 < len(text):
        return None
    distinct = set(words)
    return next((str(word) for word in sorted(distinct) if _zone(word, distinct) is None), None)


def meanings(word: str) -> tuple[str, str]:
    """Two names of zones that an abbreviation may mean, the likelier first: its place's, with its
    changes of the clock, and its fixed hours; or those of two places."""
    hours, place = _FIXED.get(word, (0, ""))
    if place:
        return place, f"UTC{hours:+d}"
    return _SEVERAL.get(word, ("America/New_York", "another"))


def out_of_season(wall: pl.Series, words: pl.Series) -> str | None:
    """An abbreviation that stands behind a time at which its place has another: EST in July."""
    distinct = set(words.drop_nulls())
    for word in sorted(distinct):
        hours, place = _fixed(word, distinct)
        here = wall.filter((words == word).fill_null(False)).drop_nulls()
        if place and not _has(here, place, hours).all():
            return str(word)
    return None


def offsets(wall: pl.Series, words: pl.Series, known: Mapping[str, Zone]) -> pl.Series:
    """How far (Duration us) each naive time is ahead of UTC by its word; null where its clock
    skipped it or showed it twice, and out of an abbreviation's season."""
    found = constant(None, len(wall), _DURATION)
    for word, zone in known.items():
        here = (words == word).fill_null(False)
        if not here.any():
            continue
        own = wall.set(~here, None)
        ahead = (own - zones.to_utc(own, zone).utc.dt.replace_time_zone(None)).cast(_DURATION)
        hours, place = _fixed(word, known)
        if place:
            ahead = ahead.set(~_has(own, place, hours), None)
        found = found.zip_with(~here, ahead)
    return found


def _has(wall: pl.Series, place: str, hours: int) -> pl.Series:
    """Whether the clock of the `place` is so many hours ahead of UTC when it shows `wall`; in the
    hour that it shows twice it is either."""
    placed = zones.to_utc(wall, Zone(place))
    ahead = wall - placed.utc.dt.replace_time_zone(None)
    return placed.ambiguous | (ahead.dt.total_minutes() == hours * 60).fill_null(False)


def _fixed(word: str, among: Collection[str]) -> tuple[int, str]:
    """The hours ahead of UTC of an abbreviation, and its place; 0 and no place for other words."""
    if word in _BESIDE and _BESIDE[word][0] in among:
        return _BESIDE[word][1:]
    return _FIXED.get(word, (0, ""))


def _zone(word: str, among: Collection[str]) -> Zone | None:
    hours, place = _fixed(word, among)
    if place:
        return Zone(word, timedelta(hours=hours))
    if word in _CLOCKS:
        return Zone(_CLOCKS[word])
    if "/" not in word:
        return None
    try:
        return zones.parse_zone(word)
    except SettingsError:
        return None


def split_offset(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The texts without the offset from UTC at their end, and how far (Duration us) each is ahead;
    null where it has none."""
    if text.str.ends_with("Z").all():
        return text.str.strip_suffix("Z"), constant(timedelta(0), len(text), _DURATION)
    tail = text.str.extract(f"({OFFSET})$").fill_null("")
    head = text.to_frame("text").select(
        pl.col("text").str.head(pl.col("text").str.len_chars() - tail.str.len_chars())
    )
    ahead = by_distinct(tail, lambda tails: pl.Series([_ahead(t) for t in tails], dtype=_DURATION))
    return head.to_series(), ahead


def _ahead(tail: str) -> timedelta | None:
    """The offset from UTC; None without an offset, or if it is larger than any on earth."""
    found = re.fullmatch(r"[A-Za-z]*([+-])(\d{1,2}):?(\d{2})?", tail.strip())
    if not found:
        return timedelta(0) if tail.strip() else None
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    if ahead > timedelta(hours=15) or int(found[3] or 0) > 59:
        return None
    return -ahead if found[1] == "-" else ahead
