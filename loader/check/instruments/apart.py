"""Rows of different instruments: symbols made of several columns, rows that the person selects, and
the refusal of rows under one key that another column tells apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import and_
from typing import Final

import polars as pl

from loader import bars
from loader.bars.numbers import is_text
from loader.check.instruments.asked import column_for
from loader.check.instruments.next_steps import PLUS, both, next_step
from loader.dialects.dialect import Dialect, fold
from loader.errors import ColumnMismatch, SettingsError
from loader.lazy import dataclass, regex
from loader.text import counted

#: Stands between the parts of a symbol that several columns make: `IRFC.N1`.
JOINT: Final = "."
#: Stands between values of `--where`.
_OR: Final = "|"
_COMPOSED: Final = ("symbol", "provider")
#: Conflicting rows that are examined at a time.
EXAMINED: Final = 20_000
#: The share of conflicting keys that other columns must tell apart to make a refusal.
_SHARE: Final = 0.1
#: Columns about the row rather than about what it measures: two rows of one bar may differ in them.
_ABOUT_ROWS: Final = regex(
    r"(?:last)?(?:updat|creat|insert|ingest|load|download|fetch|modif|receiv|publish|retriev|import)"
    r"(?:e?d)?(?:at|on|time|date|ts)?|asof(?:date)?|knowledge(?:time|date)|revision|version"
    r"|seq(?:uence)?(?:no|num|number)?|row(?:no|num|number|id)?|no|id|uuid|guid|index(?:level0)?"
    r"|unnamed:0|remarks?|comments?|notes?|quality|file(?:name|path)?|sourcefile|hash|checksum"
)
#: Columns of numbers that are names all the same.
_NUMBERED_NAMES: Final = regex(
    r"(?:instrument|security|publisher|exchange|contract|con|market|venue|product|asset|series)id"
    r"|.*(?:code|type|flag|strike.*|expiry.*|expiration.*|maturity|adj|adjusted|side|series"
    r"|exchange|venue|market|board|session|class|period|interval|timeframe|freq|minutes|seconds"
    r"|contract|permno|cusip|multiplier)"
)
_CLOCK_OR_HASH: Final = r"[0-9]{1,2}:[0-9]{2}|^[0-9a-fA-F-]{16,}$"
_TIMES_AND_VALUES: Final = ("ts", "time_of_day", *bars.VALUES)


def composed(frame: pl.DataFrame, asked: Mapping[str, str], where: str) -> pl.DataFrame:
    """`frame` and a column for each `SYMBOL+SERIES` that the person `asked` for: the cells of both,
    trimmed, around `JOINT`. Empty cells at the end are left out; without the first cell there is no
    name, and the composed cell is null. A part `symbol` that nothing gives is left out too.

    Raises:
        SettingsError: columns are joined for a field that is not a name.
        ColumnMismatch: a part is not a column of the file.
    """
    for field, name in asked.items():
        if PLUS not in name or name in frame.columns:
            continue
        if field not in _COMPOSED:
            raise SettingsError(
                f"{field}={name}: only a symbol or a provider is made of several columns",
                option="--column",
                hint="for a date and a time: --column ts=DATE --column time_of_day=TIME",
            )
        option = f"--column {field}={name}"
        parts = [
            column_for(frame, part.strip(), option, where)
            for part in name.split(PLUS)
            if not _is_lacking(frame, field, part)
        ]
        cells = [pl.col(part).cast(pl.String).str.strip_chars() for part in parts]
        rest = pl.lit("")
        for cell in reversed(cells[1:]):
            filled = cell.fill_null("")
            rest = (
                pl.when((filled != "") | (rest != "")).then(JOINT + filled + rest).otherwise(rest)
            )
        frame = frame.with_columns(pl.when(cells[0] != "").then(cells[0] + rest).alias(name))
    return frame


def _is_lacking(frame: pl.DataFrame, field: str, part: str) -> bool:
    named = {fold(name) for name in frame.columns}
    return fold(part) == "symbol" == field and "symbol" not in named


def parts_of(frame: pl.DataFrame, asked: Mapping[str, str], where: str) -> set[str]:
    """The columns of `frame` that `composed` has joined."""
    return {
        column_for(frame, part.strip(), f"--column {field}={name}", where)
        for field, name in asked.items()
        if PLUS in name and field in _COMPOSED
        for part in name.split(PLUS)
        if fold(part) in map(fold, frame.columns)
    }


def unselected(
    frame: pl.DataFrame, conditions: Mapping[str, str], where: str
) -> Mapping[str, pl.Expr]:
    """The rows that the person does not want, by the reason: those where a column has none of the
    values that `--where COLUMN=VALUE|VALUE` names. An empty cell has none.

    Raises:
        ColumnMismatch: the file has no such column.
    """
    found = {}
    for asked, wanted in conditions.items():
        name = column_for(frame, asked, f"--where {asked}={wanted}", where)
        values = [value.strip() for value in wanted.split(_OR)]
        found[f"column {name!r} is not {' or '.join(values)}"] = _is_none_of(
            pl.col(name), frame.schema[name], values
        )
    return found


def _is_none_of(cell: pl.Expr, dtype: pl.DataType, values: list[str]) -> pl.Expr:
    if dtype.is_float():
        numbers = pl.Series(values, dtype=pl.String).cast(pl.Float64, strict=False).drop_nulls()
        return ~cell.is_in(numbers.implode()).fill_null(False)
    text = cell.cast(pl.String).str.strip_chars()
    if dtype == pl.Boolean:
        values = [value.lower() for value in values]
    return ~text.is_in(values).fill_null(False)


def selected(frame: pl.DataFrame, conditions: Mapping[str, str], where: str) -> pl.DataFrame:
    """The rows of `frame` that meet all `conditions`."""
    if not conditions:
        return frame
    unwanted = unselected(frame, conditions, where).values()
    return frame.filter(reduce(and_, (~expr for expr in unwanted)))


@dataclass(frozen=True, slots=True)
class Others:
    """The columns of a batch that may tell instruments apart, and that no bar is read from.

    Attributes:
        frame: these columns, the batch's rows in order.
        where: the file.
        columns: bar field to column, as in the layout.
        start: the number of the first row, and `numbers` (Int64) of each, where they have gaps.
        hint: the next step, where it is not an option of the command line.
    """

    frame: pl.DataFrame
    where: str
    columns: Mapping[str, str]
    start: int
    numbers: pl.Series | None = None
    hint: str | None = None

    def numbered(self, numbers: pl.Series) -> Others:
        return replace(self, numbers=numbers)

    def beside(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Those of `rows` (`bars.KEY`, `row_number`) that are in this batch, with their cells."""
        numbers = self.numbers
        if numbers is None:
            numbers = pl.int_range(self.start, self.start + self.frame.height, eager=True)
        places = pl.DataFrame({"row_number": numbers}).with_row_index("at")
        here = rows.with_columns(pl.struct(bars.KEY).hash(seed=0).alias(_KEY)).join(
            places, on="row_number", how="inner", maintain_order="left"
        )
        return here.select(_KEY).hstack(self.frame[here["at"]])

    def refuse(self, rows: pl.DataFrame) -> None:
        """`rows` (`bars.KEY`, `row_number`) are those of bars that have several, which differ.

        Raises:
            ColumnMismatch: other columns tell the rows of one bar apart.
        """
        refuse_told_apart(self.beside(rows), self)


#: The key of a row's bar; no column of a file has this name.
_KEY: Final = "\0key"


def others(names: Sequence[str], frame: pl.DataFrame, start: int, where: str,
           columns: Mapping[str, str]) -> Others | None:  # fmt: skip
    """The `candidates` called `names` of one batch; None if there are none."""
    return Others(frame.select(names), where, columns, start) if names else None


def candidates(
    frame: pl.DataFrame, columns: Mapping[str, str], dialect: Dialect, parts: set[str]
) -> list[str]:
    """The columns of `frame` that may tell instruments apart: names, numbers and flags that no bar
    is read from, and the `parts` of its symbol."""
    known = {fold(word) for field in _TIMES_AND_VALUES for word in dialect.columns.get(field, ())}
    known |= {fold(name) for name in dialect.left_out}
    return [
        name
        for name in frame.columns
        if name not in columns.values()
        and (name in parts or fold(name) not in known)
        and (name in parts or not is_about_row(name))
        and _may_name(frame.schema[name])
    ]


def is_about_row(name: str) -> bool:
    """Whether a column of this name is about the row: when it was written, its number, a remark."""
    return _ABOUT_ROWS.fullmatch(fold(name)) is not None


def _may_name(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return True
    return is_text(dtype) or dtype.is_numeric() or dtype in (pl.Boolean, pl.Date)


def refuse_told_apart(table: pl.DataFrame, seen: Others) -> None:
    """`table` has the rows of bars that have several, as `Others.beside` gives them; `seen` are the
    others of any batch.

    Raises:
        ColumnMismatch: other columns tell the rows of one bar apart.
    """
    names = [name for name in table.columns if name != _KEY and _tells(table, name)]
    told = _least(table, names)
    if not told:
        return
    sizes = table.group_by(_KEY).agg(
        pl.len().alias("rows"), pl.struct(told).n_unique().alias("kinds")
    )
    apart = int((sizes["kinds"] == sizes["rows"]).sum())
    if apart < _SHARE * sizes.height:
        return
    values = table.get_column(told[0]).cast(pl.String).drop_nulls().unique(maintain_order=True)
    shown = ", ".join(map(repr, values.head(3)))
    which = f"column {told[0]!r} tells" if len(told) == 1 else f"columns {both(told)} tell"
    raise ColumnMismatch.at(
        seen.where,
        f"{counted(apart, 'bar')} {'has' if apart == 1 else 'have'} several rows that differ, "
        f"which {which} apart ({shown}{', …' if len(values) > 3 else ''}): "
        "they are not of one series",
        column=told[0],
        hint=seen.hint or next_step(table.select(told), seen.columns),
    )


def _tells(table: pl.DataFrame, name: str) -> bool:
    """Whether the column has different filled cells within a bar, and its cells are names."""
    cells = table.get_column(name).cast(pl.String).str.strip_chars()
    cells = cells.set(cells == "", None)
    within = pl.DataFrame([table[_KEY], cells.alias("cell")]).drop_nulls("cell")
    if not (within.group_by(_KEY).agg(pl.col("cell").n_unique())["cell"] > 1).any():
        return False
    filled = within["cell"]
    if filled.str.contains(_CLOCK_OR_HASH).any():
        return False
    numbers = filled.cast(pl.Float64, strict=False)
    if numbers.null_count() * 2 > len(filled) or _NUMBERED_NAMES.fullmatch(fold(name)):
        return True
    if numbers.is_in([0.0, 1.0]).all():
        return True
    padded = filled.str.contains("^0[0-9]+$").any()
    whole = not filled.str.contains(r"\.[0-9]*[1-9]").any()
    return padded or (whole and len(filled) >= 20 and filled.n_unique() * 10 <= len(filled))


def _least(table: pl.DataFrame, names: list[str]) -> list[str]:
    """The column that tells apart as many rows of one bar as all of them do, the one with the
    fewest values; else all, because rows of another day may need each of them."""
    most = _kinds(table, names)
    alone = [name for name in names if _kinds(table, [name]) == most]
    alone.sort(key=lambda name: table.get_column(name).n_unique())
    return alone[:1] or names


def _kinds(table: pl.DataFrame, names: list[str]) -> int:
    return table.select(_KEY, *names).n_unique()
