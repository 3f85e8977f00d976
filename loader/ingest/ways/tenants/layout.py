"""Decides once per file which of its columns are which of the dataset's, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Final

import polars as pl

from loader.bars import number_format, numbers
from loader.bars.names import Naming, known_convention
from loader.bars.numbers import PLAIN, NumberFormat
from loader.bars.times import plan as timeplan
from loader.bars.times import zones
from loader.bars.times.stamps import NAME_ZONE, NO_ZONE, TimePlan
from loader.dialects.dialect import fold
from loader.dialects.filenames import read_path
from loader.errors import ColumnMismatch, SettingsError
from loader.lazy import dataclass
from loader.results import Note, noted
from loader.settings import Settings
from loader.settings.datasets import Dataset
from loader.settings.load import OPTIONS

#: Options of a load that have a meaning for a dataset; any other must be at its default.
_TAKEN: Final = frozenset({
    "provider", "interval", "symbol", "timezone", "time_format", "decimal", "thousands", "columns",
    "symbol_convention", "own_dialects", "max_rejects", "workers", "batch_rows", "job_name",
    "dataset", "tenant", "mode", "dry_run", "force", "leaves_unfinished", "where", "name_pattern",
    "accept", "symbol_map", "stamp",
})  # fmt: skip
#: By the column of a dataset, the option that gives it where a file does not.
_GIVEN: Final[Mapping[str, str]] = {
    "vendor": "provider", "symbol": "symbol", "timeframe": "interval",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """How one file is read.

    Attributes:
        columns: the file's column for each of the dataset's that it has.
        constants: what the others have in every row.
        times: how each column of times is read.
        written: how numbers are written.
        naming: of symbols.
        are_ends: whether the times of bars are their ends.
        where: the values of columns that rows must have to be wanted, as `Settings.where`.
        notes: what a person should know of all this.
    """

    columns: Mapping[str, str]
    constants: Mapping[str, str]
    times: Mapping[str, TimePlan]
    written: NumberFormat
    naming: Naming
    are_ends: bool
    where: Mapping[str, str]
    notes: tuple[Note, ...]


def check(settings: Settings, of: Dataset) -> None:
    """Raises:
    SettingsError: an option is given that has no meaning for a dataset of a tenant.
    """
    plain = Settings()
    for each in fields(Settings):
        value = getattr(settings, each.name)
        if each.name not in _TAKEN and value != getattr(plain, each.name):
            flag = next((o.flag for o in OPTIONS.values() if o.field == each.name), "--since")
            raise SettingsError(
                "has no meaning for a dataset of a tenant",
                option=flag,
                hint="leave it out: docs/datasets.md lists the options that such a load has",
            )
    if settings.stamp is not None and "timeframe" not in of.columns:
        raise SettingsError(
            f"has no meaning for {of.name}: it says which end of a bar a time is",
            option="--stamp",
            hint="leave it out",
        )
    if settings.timezone is not None:
        zones.parse_zone(settings.timezone)
    known_convention(settings.symbol_convention or "plain")
    timeplan.check_format(settings.time_format)


def decide(
    frame: pl.DataFrame, of: Dataset, settings: Settings, where: str, path: str | None = None
) -> Layout:
    """The layout of a file at `path` with the first batch `frame`, of wanted rows. What the path
    gives counts where the file has no column for it, and before options.

    Raises:
        ColumnMismatch: a column is missing, or cannot be read in one way.
        SettingsError: `--column` names a column that the dataset does not have.
    """
    columns = _columns(frame, of, settings, where)
    constants = {
        name: value
        for name, option in _GIVEN.items()
        if name in of.read and (value := getattr(settings, option)) is not None
    }
    given = {} if path is None else read_path(path, where, settings.name_pattern).words
    constants |= {
        name: given[option]
        for name, option in _GIVEN.items()
        if name in of.read and option in given
    }
    for name, each in of.read.items():
        if not each.optional and name not in columns and name not in constants:
            raise _missing(name, of, frame, where)
    times, notes = _times(frame, of, columns, settings, where)
    written = _written(frame, of, columns, settings, where)
    used = {*columns.values(), *(n for n in frame.columns if fold(n) in map(fold, settings.where))}
    unread = [name for name in frame.columns if name not in used]
    told = noted("columns", (f"not read: {', '.join(map(repr, unread))}",) if unread else ())
    naming = Naming(known_convention(settings.symbol_convention or "plain"), settings.symbol_map)
    return Layout(
        columns, constants, times, written, naming, settings.stamp == "end", settings.where,
        (*told, *notes),
    )  # fmt: skip


def _columns(frame: pl.DataFrame, of: Dataset, settings: Settings, where: str) -> dict[str, str]:
    by_name = {fold(name): name for name in reversed(frame.columns)}
    chosen: dict[str, str] = {}
    for field, name in settings.columns.items():
        if field not in of.columns:
            raise SettingsError(
                f"{of.name} has no column {field!r}",
                option="--column",
                hint=f"its columns: {', '.join(of.read)}",
            )
        if name == "-":
            continue
        if fold(name) not in by_name:
            raise ColumnMismatch.at(
                where, f"there is no column {name!r}", column=name,
                hint=f"its columns: {', '.join(frame.columns)}",
            )  # fmt: skip
        chosen[field] = by_name[fold(name)]
    for field, each in of.columns.items():
        if field in settings.columns:
            continue
        words = (word for word in (field, *each.words) if fold(word) in by_name)
        found = next(
            (by_name[fold(w)] for w in words if by_name[fold(w)] not in chosen.values()), None
        )
        if found is not None:
            chosen[field] = found
    return chosen


def _missing(name: str, of: Dataset, frame: pl.DataFrame, where: str) -> ColumnMismatch:
    option = _GIVEN.get(name)
    hint = f"name it: --column {name}=NAME"
    if option is not None:
        hint += f"; or give one value for all rows: {OPTIONS[option].flag} VALUE"
    found = ", ".join(frame.columns)
    return ColumnMismatch.at(
        where, f"there is no column for {name} of {of.name}; its columns are {found}", hint=hint
    )


def _times(
    frame: pl.DataFrame, of: Dataset, columns: Mapping[str, str], settings: Settings, where: str
) -> tuple[dict[str, TimePlan], tuple[Note, ...]]:
    zone = zones.parse_zone(settings.timezone) if settings.timezone is not None else None
    plans: dict[str, TimePlan] = {}
    notes: list[Note] = []
    for name, each in of.columns.items():
        if each.type not in ("timestamptz", "date") or name not in columns:
            continue
        cells = frame.get_column(columns[name])
        if each.optional and not _filled(cells):
            plans[name] = TimePlan((columns[name],), "wall")
            continue
        plan, more = timeplan.plan(frame, (columns[name],), settings.time_format, where)
        notes += noted("times", more)
        if plan.kind in ("wall", "date"):
            plan = replace(plan, zone=plan.zone or zone)
        if plan.kind == "wall" and plan.zone is None and each.type == "timestamptz":
            raise ColumnMismatch.at(
                where, f"the times in column {columns[name]!r} {NO_ZONE}",
                column=columns[name], hint=NAME_ZONE,
            )  # fmt: skip
        plans[name] = plan
        if name == of.known and plan.kind == "date":
            at = f"in {plan.zone}" if plan.zone else "in UTC"
            text = f"{columns[name]!r} has dates: such a row counts as known when the day ends {at}"
            notes += noted("times", (text,))
    return plans, tuple(notes)


def _filled(cells: pl.Series) -> bool:
    return bool((~numbers.is_blank(cells).fill_null(True) & cells.is_not_null()).any())


def _written(
    frame: pl.DataFrame, of: Dataset, columns: Mapping[str, str], settings: Settings, where: str
) -> NumberFormat:
    """How the numbers of the file are written: as asked, else as its first cells show."""
    decimal, thousands = settings.decimal, settings.thousands
    if decimal is not None or thousands is not None:
        decimal = decimal or ("," if thousands == "." else ".")
        return NumberFormat(thousands or ("," if decimal == "." else "."), decimal)
    counted = [name for name, each in of.columns.items() if each.numeric or each.type == "bigint"]
    cells = [frame.get_column(columns[name]) for name in counted if name in columns]
    shown = number_format.evidence([each for each in cells if numbers.is_text(each.dtype)])
    if shown is None:
        return PLAIN
    if shown.written is None:
        examples = " and ".join(map(repr, shown.samples[:2]))
        raise ColumnMismatch.at(
            where, f"numbers such as {examples} can be read in two ways",
            hint="say which: --decimal , or --decimal .",
        )  # fmt: skip
    return shown.written
