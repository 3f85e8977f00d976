"""Which column of a file is which field of a bar."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from shlex import quote
from typing import Final

import polars as pl

from loader import bars
from loader.check.instruments.asked import check_fields, column_for, listed, shown
from loader.check.instruments.lacks import KEY
from loader.check.layout import clocks, units
from loader.check.layout.structs import struct_of_prices
from loader.dialects.dialect import Dialect, fold
from loader.errors import ColumnMismatch
from loader.lazy import dataclass, regex

#: Fields that all rows may have alike, so that they may stand around the rows.
_ALIKE: Final = ("provider", "symbol", "interval")
#: In place of a column's name: the field is not read from any.
NONE: Final = "-"
#: The suffix that readers add to the second of two columns with one name.
_COPY: Final = regex(r"_\d+$")
_BRACKETS: Final = regex("<(.+)>")
#: The number that Alpha Vantage's JSON puts before its names: `1. open`, `4a. close`.
_NUMBERED: Final = regex(r"^\d+[a-z]?[.)] ")
#: Names of a bar's last price: its close, unless the file has a settlement price too.
_LAST: Final = ("last", "latest", "close/last")
_SETTLED: Final = ("settle", "settlement", "settleprice", "settlementprice")
#: Names that may be the close; suggested in a hint, never assumed.
_MAYBE_CLOSE: Final = ("price", *_SETTLED, "adjclose", "adjustedclose")
#: Tables without prices, by the names of columns that are typical of them.
_NO_BARS: Final = {
    "a table of open interest": {"openinterest", "sumopeninterest", "openint", "oi"},
    "a table of funding rates": {"fundingrate", "lastfundingrate"},
    "a table of dividends or splits": {
        "dividend", "dividends", "dividendamount", "cashamount", "stocksplits", "splitratio",
        "splitfactor", "splitfrom", "splitto",
    },
}  # fmt: skip
#: Tables with other things in a row than a bar, and what to do about them.
_WIDE: Final = "a wide table, with the bars of several symbols side by side"
_LONG: Final = "a long table, with a row for each price"
_MORE: Final = {
    _WIDE: "load one series at a time, with the names of its columns: --symbol AAPL "
    "--column open=NAME --column high=NAME --column low=NAME --column close=NAME",
    _LONG: "write a row for each bar, as DataFrame.pivot does: a bar has open, high, low and close",
}


@dataclass(frozen=True, slots=True)
class Columns:
    """`names` maps bar fields (and `time_of_day`) to columns; `notes` say what was left out."""

    names: Mapping[str, str]
    notes: tuple[str, ...]


def choose(
    frame: pl.DataFrame,
    dialect: Dialect,
    asked: Mapping[str, str],
    where: str,
    around: tuple[str, ...] = (),
    used: Collection[str] = (),
) -> Columns:
    """The columns of `frame` that make a bar: as the person `asked`, else by the dialect. Those
    that are `used` already are neither candidates nor left out.

    If columns match several names of one field, the dialect's first name wins and the others are
    noted. If two columns have one name and different values, the person has to say which. A field
    asked for as `NONE` is left out. Columns that stand `around` the rows come after the rows' own,
    and can only be provider, symbol or interval, or the date of rows that have a time of day: a
    time or a price around the rows is not that of each row.

    Raises:
        SettingsError: `asked` names a field that bars do not have.
        ColumnMismatch: a column is needed and not there, or two could be it.
    """
    check_fields(asked)
    left_out = {field for field, name in asked.items() if name == NONE and name not in frame}
    names = {
        field: column_for(frame, name, f"--column {field}={name}", where)
        for field, name in asked.items()
        if field not in left_out
    }
    free = [name for name in frame.columns if name not in (*names.values(), *used)]
    notes: list[str] = []
    passed_over: dict[str, str] = {}
    for field, found in _candidates(frame, dialect, names, free, around):
        if field in left_out:
            continue
        names[field] = _first_of_one_name(frame, field, found[0], notes, where)
        passed_over |= {name: field for group in found for name in group if name != names[field]}
    if "close" not in asked and not dialect.shapes:
        _refuse_second_close(names, free, where)
    if missing := [field for field in ("ts", *bars.PRICES) if field not in names]:
        outside = _outside(missing, dialect, around)
        raise _missing(frame.columns, names, missing, where, outside)
    if not dialect.shapes and not {"volume"} & (left_out | names.keys()):
        notes += units.take_volume(frame, free, names)
    there = [name for name in frame.columns if name not in used]
    notes += _not_used(frame, there, names, passed_over, dialect)
    return Columns(names, tuple(notes))


def _candidates(
    frame: pl.DataFrame,
    dialect: Dialect,
    names: dict[str, str],
    free: list[str],
    around: tuple[str, ...],
) -> Iterator[tuple[str, list[list[str]]]]:
    """Each field that is not in `names`, with its columns: best name first, equal names together.
    Puts `time_of_day` into `names` where a column completes the dates of `ts`."""
    struct = "" if dialect.shapes else struct_of_prices(free, dialect)
    for field, words in dialect.columns.items():
        if field in names or (field == "time_of_day" and not dialect.shapes):
            continue
        rows = [name for name in free if name not in around]
        found = _by_name(rows, words) or _by_name(rows, words, struct)
        outside = _by_name([name for name in free if name in around], words)
        if field == "ts" and not dialect.shapes:
            found = [group for group in found if group != [KEY] or clocks.are_times(frame[KEY])]
        if field == "ts" and "time_of_day" not in names and not dialect.shapes:
            found = clocks.date_and_time(frame, dialect, found, outside, names)
        elif field in _ALIKE:
            found += outside
        if found:
            yield field, found


def _not_used(
    frame: pl.DataFrame,
    columns: list[str],
    names: Mapping[str, str],
    passed_over: Mapping[str, str],
    dialect: Dialect,
) -> list[str]:
    """Notes on the columns that are not read, and on a volume that is not there."""
    left, there = [name for name in columns if name not in names.values()], set(columns)
    notes = [
        f"{shown(name)} left out: {passed_over[name]} is read from {names[passed_over[name]]!r}"
        for name in left
        if name in passed_over and _stem(name, there) == name
    ]
    left = [name for name in left if name not in passed_over]
    if "volume" not in names:
        maybe = [name for name in left if units.OTHER_VOLUME.fullmatch(fold(name))]
        left = [name for name in left if name not in maybe]
        scaled = [name for name in left if fold(name).startswith("vol") and units.scale_of(name)]
        if maybe or len(scaled) == 1:
            notes.append(_no_volume(units.best_first(frame, names, maybe), scaled))
    return notes + _left_out(left, dialect)


def _by_name(free: list[str], words: tuple[str, ...], struct: str = "") -> list[list[str]]:
    """The columns named by one of the words, best first; columns of one name in one group. `<OPEN>`
    is a name of its own, and if no word is so written, `open`. Of columns that begin with `struct`,
    and only of them, the rest of the name counts."""
    groups: dict[str, list[str]] = {}
    known, there = set(map(fold, words)), set(free)
    for name in free:
        if not name.startswith(struct):
            continue
        folded = fold(_NUMBERED.sub("", _stem(name, there).removeprefix(struct)))
        bare = folded if folded in known else _BRACKETS.sub(r"\1", folded)
        groups.setdefault(bare, []).append(name)
    return [groups[word] for word in map(fold, words) if word in groups]


def _stem(name: str, names: Collection[str]) -> str:
    """`Date` for a `Date_2` in the same file."""
    stem = _COPY.sub("", name)
    return stem if stem in names else name


def _first_of_one_name(
    frame: pl.DataFrame, field: str, group: list[str], notes: list[str], where: str
) -> str:
    first, *others = group
    for other in others:
        if not frame[first].equals(frame[other], null_equal=True):
            raise ColumnMismatch.at(
                where,
                f"columns {listed(group, ' and ')} could both be {field}, and differ",
                hint=f"say which: --column {field}={first!r}",
            )
        notes.append(f"{other!r} left out: it equals {first!r}")
    return first


def _refuse_second_close(names: Mapping[str, str], free: list[str], where: str) -> None:
    settled = next((name for name in free if fold(name) in _SETTLED), None)
    if "close" in names and fold(names["close"]) in _LAST and settled is not None:
        raise ColumnMismatch.at(
            where,
            f"columns {names['close']!r} and {settled!r} could both be the close",
            hint=f"say which: --column close={settled!r}",
        )


def _no_volume(maybe: list[str], scaled: list[str]) -> str:
    if not maybe:
        return (
            f"no volume is read, because {scaled[0]!r} is in larger units: take it with "
            f"--column volume={scaled[0]!r} --volume-factor {10 ** units.scale_of(scaled[0])}"
        )
    return (
        f"no volume is read, because it is not known which of {listed(maybe)} is in units traded: "
        f"choose with --column volume={maybe[0]!r}"
    )


def _left_out(left: list[str], dialect: Dialect) -> list[str]:
    known = {fold(name): reason for name, reason in dialect.left_out.items()}
    reasons: dict[str, list[str]] = {}
    for name in left:
        reason = known.get(fold(name), "a bar has no field for it")
        reasons.setdefault(reason, []).append(name)
    return [f"{listed(names)} left out: {reason}" for reason, names in reasons.items()]


def _outside(missing: list[str], dialect: Dialect, around: tuple[str, ...]) -> list[str]:
    """The columns around the rows that have the names of `missing` fields."""
    groups = (_by_name(list(around), dialect.columns.get(field, ())) for field in missing)
    return [name for found in groups for group in found for name in group]


def _missing(
    columns: list[str],
    names: Mapping[str, str],
    missing: list[str],
    where: str,
    outside: list[str],
) -> ColumnMismatch:
    if all(re.fullmatch(r"column_[0-9]+", name) for name in columns):
        return ColumnMismatch.at(
            where,
            f"no line names its {len(columns)} columns",
            hint="name them: --column ts=column_1 --column open=column_2 and so on",
        )
    fault = f"no column for {', '.join(missing)} (it has {listed(columns)})"
    if guess := _guess(columns, missing):
        fault += f": {guess}?"
    if outside:
        fault += f"; {listed(outside, ' and ')} around the rows is not that of each row"
    used = set(names.values())
    free = [name for name in columns if name not in used]
    close = [name for word in _MAYBE_CLOSE for name in free if fold(name) == word]
    if missing == ["close"] and close:
        hint = f"if it is the close: --column close={close[0]!r}"
    else:
        hint = _MORE.get(guess or "", "a bar has open, high, low and close" if guess else "")
    return ColumnMismatch.at(where, fault, hint=hint or _named(missing, free))


def _named(missing: list[str], free: list[str]) -> str:
    """The options that name the columns of the `missing` fields; a column whose name says that it
    holds the ends of bars may be their time."""
    ends = next((name for name in free if fold(name) in clocks.ENDS), None)
    if missing == ["ts"] and ends is not None:
        return f"if its times are the ends of the bars: --column ts={quote(ends)} --stamp end"
    options = " ".join(f"--column {field}=NAME" for field in missing)
    return f"name {'it' if len(missing) == 1 else 'them'}: {options}"


def _guess(columns: list[str], missing: list[str]) -> str | None:
    """A guess at the contents of a file without the columns of a bar."""
    folded = {fold(name) for name in columns}
    known = next((what for what, names in _NO_BARS.items() if folded & names), None)
    if known is not None and set(bars.PRICES) <= set(missing):
        return known
    words = [re.findall("[a-z]+", name.lower()) for name in columns]
    opens = any("open" in several and len(several) > 1 for several in words)
    trade = "price" in folded and folded & {"size", "qty", "quantity", "amount", "side"}
    guesses = {
        _WIDE: "open" in missing and opens,
        _LONG: "value" in folded and folded & {"variable", "field"},
        "a table of quotes": {"bid", "ask"} <= folded or {"bidprice", "askprice"} <= folded,
        "a table of trades": trade,
        "a table of closes": {"open", "high", "low"} <= set(missing) and "ts" not in missing,
        "a listing of securities": {"ts", *bars.PRICES} <= set(missing)
        and folded & {"symbol", "ticker"},
    }
    return next((guess for guess, holds in guesses.items() if holds), None)
