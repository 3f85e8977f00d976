"""Which column of a file is which field of a bar."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from loader import bars
from loader.bars.numbers import is_text
from loader.check.structs import struct_of_prices
from loader.dialects.dialect import Dialect, fold
from loader.errors import ColumnMismatch, SettingsError

#: Fields of a bar, and the time of day that completes a `ts` that is a date.
_FIELDS: Final = (*bars.KEY, "time_of_day", *bars.VALUES)
#: The suffix that readers add to the second of two columns with one name.
_COPY: Final = re.compile(r"_\d+$")
_CLOCK: Final = r"^[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?[AaPp][Mm])?$|^[0-9]{4}([0-9]{2})?$"
#: A second volume in another unit: of `volume` and `volume_btc` either can be in units traded.
_OTHER_VOLUME: Final = re.compile(
    r"volume\(?(btc|eth|ltc|xrp|bnb|usdt?|usdc|busd|eur|gbp|base|quote|currency|from|to)\)?"
)
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


@dataclass(frozen=True, slots=True)
class Columns:
    """`names` maps bar fields (and `time_of_day`) to columns; `notes` say what was left out."""

    names: Mapping[str, str]
    notes: tuple[str, ...]


def choose(frame: pl.DataFrame, dialect: Dialect, asked: Mapping[str, str], where: str) -> Columns:
    """The columns of `frame` that make a bar: as the person `asked`, else by the dialect.

    If columns match several names of one field, the dialect's first name wins and the others are
    noted. If two columns have one name and different values, the person has to say which.

    Raises:
        SettingsError: `asked` names a field that bars do not have.
        ColumnMismatch: a column is needed and not there, or two could be it.
    """
    check_fields(asked)
    names = {field: _asked(frame, field, name, where) for field, name in asked.items()}
    free = [name for name in frame.columns if name not in names.values()]
    notes: list[str] = []
    passed_over: dict[str, str] = {}
    for field, found in _candidates(frame, dialect, names, free):
        names[field] = _first_of_one_name(frame, field, found[0], notes, where)
        passed_over |= {name: field for group in found for name in group if name != names[field]}
    if "volume" not in asked and not dialect.shapes:
        _refuse_second_volume(names, free, where)
    if "close" not in asked and not dialect.shapes:
        _refuse_second_close(names, free, where)
    if missing := [field for field in ("ts", *bars.PRICES) if field not in names]:
        raise _missing(frame.columns, names, missing, where)
    notes += _not_used(frame.columns, names, passed_over, dialect)
    return Columns(names, tuple(notes))


def _candidates(
    frame: pl.DataFrame, dialect: Dialect, names: dict[str, str], free: list[str]
) -> Iterator[tuple[str, list[list[str]]]]:
    """Each field that is not in `names`, with its columns: best name first, equal names together.
    Puts `time_of_day` into `names` where a column completes the dates of `ts`."""
    struct = "" if dialect.shapes else struct_of_prices(free, dialect)
    for field, words in dialect.columns.items():
        if field in names or (field == "time_of_day" and not dialect.shapes):
            continue
        found = _by_name(free, words) or _by_name(free, words, struct)
        if field == "ts" and "time_of_day" not in names and not dialect.shapes:
            found = _date_and_time(frame, dialect, found, names)
        if found:
            yield field, found


def _not_used(
    columns: list[str], names: Mapping[str, str], passed_over: Mapping[str, str], dialect: Dialect
) -> list[str]:
    """Notes on the columns that are not read, and on a volume that is not there."""
    left = [name for name in columns if name not in names.values()]
    notes = [
        f"{_shown(name)} left out: {passed_over[name]} is read from {names[passed_over[name]]!r}"
        for name in left
        if name in passed_over and _stem(name, columns) == name
    ]
    left = [name for name in left if name not in passed_over]
    if "volume" not in names:
        maybe = [name for name in left if _OTHER_VOLUME.fullmatch(fold(name))]
        left = [name for name in left if name not in maybe]
        notes.append(_no_volume(maybe))
    return notes + _left_out(left, dialect)


def check_fields(asked: Mapping[str, str]) -> None:
    """Raises:
    SettingsError: `asked` names a field that bars do not have.
    """
    for field, name in asked.items():
        if field in _FIELDS:
            continue
        near = difflib.get_close_matches(field, _FIELDS, n=3)
        fields = ", ".join(_FIELDS)
        raise SettingsError(
            f"{field}={name}: a bar has no field {field!r}",
            option="--column",
            hint=f"did you mean {' or '.join(near)}?" if near else f"its fields are {fields}",
        )


def _asked(frame: pl.DataFrame, field: str, name: str, where: str) -> str:
    if name in frame.columns:
        return name
    folded = [column for column in frame.columns if fold(column) == fold(name)]
    if len(folded) == 1:
        return folded[0]
    near = difflib.get_close_matches(name, frame.columns, n=3, cutoff=0.5)
    raise ColumnMismatch.at(
        where,
        f"there is no column {name!r} for --column {field}={name}",
        hint=f"did you mean {_list(near, ' or ')}?" if near else f"it has {_list(frame.columns)}",
    )


def _by_name(free: list[str], words: tuple[str, ...], struct: str = "") -> list[list[str]]:
    """The columns named by one of the words, best first; columns of one name in one group. The
    columns that begin with `struct` count by the rest of their names, and only they."""
    groups: dict[str, list[str]] = {}
    for name in free:
        if name.startswith(struct):
            groups.setdefault(fold(_stem(name, free).removeprefix(struct)), []).append(name)
    return [groups[word] for word in map(fold, words) if word in groups]


def _stem(name: str, names: list[str]) -> str:
    """`Date` for a `Date_2` in the same file."""
    stem = _COPY.sub("", name)
    return stem if stem in names else name


def _date_and_time(
    frame: pl.DataFrame, dialect: Dialect, found: list[list[str]], names: dict[str, str]
) -> list[list[str]]:
    """The candidates for `ts`, without a time of day that completes the best of them."""
    words = [fold(word) for word in dialect.columns.get("time_of_day", ())]
    for group in found:
        rest = [other for other in found if other is not group]
        if not rest or fold(group[0]) not in words:
            continue
        if _is_clock(frame[group[0]]) and _is_date(frame[rest[0][0]]):
            names["time_of_day"] = group[0]
            return rest
    return found


def _is_clock(column: pl.Series) -> bool:
    if not is_text(column.dtype):
        return column.dtype == pl.Time
    text = column.head(1_000).cast(pl.String).str.strip_chars().drop_nulls()
    return len(text) > 0 and int(text.str.contains(_CLOCK).sum()) * 2 > len(text)


def _is_date(column: pl.Series) -> bool:
    """Whether the column holds dates only: no time of day, no seconds since 1970."""
    if is_text(column.dtype):
        return not column.head(1_000).cast(pl.String).str.contains(":|^[0-9]{9}").any()
    if column.dtype.is_integer():
        return bool((column.head(1_000).cast(pl.Int64) < 10**8).all())
    return column.dtype.is_temporal()


def _first_of_one_name(
    frame: pl.DataFrame, field: str, group: list[str], notes: list[str], where: str
) -> str:
    first, *others = group
    for other in others:
        if not frame[first].equals(frame[other], null_equal=True):
            raise ColumnMismatch.at(
                where,
                f"columns {_list(group, ' and ')} could both be {field}, and differ",
                hint=f"say which: --column {field}={first!r}",
            )
        notes.append(f"{other!r} left out: it equals {first!r}")
    return first


def _refuse_second_volume(names: Mapping[str, str], free: list[str], where: str) -> None:
    other = next((name for name in free if _OTHER_VOLUME.fullmatch(fold(name))), None)
    if "volume" in names and other is not None:
        raise ColumnMismatch.at(
            where,
            f"columns {names['volume']!r} and {other!r} could both be the volume in units "
            "traded; one of them is money",
            hint=f"say which: --column volume={other!r}",
        )


def _refuse_second_close(names: Mapping[str, str], free: list[str], where: str) -> None:
    settled = next((name for name in free if fold(name) in _SETTLED), None)
    if "close" in names and fold(names["close"]) in _LAST and settled is not None:
        raise ColumnMismatch.at(
            where,
            f"columns {names['close']!r} and {settled!r} could both be the close",
            hint=f"say which: --column close={settled!r}",
        )


def _no_volume(maybe: list[str]) -> str:
    if not maybe:
        return "no volume in the file: it is NULL in the store"
    return (
        f"no volume is read, because it is not known which of {_list(maybe)} is in units traded: "
        f"choose with --column volume={maybe[0]!r}"
    )


def _left_out(left: list[str], dialect: Dialect) -> list[str]:
    known = {fold(name): reason for name, reason in dialect.left_out.items()}
    reasons: dict[str, list[str]] = {}
    for name in left:
        reason = known.get(fold(name), "a bar has no field for it")
        reasons.setdefault(reason, []).append(name)
    return [f"{_list(names)} left out: {reason}" for reason, names in reasons.items()]


def _missing(
    columns: list[str], names: Mapping[str, str], missing: list[str], where: str
) -> ColumnMismatch:
    if all(re.fullmatch(r"column_[0-9]+", name) for name in columns):
        return ColumnMismatch.at(
            where,
            f"no line names its {len(columns)} columns",
            hint="name them: --column ts=column_1 --column open=column_2 and so on",
        )
    fault = f"no column for {', '.join(missing)} (it has {_list(columns)})"
    if guess := _guess(columns, missing):
        fault += f": {guess}?"
    used = set(names.values())
    free = [name for name in columns if name not in used]
    close = [name for word in _MAYBE_CLOSE for name in free if fold(name) == word]
    if missing == ["close"] and close:
        hint = f"if it is the close: --column close={close[0]!r}"
    else:
        hint = "a bar has open, high, low and close" if guess else ""
    hint = hint or f"name it: --column {missing[0]}=NAME"
    return ColumnMismatch.at(where, fault, hint=hint)


def _guess(columns: list[str], missing: list[str]) -> str | None:
    """A guess at the contents of a file without the columns of a bar."""
    folded = {fold(name) for name in columns}
    known = next((what for what, names in _NO_BARS.items() if folded & names), None)
    if known is not None and set(bars.PRICES) <= set(missing):
        return known
    words = [re.findall("[a-z]+", name.lower()) for name in columns]
    if "open" in missing and any("open" in several and len(several) > 1 for several in words):
        return "a wide table, with the bars of several symbols side by side"
    if {"bid", "ask"} <= folded or {"bidprice", "askprice"} <= folded:
        return "a table of quotes"
    if "price" in folded and folded & {"size", "qty", "quantity", "amount", "side"}:
        return "a table of trades"
    if {"open", "high", "low"} <= set(missing) and "ts" not in missing:
        return "a table of closes"
    is_listing = {"ts", *bars.PRICES} <= set(missing) and folded & {"symbol", "ticker"}
    return "a listing of securities" if is_listing else None


def _list(names: Iterable[str], last: str = ", ") -> str:
    listed = [_shown(name) for name in names]
    if len(listed) > 20:
        return ", ".join(listed[:20]) + f" and {len(listed) - 20} more"
    return last.join(listed)


def _shown(name: str) -> str:
    return repr(name) if name.strip() else "a column without a name"
