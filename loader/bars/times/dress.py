"""What programs do to a time. They write a weekday, a zone's full name, commas around it.

`Tue, 02 Jan 2024 14:30:00 GMT` (RFC 2822), `Tue Jan 02 2024 09:30:00 GMT-0500 (Eastern Standard
Time)` (JavaScript), `Tue Jan  2 09:30:00 2024` (C), `2024-01-02T09:30-05:00[America/New_York]`
(Java), `1/2/2024, 9:30:00 AM` (browsers), `09:30:00,000` (ISO 8601 with a comma). Quarters,
months and weeks without a day (`2010Q1`, `2024-03`, `03/2024`, `Mar 2024`, `Mar-24`, `2024-W01`)
have their first one. Pages write `4. März 2024`, `March 4th, 2024`, `2024年3月4日`, and Taiwan's
exchange `113/03/04`, in years of the Republic.

Spreadsheets swap day and month where they can: `04/03/2024` for 4 March beside `13/03/2024`, which
stays text.
"""

from __future__ import annotations

from functools import reduce
from typing import Final

import polars as pl

from loader.lazy import regex

#: Patterns and what remains of them, in this order.
_DRESS: Final = (
    ("^(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +", ""),
    (r" *\([^()]*\)$", ""),
    (r"([+-][0-9]{2}:?[0-9]{2}|Z)\[[A-Za-z_/+-]+\]$", "$1"),
    ("  +", " "),
    (r" ?([AaPp])\.[Mm]\.", " ${1}M"),
    ("^([0-9]{1,2})(?:\\.|st|nd|rd|th|er|[ºª°])?,? (?:de |of )?([A-Za-z]{3,9})\\.?,? (?:del? )?"
     "([0-9]{4})", "$1 $2 $3"),
    ("^([A-Za-z]{3,9})\\.? ([0-9]{1,2})(?:st|nd|rd|th)(,?) ([0-9]{4})", "$1 $2$3 $4"),
    ("^([0-9]{1,2})-([A-Za-z]{3,9})\\.-", "$1-$2-"),
    ("^([0-9]{4}) ?[年년.] ?([0-9]{1,2}) ?[月월.] ?([0-9]{1,2}) ?[日일.]", "$1-$2-$3"),
    ("^([A-Za-z]{3} [0-9]{1,2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})( [A-Z]{2,5})? ([0-9]{4})$",
     "$1 $4 $2$3"),
    (",( [0-9]{1,2}:)", "$1"),
    *((f"^([0-9]{{4}})[-/ ]?Q{quarter}$|^Q{quarter}[-/ ]?([0-9]{{4}})$", f"$1$2-{first}-01")
      for quarter, first in ((1, "01"), (2, "04"), (3, "07"), (4, "10"))),
    ("^([0-9]{4})[-/]([0-9]{2})$|^([0-9]{4})M([0-9]{2})$", "$1$3-$2$4-01"),
    ("^(0?[1-9]|1[0-2])/([0-9]{4})$", "$2-$1-01"),
    ("^([A-Za-z]{3,9})[- ]([0-9]{4})$", "$1 01, $2"),
    ("^([A-Za-z]{3,9})[-' ]+([0-6][0-9])$", "$1 01, 20$2"),
    ("^([A-Za-z]{3,9})[-' ]+([7-9][0-9])$", "$1 01, 19$2"),
    ("^([0-9]{4})-?W([0-9]{2})$", "$1-W$2-1"),
    ("^([0-9]{4})-?W([0-9]{2})-?([1-7])$", "$1-W$2-$3"),
    ("(:[0-5]?[0-9]),([0-9]+)", "$1.$2"),
)  # fmt: skip

#: The months of languages, by the words that begin like them; Croatian has others for the same.
_MONTHS: Final = {
    "de": "jan jän|feb|mär mrz maer|apr|mai|jun|jul|aug|sep|okt|nov|dez",
    "nl": "jan|feb|mrt maart|apr|mei|jun|jul|aug|sep|okt|nov|dec",
    "fr": "jan|fév fev|mar|avr|mai|juin|juil|aoû aou|sep|oct|nov|déc dec",
    "es": "ene|feb|mar|abr|may|jun|jul|ago|sep set|oct|nov|dic",
    "it": "gen|feb|mar|apr|mag|giu|lug|ago|set|ott|nov|dic",
    "pt": "jan|fev|mar|abr|mai|jun|jul|ago|set|out|nov|dez",
    "pl": "sty|lut|mar|kwi|maj|cze|lip|sie|wrz|paź|lis|gru",
    "cs": "led|úno|bře|dub|kvě|červen červn čvn|červenec července čvc|srp|zář|říj|lis|pro",
    "hr": "sij|velj|ožu|tra|svi|lip|srp|kol|ruj|lis|stu|pro",
    "ru": "янв|фев|мар|апр|май мая|июн|июл|авг|сен|окт|ноя|дек",
    "tr": "oca|şub|mar|nis|may|haz|tem|ağu|eyl|eki|kas|ara",
    "nordic": "jan|feb|mar|apr|maj mai|jun|jul|aug|sep|okt|nov|dec des",
}
_ENGLISH: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_KNOWN: Final = frozenset((*_ENGLISH, *(name[:3] for name in _ENGLISH), "sept"))
#: The word of a month beside numbers.
_NAMED: Final = (
    r"[0-9](?:er|[ºª°])?[ .,-]*(?:de |del |of )?([^\W\d_]{3,})\.?[ ,-]*(?:del? )?[0-9]",
    r"^([^\W\d_]{3,})\.?[ '-]+[0-9]{1,2}(?:st|nd|rd|th)?,? [0-9]{4}",
    r"^([^\W\d_]{3,})\.?[ '-]+[0-9]{2,4}$",
)
#: Dates in years of the Republic of China, of which 113 is 2024.
_REPUBLIC: Final = r"^(1[0-9]{2})[/.年-] ?[0-9]{1,2}[/.月-] ?[0-9]{1,2}日?"
_YEARS_AHEAD: Final = 1911
_LETTERS: Final = regex("[A-Za-z]{3}")
_CHINESE: Final = regex("[\u4e00-\u9fff]")
#: Years of the Republic of two digits that tables of prices may have, from 1961 on.
_OLDEST: Final = 50

#: Fewer dates with a day up to 12 prove nothing.
_FEWEST: Final = 3
#: Fewer steps back in time prove nothing.
_STEPS_BACK: Final = 4
#: Times also step back where another series begins: swapping has to leave this many times fewer.
_TIMES: Final = 4
_LAST_MONTH: Final = 12
#: The share of values that have to fit an order of day, month and year.
_SURE: Final = 0.99
#: The last days of months, of which bars of months and years may be; years below are of 2000.
_LAST_DAYS, _CENTURY = 28, 70

#: The midnight at the end of a day, as ISO 8601 has it: 24:00, 24:00:00, 240000.
_END_OF_DAY: Final = r"(^|[T ]|^[0-9]{8})24(:00(?::00(?:\.0+)?)?|00(?:00)?)($| |[+-]|Z)"


def ends_of_days(text: pl.Series) -> pl.Series:
    """Which of the trimmed texts say 24:00; null is not."""
    return text.str.contains(_END_OF_DAY).fill_null(False)


def begun_days(text: pl.Series) -> pl.Series:
    """The texts with 00:00 in place of 24:00, which is a day later."""
    return text.str.replace(_END_OF_DAY, "${1}00$2$3")


def undressed(text: pl.Series) -> pl.Series:
    """The trimmed texts (String) with nothing but date, clock, and offset or zone."""
    text = _in_english(_of_our_era(text))
    for pattern, remains in _DRESS:
        text = text.str.replace(pattern, remains)
    return text


def are_of_republic(text: pl.Series) -> bool:
    """Whether some of the texts have a year of the Republic of China."""
    return bool(text.str.contains(_REPUBLIC).any())


def _of_our_era(text: pl.Series) -> pl.Series:
    """The texts with years of the Republic of China as ours. Of two digits they are only where some
    have three."""
    if not are_of_republic(text):
        return text
    pattern = _REPUBLIC.replace("1[0-9]{2}", "1[0-9]{2}|[4-9][0-9]")
    year = text.str.extract(pattern, 1)
    ours = (year.cast(pl.Int32, strict=False) + _YEARS_AHEAD).cast(pl.String)
    rest = (
        text.str.replace(r"^[0-9]{2,3}", "").str.replace("[年.月-]", "/").str.replace("[.月-]", "/")
    )
    return (ours + rest.str.replace("日", "")).fill_null(text)


def _in_english(text: pl.Series) -> pl.Series:
    """The texts with the months of one other language in English. Words that may be months of
    several languages, which are not the same, stay as they are."""
    found = reduce(pl.Series.fill_null, (text.str.extract(pattern) for pattern in _NAMED))
    words = {word: word.lower() for word in found.drop_nulls().unique()}
    unknown = [low for low in words.values() if low not in _KNOWN]
    read = set()
    for names in _MONTHS.values() if unknown else ():
        months = {low: _month(low, names) for low in words.values()}
        if all(months.values()):
            read.add(tuple(months.values()))
    if len(read) != 1:
        return text
    for word, month in zip(words, read.pop(), strict=True):
        if month is not None:
            text = text.str.replace(word, _ENGLISH[month - 1][:3].title(), literal=True)
    return text


def is_foreign(text: pl.Series) -> bool:
    """Whether the texts have months of another language than English, or years of the Republic of
    China."""
    first = text[0] or "" if len(text) else ""
    lettered = _LETTERS.search(first) is not None
    if not first.isascii():  # of letters elsewhere Polars decides
        lettered = bool(text.head(1).str.contains(r"[^\W\d_]{3}").any())
    if not lettered and not are_of_republic(text):
        return False
    return not _in_english(_of_our_era(text)).equals(text, null_equal=True)


def may_be_of_republic(column: str, order: str, year: pl.Series) -> bool:
    """Whether years of two digits that stand first, such as 99 (2010), may be those of the Republic
    of China: the name of their `column` is Chinese."""
    return order == "YMD" and bool(_CHINESE.search(column)) and bool((year >= _OLDEST).any())


def _month(word: str, language: str) -> int | None:
    """The number of the month of a `language` that begins like the `word`, or None."""
    fits = [
        (len(each), at)
        for at, names in enumerate(language.split("|"), 1)
        for each in names.split()
        if word.startswith(each)
    ]
    return max(fits)[1] if fits else None


def are_mixed(year: pl.Series, month: pl.Series, day: pl.Series) -> bool:
    """Whether the dates run one way only if day and month are swapped wherever both are possible.

    The three have one whole number a row, in the file's order. Dates that run one way as they are,
    or that run no way at all, are not mixed.
    """
    rows = pl.DataFrame([year.alias("y"), month.alias("m"), day.alias("d")]).drop_nulls()
    both = (pl.col("d") <= _LAST_MONTH) & (pl.col("m") <= _LAST_MONTH)
    differ = rows.filter(both & (pl.col("d") != pl.col("m"))).n_unique()
    if differ < _FEWEST or rows.filter(~both).is_empty():
        return False
    month_, day_ = pl.col("m"), pl.col("d")
    swapped = rows.with_columns(
        m=pl.when(both).then(day_).otherwise(month_), d=pl.when(both).then(month_).otherwise(day_)
    )
    now, then = _steps_back(rows), _steps_back(swapped)
    return (then == 0 and now > 0) or (now >= _STEPS_BACK and now >= _TIMES * then)


def _steps_back(rows: pl.DataFrame) -> int:
    """The steps against the way in which most of the dates run."""
    days = rows["y"].cast(pl.Int64) * 10_000 + rows["m"].cast(pl.Int64) * 100 + rows["d"]
    steps = days.diff().drop_nulls()
    return min(int((steps < 0).sum()), int((steps > 0).sum()))


def are_days(year: pl.Series, month: pl.Series, day: pl.Series) -> bool:
    """Whether nearly all are dates, and not the same day within a month of each year."""
    sound = (month.is_between(1, 12) & day.is_between(1, 31)).mean() or 0
    yearly = month.n_unique() == day.n_unique() == 1 < year.n_unique()
    return float(sound) >= _SURE and not (yearly and 1 < day[0] < _LAST_DAYS)  # type: ignore[arg-type]


def run_one_way(year: pl.Series, month: pl.Series, day: pl.Series) -> bool:
    """Whether the dates, with years of two digits, only rise or only fall."""
    days = (year + pl.Series([100]) * (year < _CENTURY)) * 10_000 + month * 100 + day
    return days.is_sorted() or days.is_sorted(descending=True)
