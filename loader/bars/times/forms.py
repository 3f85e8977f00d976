"""The forms in which files write times as text. A file has one, decided from its first batch.

A form is a style of date, a style of clock (or none), and whether an offset follows. Text that does
not match the form in full is not a time of that file: the pattern is the guard, strptime only the
reader (alone, it takes `2020102` for 2 October and moves 23:59:60 into the next day). `dress` has
what may stand around a form, and `formats` the formats of people's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import polars as pl

from loader.bars.times import dress, zonewords
from loader.bars.times.zones import Zone
from loader.lazy import dataclass

_Y, _YY, _N, _60 = "[0-9]{4}", "[0-9]{2}", "[0-9]{1,2}", "[0-5]?[0-9]"
#: Each style's pattern, and strptime's words for it.
_DATES: Final = {
    "YYYY-MM-DD": (f"{_Y}-{_N}-{_N}", ("%Y-%m-%d",)),
    "YYYY/MM/DD": (f"{_Y}/{_N}/{_N}", ("%Y/%m/%d",)),
    "YYYY.MM.DD": (rf"{_Y}\.{_N}\.{_N}", ("%Y.%m.%d",)),
    "YYYYMMDD": ("[0-9]{8}", ("%Y%m%d",)),
    "DD.MM.YYYY": (rf"{_N}\.{_N}\.{_Y}", ("%d.%m.%Y",)),
    "DD-Mon-YY": (f"{_N}-[A-Za-z]{{3}}-[0-9]{{2}}", ("%d-%b-%y",)),
    "DD-Mon-YYYY": (f"{_N}-[A-Za-z]{{3}}-{_Y}", ("%d-%b-%Y",)),
    "DD Mon YYYY": (f"{_N} [A-Za-z]{{3,9}} {_Y}", ("%d %b %Y", "%d %B %Y")),
    "YYYY-Mon-DD": (f"{_Y}-[A-Za-z]{{3}}-{_N}", ("%Y-%b-%d",)),
    "Mon DD, YYYY": (
        f"[A-Za-z]{{3,9}} {_N}(?:, ?| ){_Y}",
        ("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y"),
    ),
    "MM/DD/YYYY": (f"{_N}/{_N}/{_Y}", ("%m/%d/%Y",)),
    "DD/MM/YYYY": (f"{_N}/{_N}/{_Y}", ("%d/%m/%Y",)),
    "MM-DD-YYYY": (f"{_N}-{_N}-{_Y}", ("%m-%d-%Y",)),
    "DD-MM-YYYY": (f"{_N}-{_N}-{_Y}", ("%d-%m-%Y",)),
    "YYYY-Www-D": (f"{_Y}-W[0-9]{{2}}-[1-7]", ("%G-W%V-%u",)),
    "MM/DD/YY": (f"{_N}/{_N}/{_YY}", ("%m/%d/%y",)),
    "DD/MM/YY": (f"{_N}/{_N}/{_YY}", ("%d/%m/%y",)),
    "YY/MM/DD": (f"{_YY}/{_N}/{_N}", ("%y/%m/%d",)),
    "MM-DD-YY": (f"{_N}-{_N}-{_YY}", ("%m-%d-%y",)),
    "DD-MM-YY": (f"{_N}-{_N}-{_YY}", ("%d-%m-%y",)),
    "YY-MM-DD": (f"{_YY}-{_N}-{_N}", ("%y-%m-%d",)),
    "DD.MM.YY": (rf"{_N}\.{_N}\.{_YY}", ("%d.%m.%y",)),
    "YY.MM.DD": (rf"{_YY}\.{_N}\.{_N}", ("%y.%m.%d",)),
}
#: Month first and day first: only the values can tell them apart.
_TWINS: Final = {"MM/DD/YYYY": "DD/MM/YYYY", "MM-DD-YYYY": "DD-MM-YYYY"}
#: Years of two digits, which may be days as well: each form and the others that look like it.
_SHORT: Final = {
    "MM/DD/YY": ("DD/MM/YY", "YY/MM/DD"), "MM-DD-YY": ("DD-MM-YY", "YY-MM-DD"),
    "DD.MM.YY": ("YY.MM.DD",),
}  # fmt: skip
_SECOND: Final = frozenset(
    (*_TWINS.values(), *(date for dates in _SHORT.values() for date in dates))
)
_CLOCKS: Final = {
    "": ("", ("",)),
    "HH:MM:SS": (
        rf"(?:T| +){_N}:{_60}(?::{_60}(?:\.[0-9]+)?)?",
        (" %H:%M:%S", "T%H:%M:%S", " %H:%M", "T%H:%M", " %H:%M:%S%.f", "T%H:%M:%S%.f"),
    ),
    "HH:MM:SS AM": (f" +{_N}:{_60}(?::{_60})? ?[AaPp][Mm]", (" %I:%M:%S %p", " %I:%M %p")),
    "HHMMSS": ("(?:T| +)[0-9]{4}(?:[0-5][0-9])?", (" %H%M%S", "T%H%M%S", " %H%M", "T%H%M")),
}
_BELOW_MICROSECOND: Final = r"\.[0-9]{6}[0-9]*[1-9]"


@dataclass(frozen=True, slots=True)
class Form:
    """How the times of a file are written.

    Attributes:
        name: as a person would say it, `YYYY-MM-DD HH:MM:SS+HH:MM`.
        formats: strptime's, without the offset; a value is read by the first that fits.
        pattern: what a value has to match in full, or None for a format of the user's own.
        clock: whether it says more than the date.
        offset: whether each value ends with its own offset from UTC.
        ending: what is added to each value before it is read.
        dressed: whether values may have a weekday or a zone's full name around them; see `dress`.
        zones: the zones by the words that end the values; empty where they name none.
        date: what a value has to match that says the date alone, or None.
        insert: a pattern and its replacement, applied to a value of the user's own format.
    """

    name: str
    formats: tuple[str, ...]
    pattern: str | None
    clock: bool
    offset: bool
    ending: str = ""
    dressed: bool = False
    zones: tuple[tuple[str, Zone], ...] = ()
    date: str | None = None
    insert: tuple[str, str] | None = None

    def fitting(self, text: str) -> str:
        """The format that reads `text`, or the first."""
        alone = pl.Series([text])
        read = (word for word in self.formats if _parse(alone, word).null_count() == 0)
        return next(read, self.formats[0])


@dataclass(frozen=True, slots=True)
class Reading:
    """`wall` is the naive Datetime us as written, null where it does not fit the form; `offset` the
    Duration us that it is ahead of UTC, or None where the form has no offsets."""

    wall: pl.Series
    offset: pl.Series | None


def twin(form: Form) -> Form | None:
    """The same form with the day first, where `form` has the month first and the two look alike."""
    date = form.name.partition(" ")[0]
    return _alike(form, _TWINS[date]) if date in _TWINS else None


def short_years(form: Form) -> dict[str, Form]:
    """The forms with years of two digits that look like `form`, which is one of them, by the order
    of their parts (`MDY`, `DMY`, `YMD`); empty for other forms."""
    date = form.name.partition(" ")[0]
    if date not in _SHORT:
        return {}
    names = (date, *_SHORT[date])
    return {re.sub("(.)\\1[^A-Z]?", "\\1", name): _alike(form, name) for name in names}


def _alike(form: Form, date: str) -> Form:
    """`form` with another date, written the same way around it."""
    made = _form(date, *_rest(form.name.partition(" ")[2]))
    return replace(made, dressed=form.dressed, zones=form.zones, name=made.name)


def likeliest(sample: pl.Series) -> tuple[Form | None, float]:
    """The form that most of the trimmed, non-empty texts in `sample` have, and their share.

    Where month and day first are both possible it is month first; see `twin` and `order`.
    """
    form, share = _likeliest(sample)
    if share >= 0.5 and not dress.is_foreign(sample):
        return form, share
    plain = dress.undressed(sample)
    dressed = not plain.equals(sample)
    if dressed:
        form, share = _likeliest(plain)
    if share < 0.5 and (found := zonewords.zones_of(plain)):
        form, share = _likeliest(zonewords.split(plain)[0])
        form = form and replace(form, zones=found, name=f"{form.name} zone")
    return form and replace(form, dressed=dressed), share


def _likeliest(sample: pl.Series) -> tuple[Form | None, float]:
    dates = [date for date in _DATES if date not in _SECOND]
    at, _ = _commonest(sample, [f"^(?:{_DATES[date][0]})(?:[T ]|$)" for date in dates])
    forms = [_form(dates[at], "", offset=False)]
    forms += [_form(dates[at], clock, off) for clock in _CLOCKS if clock for off in (False, True)]
    at, hits = _commonest(sample, [form.pattern or "" for form in forms])
    return (forms[at], hits / len(sample)) if hits else (None, 0.0)


def _commonest(sample: pl.Series, patterns: Sequence[str]) -> tuple[int, int]:
    """Which of the patterns most of the texts match, and how many do. No text matches two of them:
    one that more than half of the texts match needs no look at the others."""
    first = str(sample[0]) if len(sample) else ""
    hits = [0] * len(patterns)
    for at in sorted(range(len(patterns)), key=lambda at: not re.match(patterns[at], first)):
        hits[at] = int(sample.str.contains(patterns[at]).sum())
        if 2 * hits[at] > len(sample):
            break
    return hits.index(max(hits)), max(hits)


def by_use(form: Form, sample: pl.Series) -> Form:
    """The form with its formats in the order in which they read most of the trimmed texts. Behind
    one that reads all, the order of others does not matter: they read nothing in another way."""
    if len(form.formats) == 1:
        return form
    text = bare(sample, form)
    unread = {}
    for word in form.formats:
        unread[word] = _parse(text, word).null_count()
        if not unread[word]:
            return replace(form, formats=tuple(dict.fromkeys((word, *form.formats))))
    return replace(form, formats=tuple(sorted(form.formats, key=lambda word: unread[word])))


def bare(text: pl.Series, form: Form) -> pl.Series:
    """The trimmed texts without what stands around date and clock in such a form."""
    if form.dressed:
        text = dress.undressed(text)
    if form.zones:
        text = zonewords.split(text)[0]
    return zonewords.split_offset(text)[0] if form.offset else text


def order(text: pl.Series) -> tuple[int, int]:
    """How many of the texts `n/n/YYYY` can only be month first, and how many only day first."""
    parts = text.str.extract_groups("^([0-9]{1,2})[/-]([0-9]{1,2})[/-]")
    first, second = (parts.struct.field(name).cast(pl.Int32) for name in ("1", "2"))
    return int((second > 12).sum()), int((first > 12).sum())


def parts(text: pl.Series) -> list[pl.Series]:
    """The three numbers that stand first in the texts, Int32."""
    found = text.str.extract_groups("([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{1,2})")
    return [found.struct.field(name).cast(pl.Int32) for name in ("1", "2", "3")]


def long_parts(text: pl.Series) -> list[pl.Series]:
    """The three numbers of the texts `n/n/YYYY`, Int32."""
    found = text.str.extract_groups("^([0-9]{1,2})[/-]([0-9]{1,2})[/-]([0-9]{4})")
    return [found.struct.field(name).cast(pl.Int32) for name in ("1", "2", "3")]


def read(text: pl.Series, form: Form) -> Reading:
    """The trimmed texts (String) read in the form; what does not fit is null.

    Raises:
        polars.exceptions.PolarsError: Polars cannot read by the format of a custom form.
    """
    text, words, offset = _split(text, form)
    wall = _strptime(text + form.ending if form.ending else text, form)
    if wall.null_count() > text.null_count() and (late := dress.ends_of_days(text)).any():
        begun = _strptime(dress.begun_days(text.set(~late, None)) + form.ending, form)
        wall = wall.fill_null(begun + timedelta(days=1))
    if words is not None and len(form.zones) > 1:
        offset = zonewords.offsets(wall, words, dict(form.zones))
    return Reading(wall, offset)


def offsets(text: pl.Series, form: Form) -> pl.Series | None:
    """How far the trimmed texts are ahead of UTC, without their times: see `Reading`."""
    return _split(text, form)[2] if form.offset else None


def _split(text: pl.Series, form: Form) -> tuple[pl.Series, pl.Series | None, pl.Series | None]:
    """The texts that fit the form without what stands around date and clock, the words of zones
    and the offsets."""
    if form.insert is not None:
        text = text.str.replace(*form.insert)
    if form.dressed:
        text = dress.undressed(text)
    words = None
    if form.zones:
        text, words = zonewords.split(text)
        text = text.set(~words.is_in([word for word, _ in form.zones]).fill_null(False), None)
    if form.pattern is not None:
        text = text.set(~text.str.contains(form.pattern), None)
    if not form.offset:
        return text, words, None
    text, offset = zonewords.split_offset(text)
    return text.set(offset.is_null(), None) if offset.null_count() else text, words, offset


def _form(date: str, clock: str, offset: bool) -> Form:
    date_pattern, date_words = _DATES[date]
    clock_pattern, clock_words = _CLOCKS[clock]
    name = f"{date} {clock}".strip() + ("+HH:MM" if offset else "")
    pattern = f"^{date_pattern}{clock_pattern}{zonewords.OFFSET if offset else ''}$"
    formats = tuple(d + c for c in clock_words for d in date_words)
    date_alone = f"^{date_pattern}$" if clock and not offset else None
    return Form(name, formats, pattern, bool(clock), offset, date=date_alone)


def _rest(name: str) -> tuple[str, bool]:
    name = name.removesuffix(" zone")
    return name.removesuffix("+HH:MM"), name.endswith("+HH:MM")


def _strptime(text: pl.Series, form: Form) -> pl.Series:
    wall = pl.Series(text.name, [None], dtype=pl.Datetime("us")).new_from_index(0, len(text))
    empty = text.null_count()
    for number, word in enumerate(form.formats):
        parsed = _parse(text, word)
        if "%.f" in word or "%f" in word:
            parsed = parsed.set(text.str.contains(_BELOW_MICROSECOND).fill_null(False), None)
        if form.pattern is None and re.fullmatch("(%[A-Za-z])+( %M)?", word):
            # Digits without separators: strptime would fill short values up from the wrong side.
            parsed = parsed.set((parsed.dt.strftime(word) != text).fill_null(False), None)
        wall = parsed if number == 0 else wall.fill_null(parsed)
        if wall.null_count() == empty:
            break
        text = text.set(wall.is_not_null(), None)  # the next format reads only what is left
    return wall


def _parse(text: pl.Series, word: str) -> pl.Series:
    return text.str.to_datetime(word, time_unit="us", strict=False, cache=False)
