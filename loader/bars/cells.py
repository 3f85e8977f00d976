"""How the cells of a file are dressed: types, marks of spreadsheets, the format of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from loader import bars
from loader.bars import names, number_format, numbers
from loader.bars.numbers import NumberFormat
from loader.bars.times import epochs
from loader.bars.words import is_protected, unprotected
from loader.errors import ColumnMismatch, SettingsError

#: 09:30, 9:30:00 PM, 0930.
_CLOCK: Final = r"^[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?[AaPp][Mm])?$|^[0-9]{4}([0-9]{2})?$"
#: HHMM and HHMMSS as numbers, without leading zeros; through a float they end with .0.
_SHORT_CLOCK: Final = "^(1?[0-9]|2[0-3])?[0-5]?[0-9]([0-5][0-9])?$"


#: What stands between cells where a comma may be decimal.
_NOT_COMMAS: Final = (";", "\t")
#: Fields that count.
_COUNTS: Final = ("volume", "trade_count")


def check_marks(decimal: str | None, thousands: str | None) -> None:
    """Raises:
    SettingsError: the marks that the person names cannot stand in one number.
    """
    if thousands is None:
        return
    if len(thousands) != 1 or thousands.isalnum() or thousands in "+-":
        raise SettingsError(
            f"{thousands!r} is not a mark that stands between thousands",
            option="--thousands",
            hint="one character, for example --thousands . or --thousands ' '",
        )
    if thousands == decimal:
        raise SettingsError(
            f"{thousands!r} cannot be the decimal mark too",
            option="--thousands",
            hint="for example --decimal , --thousands .",
        )


def number_format_of(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    own: NumberFormat,
    asked: tuple[str | None, str | None],
    where: str,
    delimiter: str = "",
) -> tuple[NumberFormat, tuple[str, ...]]:
    """The format of all numbers of a file, and what a person should know about it. It has the marks
    `asked` for (decimal, thousands), else those of the dialect's `own` format if it has any, else
    those that the cells of the first batch show. `delimiter` stands between the cells of a text:
    where it is a semicolon or a tab, a comma may be decimal, and a point between thousands.

    Raises:
        ColumnMismatch: the cells contradict each other, or can be read in two ways.
    """
    decimal, thousands = asked
    is_asked = decimal is not None or thousands is not None
    if not is_asked and (own.decimal != "." or own.grouping):
        return own, ()
    read = {field: frame.get_column(columns[field]) for field in bars.VALUES if field in columns}
    read = {field: column for field, column in read.items() if numbers.is_text(column.dtype)}
    own, said = _with_currency(own, read, where)
    if is_asked:
        decimal = decimal or ("," if thousands == "." else ".")
        other = "," if decimal == "." else "."
        return replace(own, decimal=decimal, grouping=thousands or other), said
    if said:
        read = {field: numbers.without_currency(cells, own) for field, cells in read.items()}
    shown = number_format.evidence(list(read.values()))
    if shown is None:
        if delimiter in _NOT_COMMAS:
            _refuse_thousands(read, where)
        return own, said
    written = shown.written
    if written is None and not shown.mixed and "trade_count" in read:
        counts = number_format.evidence([read["trade_count"]])
        if counts is not None and counts.commas:  # a number of trades has no fraction
            written = NumberFormat(grouping=",")
    if written is None:
        examples = " and ".join(map(repr, shown.samples[:2]))
        if shown.mixed:
            problem = f"numbers such as {examples} have different decimal marks"
            raise ColumnMismatch.at(where, problem, hint=_of_one_format(read))
        problem = f"numbers such as {examples} have a comma, decimal or between thousands"
        raise ColumnMismatch.at(where, problem, hint="say which: --decimal , or --decimal .")
    if written.decimal == "." and not written.grouping:
        return own, said
    mark = "point" if written.decimal == "." else "comma"
    between = {",": "commas", ".": "points"}.get(written.grouping, repr(written.grouping))
    note = f"numbers have a decimal {mark}, and {between} between thousands"
    return replace(own, decimal=written.decimal, grouping=written.grouping), (*said, note)


def _with_currency(
    own: NumberFormat, read: Mapping[str, pl.Series], where: str
) -> tuple[NumberFormat, tuple[str, ...]]:
    """`own` with the currency that stands beside the prices, if one does, and a note.

    Raises:
        ColumnMismatch: there are several.
    """
    before, behind = number_format.currencies([read[each] for each in bars.PRICES if each in read])
    found = [*before, *behind]
    if not found:
        return own, ()
    if len(found) > 1:
        raise ColumnMismatch.at(
            where,
            f"prices are in several currencies, {' and '.join(map(repr, found[:2]))}",
            hint="write each price as a number, and the currency into a column: --where "
            "currency=USD loads the rows of one",
        )
    for field in _COUNTS:
        if field in read and any(number_format.currencies([read[field]])):
            raise ColumnMismatch.at(
                where,
                f"column {read[field].name!r} has a currency beside its numbers: it is money",
                column=read[field].name,
                hint=f"leave it out: --column {field}=-; or name another column",
            )
    written = replace(own, currency="".join(before), unit="".join(behind))
    return written, (f"{found[0]!r} beside the prices is left out",)


def _refuse_thousands(read: Mapping[str, pl.Series], where: str) -> None:
    """Raises:
    ColumnMismatch: a point in the counts may be decimal, or stand between thousands.
    """
    counts = [column for field, column in read.items() if field in _COUNTS]
    others = [column for field, column in read.items() if field not in _COUNTS]
    example = number_format.may_be_thousands(counts, others)
    if example is not None:
        raise ColumnMismatch.at(
            where,
            f"numbers such as {example!r} have a point, decimal or between thousands",
            hint="say which: --decimal . or --thousands .",
        )


def _of_one_format(read: Mapping[str, pl.Series]) -> str:
    """What to do where decimal marks differ; the optional columns may be left out."""
    prices = number_format.evidence([read[field] for field in bars.PRICES if field in read])
    optional = [field for field in read if field not in bars.PRICES]
    if optional and (prices is None or prices.written is not None):
        left = " ".join(f"--column {field}=-" for field in optional)
        return f"write all numbers alike; or load the bars without those columns: {left}"
    return "write all numbers of the file with one decimal mark"


def protected(frame: pl.DataFrame, columns: Mapping[str, str]) -> tuple[str, ...]:
    """The columns of times and numbers in which a spreadsheet has marked cells as text."""
    fields = (*bars.VALUES, "ts", "time_of_day")
    used = (frame.get_column(columns[field]) for field in fields if field in columns)
    return tuple(c.name for c in used if numbers.is_text(c.dtype) and is_protected(as_text(c)))


def as_text(column: pl.Series) -> pl.Series:
    return column.cast(pl.String)


def bare(frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    """`frame` without the marks of spreadsheets in `columns`."""
    return frame.with_columns(unprotected(as_text(frame.get_column(name))) for name in columns)


def protection_notes(
    frame: pl.DataFrame, columns: Mapping[str, str], marked: tuple[str, ...]
) -> tuple[str, ...]:
    """A note on the columns from whose cells the marks of spreadsheets are taken off."""
    words = (columns[key] for key in ("provider", "symbol", "interval") if key in columns)
    kept = (name for name in words if numbers.is_text(frame.schema[name]))
    found = [*(name for name in kept if is_protected(as_text(frame.get_column(name)))), *marked]
    if not found:
        return ()
    listed = ", ".join(map(repr, found))
    return (f"""cells of {listed} are marked as text (="0050", '0050): the marks are left out""",)


def check_types(
    frame: pl.DataFrame, columns: Mapping[str, str], written: NumberFormat, where: str
) -> None:
    """Raises:
    ColumnMismatch: a column has a type, or text, that cannot be the field it is to be.
    """
    for name in (*bars.VALUES, "provider", "symbol", "interval"):
        if name not in columns:
            continue
        column = frame.get_column(columns[name])
        fits = names.is_word if name in bars.KEY else numbers.is_number
        if not fits(column.dtype):
            raise ColumnMismatch.at(
                where,
                f"column {columns[name]!r} is of type {column.dtype}, which cannot be "
                f"the {name} of a bar",
                column=columns[name],
                hint=f"name another column: --column {name}=NAME",
            )
        if name in bars.PRICES:
            _check_numbers(column, written, name, where)


def _check_numbers(column: pl.Series, written: NumberFormat, field: str, where: str) -> None:
    """Refuses a column of text in which no cell of the first thousand is a number."""
    head = column.head(1_000)
    if not numbers.is_text(head.dtype):
        return
    number = numbers.to_float(numbers.unformatted(head, written))
    if number.null_count() < len(head):
        return
    filled = head.filter(~numbers.is_blank(head).fill_null(True))
    if len(filled):
        plain = numbers.to_float(filled).null_count() < len(filled)
        if plain and (written.decimal != "." or written.grouping):
            raise ColumnMismatch.at(
                where,
                f"column {column.name!r} has numbers such as {filled[0]!r}, which have no "
                f"{written.decimal!r} before their fraction",
                column=column.name,
                hint="leave out --decimal and --thousands: one format is read for all numbers",
            )
        raise ColumnMismatch.at(
            where,
            f"column {column.name!r} holds no numbers, but for example {filled[0]!r}",
            column=column.name,
            hint=f"prices are written like 1234.5; if another column is {field}: "
            f"--column {field}=NAME",
        )


def is_clock(column: pl.Series) -> bool:
    """Whether most cells are a time of day: 09:30, 0930, a number that has lost its zeros, or
    seconds since midnight."""
    if not numbers.is_text(column.dtype) and not column.dtype.is_numeric():
        return column.dtype == pl.Time
    text = column.head(1_000).cast(pl.String).str.strip_chars().drop_nulls()
    text = text.str.replace(epochs.WHOLE, "")
    clock = _mostly(text, _CLOCK) or _mostly(text, _SHORT_CLOCK)
    return len(text) > 0 and (clock or epochs.are_seconds(text) or epochs.are_fractions(text))


def _mostly(text: pl.Series, pattern: str) -> bool:
    return int(text.str.contains(pattern).sum()) * 2 > len(text)


def is_date(column: pl.Series) -> bool:
    """Whether the column holds dates only: no time of day, no seconds since 1970."""
    if numbers.is_text(column.dtype):
        return not column.head(1_000).cast(pl.String).str.contains(":|^[0-9]{9}").any()
    if column.dtype.is_integer():
        return bool((column.head(1_000).cast(pl.Int64) < 10**8).all())
    return column.dtype.is_temporal()
