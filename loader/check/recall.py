"""How a file was read, written down: so that its rejected rows can be read alike, long after it.

A few rows do not show what a whole file shows: its interval, the order of day and month, the unit
of its numbers. So what was decided goes along as options, and whatever is decided otherwise for the
rejected rows is refused, unless the person asked for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from loader.check.layout.decide import Layout
from loader.dialects.dialect import Dialect, Shape
from loader.dialects.known import known_dialect
from loader.dialects.own import from_tables
from loader.dialects.recognition import Recognition
from loader.errors import ColumnMismatch, SettingsError
from loader.lazy import dataclass
from loader.read.batch import Reading
from loader.settings import Meaning

Record = Mapping[str, Any]
#: Fields of `Meaning` that go along as the person set them.
_AS_ASKED: Final = tuple(
    each.name
    for each in fields(Meaning)
    if each.name not in ("dialect", "symbol_map", "own_dialects")
)
#: What is compared, the options that change it, and what people call it.
_COMPARED: Final = (
    ("interval", ("interval",), "the interval is"),
    ("stamp", ("stamp",), "times mark the"),
    ("date", ("time_format", "columns"), "dates are written"),
    ("numbers", ("time_format", "columns"), "numbers of times are"),
    ("zone", ("timezone", "time_format", "columns"), "the time zone is"),
    ("price_exponent", ("price_exponent", "columns"), "prices are in powers of ten of"),
    ("volume_exponent", ("volume_exponent", "columns"), "volume is in powers of ten of"),
    ("decimal", ("decimal", "thousands", "columns"), "the decimal mark is"),
    ("grouping", ("decimal", "thousands", "columns"), "digits are grouped by"),
)


def record(meaning: Meaning, taken: Recognition, layout: Layout, reading: Reading) -> Record:
    """What `job_run_files.reading` holds."""
    dialect = taken.dialect
    asked = {name: getattr(meaning, name) for name in _AS_ASKED}
    plain = Meaning()
    asked = {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in asked.items()
        if value != getattr(plain, name)
    }
    return {
        "container": reading.container,
        "around": list(reading.around),
        "dialect": dialect.name,
        "shape": _place(taken.shape, known_dialect(dialect.name, _own(meaning))),
        "facts": dict(taken.facts),
        "words": {field: list(words) for field, words in dialect.columns.items()},
        "dialect_timezone": dialect.timezone,
        "dialect_price_exponent": dialect.price_exponent,
        "asked": asked,
        "symbol_map": meaning.symbol_map is not None,
        "decided": {"columns": dict(layout.columns), **_decided(layout)},
        **({} if taken.shape else {"provider": layout.provider, "symbol": layout.symbol}),
    }


def recalled(found: Record, own: Collection[Dialect], where: str) -> Recognition:
    """The recognition of the file; its rows are in the shape that `Recognition.reshape` gave them.

    Raises:
        SettingsError: this mdload does not know the format as it was.
    """
    dialect = known_dialect(str(found["dialect"]), own)
    place = found["shape"]
    if place is not None and place >= len(dialect.shapes):
        raise SettingsError(
            f"{where}: the format {dialect.name} has changed since its rows were rejected",
            hint="load the file again, or say how to read the rows: --dialect canonical --column …",
        )
    shape = None if place is None else dialect.shapes[place]
    if shape is not None:
        dialect = dialect.for_shape(shape)
    dialect = replace(
        dialect,
        columns={field: tuple(words) for field, words in found["words"].items()},
        timezone=found["dialect_timezone"],
        price_exponent=found["dialect_price_exponent"],
    )
    reason = f"as {where} was"
    facts = MappingProxyType(dict(found["facts"]))
    return Recognition(dialect, facts, shape, 0, (reason,), _as_it_is)


def meaning_of(found: Record, changed: Mapping[str, Any], own: Meaning) -> Meaning:
    """The options by which the rejected rows are read: those of the file, what was decided for it,
    and above them what is `changed`, by the names of the fields. `own` has the person's dialects.

    Raises:
        SettingsError: the file was read with a symbol map, and none is given.
    """
    if found["symbol_map"] and "symbol_map" not in changed:
        raise SettingsError(
            "the file was loaded with a symbol map, without which its symbols would be others",
            option="--symbol-map", hint="give the same one again: --symbol-map FILE",
        )  # fmt: skip
    asked, decided = dict(found["asked"]), found["decided"]
    options: dict[str, Any] = {
        "interval": decided["interval"],
        "stamp": decided["stamp"],
        "price_exponent": decided["price_exponent"],
        "volume_exponent": decided["volume_exponent"],
        **{name: found[name] for name in ("provider", "symbol") if name in found},
        **asked,
    }
    if decided["numbers"] in _UNITS:
        options.setdefault("time_format", decided["numbers"])
    if decided["zone"] is not None and not decided["zoned"]:
        options.setdefault("timezone", decided["zone"])
    if decided["decimal"] != "." or decided["grouping"]:
        options.setdefault("decimal", decided["decimal"])
        if decided["grouping"] and decided["grouping"] != decided["decimal"]:
            options.setdefault("thousands", decided["grouping"])
    columns = {**decided["columns"], **asked.get("columns", {}), **changed.get("columns", {})}
    return replace(own, **{**options, **changed, "columns": columns})


_UNITS: Final = ("s", "ms", "us", "ns", "excel")


@dataclass(frozen=True, slots=True)
class Recalled:
    """A file that was read before: `found` is its record, `taken` its recognition, `changed` the
    fields that the person sets now, and `where` its name in messages."""

    found: Record
    taken: Recognition
    changed: Collection[str]
    where: str

    @property
    def around(self) -> tuple[str, ...]:
        return tuple(self.found["around"])

    def insist(self, layout: Layout) -> None:
        """Raises as `insist_alike`."""
        insist_alike(self.found, layout, self.changed, self.where)


def insist_alike(found: Record, layout: Layout, changed: Collection[str], where: str) -> None:
    """
    Raises:
        ColumnMismatch: the rows would be read otherwise than the file was, though nobody asked.
    """
    before, now = found["decided"], _decided(layout)
    for name, options, called in _COMPARED:
        if set(options) & set(changed):
            continue
        was, is_now = before[name], now[name]
        if was == is_now or (name in ("date", "numbers") and None in (was, is_now)):
            continue
        flag = f"--{options[0].replace('_', '-')}"
        raise ColumnMismatch.at(
            where,
            f"{called} {is_now} by the rejected rows alone, and {was} by the whole file",
            hint=f"say which: {flag}",
        )


def _decided(layout: Layout) -> dict[str, Any]:
    plan = layout.times
    return {
        "interval": layout.interval,
        "stamp": layout.stamp,
        "date": plan.form.name.partition(" ")[0] if plan.form is not None else None,
        "numbers": plan.numbers,
        "zone": None if plan.zone is None else str(plan.zone),
        "zoned": plan.kind in ("instant", "offset"),
        "price_exponent": layout.price_exponent,
        "volume_exponent": layout.volume_exponent,
        "decimal": layout.numbers.decimal,
        "grouping": layout.numbers.grouping,
    }


def _place(shape: Shape | None, dialect: Dialect) -> int | None:
    """Which of the dialect's shapes it is; `recognise` may have left out the file's name of it."""
    if shape is None:
        return None

    def marks(each: Shape) -> tuple[object, ...]:
        return (
            each.containers, each.header, each.named, each.positions, each.place, each.exact,
            tuple(each.values.items()), tuple(each.metadata.items()), each.stamp, each.interval,
            each.time_format, each.timezone, each.note, id(each.reshape), id(each.accept),
        )  # fmt: skip

    same = [n for n, each in enumerate(dialect.shapes) if each is shape]
    return (same or [n for n, each in enumerate(dialect.shapes) if marks(each) == marks(shape)])[0]


def _own(meaning: Meaning) -> Collection[Dialect]:
    return from_tables(meaning.own_dialects)


def _as_it_is(frame: pl.DataFrame) -> pl.DataFrame:
    return frame
