"""What the first small file of a kind has shown: how it was read, and what others of its kind have
to show so that they are read in the same way (`alike`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Final

import polars as pl

from loader import bars
from loader.bars.sessions import LUNCH, SESSIONS
from loader.bars.times.stamps import TimePlan
from loader.bars.times.zones import Zone
from loader.check.file import Checking
from loader.check.instruments.lacks import KEY
from loader.check.layout.decide import Layout
from loader.dialects.dialect import Dialect, Opening, fold
from loader.dialects.known import known_dialects
from loader.dialects.patterns import in_name
from loader.dialects.recognition import PLAIN, may_fit
from loader.errors import MdloadError
from loader.lazy import dataclass
from loader.read.batch import RawBatch, Reading
from loader.read.sources import Source
from loader.results import Note
from loader.settings import Meaning, Settings

#: What the person may say of a file: it changes nothing else of what its columns mean.
_FREE: Final = (
    "provider", "interval", "timezone", "stamp", "name_pattern", "allow_nonpositive_prices",
    "check_grid", "keep_skipped",
)  # fmt: skip
WORDS: Final = ("provider", "symbol", "interval")
_DAY: Final = 86_400
#: Numbers as text that can be read in one way only.
NUMBER: Final = "^-?[0-9]+(?:[.][0-9]+)?$"
_ON: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_AT: Final = "[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,9})?)?"
#: Times as text that can be read in one way only: the patterns, each with the kind of its plan and
#: the name of its form; numbers since 1970 have none.
_TIMES: Final = (
    (f"{_ON}{_AT}(?:Z|[+]00:?00)$", "instant", "YYYY-MM-DD HH:MM:SS+HH:MM"),
    (f"{_ON}{_AT}$", "wall", "YYYY-MM-DD HH:MM:SS"),
    (f"{_ON}$", "date", "YYYY-MM-DD"),
    ("^[1-9][0-9]{8,9}$", "instant", None),
    ("^[1-9][0-9]{12}$", "instant", None),
    ("^[1-9][0-9]{14,15}$", "instant", None),
)
#: Types of times that say all by themselves, or but for the zone.
_TYPED: Final = (
    pl.Date(),
    *(pl.Datetime(unit, zone) for unit in ("us", "ms", "ns") for zone in (None, "UTC")),
)


@dataclass(frozen=True, slots=True)
class Small:
    """A small file, read whole.

    Attributes:
        reading: what its container says of it.
        batch: its rows.
    """

    source: Source
    reading: Reading
    batch: RawBatch

    @property
    def frame(self) -> pl.DataFrame:
        """Its rows."""
        return self.batch.frame

    @property
    def again(self) -> Reading:
        """Reads it once more, without the disk."""
        return replace(self.reading, batches=iter([self.batch]))

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for files of the same columns, read in the same way."""
        reading = self.reading
        schema = tuple((name, str(dtype)) for name, dtype in self.frame.schema.items())
        metadata = tuple(sorted(reading.metadata.items()))
        counted = reading.rows is not None
        return (
            reading.container, counted, reading.notes, reading.header, reading.place, metadata,
            schema,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pattern:
    """How the first file of a kind was read.

    Attributes:
        names: patterns of paths by which a vendor's format could be recognised among its like.
        times: what the cells of the times have to match; None if they are typed.
        named: what its name gives beside the symbol, by the person's pattern; None without one.
        inferred: whether the spacing of its bars gave their interval, as a note says.
        counted: whether the container says how many rows there are.
    """

    layout: Layout
    notes: tuple[Note, ...]
    provider: str
    interval: str
    names: tuple[str, ...]
    times: str | None
    named: Mapping[str, str] | None
    inferred: bool
    counted: bool

    @property
    def market(self) -> str | None:
        """The zone of the times, if it is certain and has sessions."""
        zone = self.layout.times.zone
        certain = zone is not None and zone == Zone(zone.name) and zone.name in SESSIONS
        return zone.name if zone is not None and certain else None

    def notes_with(self, inferred: str | None) -> tuple[Note, ...]:
        """The notes of another file, of which `inferred` says what its spacing shows."""
        if inferred is None:
            return self.notes
        return tuple(replace(n, text=inferred) if n.kind == "interval" else n for n in self.notes)


@dataclass(slots=True)
class Shown:
    """What files of one kind have shown so far.

    Attributes:
        known: whether a plain one has shown the `pattern` of others: None if there can be none.
        odd: how often in a row the first of some was not plain.
        passes: how many of the next ones are checked one by one.
    """

    known: bool = False
    pattern: Pattern | None = None
    odd: int = 0
    passes: int = 0


def may_be_alike(settings: Settings) -> bool:
    """Whether files under these settings can be read by what another one has shown."""
    default = Meaning()
    return settings.stamp in (None, "start") and all(
        getattr(settings, each.name) == getattr(default, each.name)
        for each in fields(Meaning)
        if each.name not in _FREE
    )


def pattern_of(small: Small, checking: Checking, settings: Settings) -> Pattern | None:
    """What the file shows for others of its kind, or None if these need a look of their own.
    `checking` are its own checks."""
    try:
        pieces = list(checking.pieces())
    except MdloadError:  # its own load says so
        return None
    layout, taken, names = checking.layout, checking.taken, _names_of_others(small)
    if layout is None or taken is None or taken.shape is not None or names is None:
        return None
    if len(pieces) != 1 or not _is_read_as_it_stands(small, layout):
        return None
    frame, columns, notes = small.frame, layout.columns, checking.notes
    named = named_by(small.source, settings)
    provider, interval = (
        frame[columns[name]][0] if name in columns else getattr(layout, name)
        for name in ("provider", "interval")
    )
    length = bars.INTERVAL_SECONDS.get(interval or "", 2 * _DAY)
    times = _times(frame[columns["ts"]], layout.times, daily=length == _DAY)
    known = provider and length <= _DAY and times is not None
    if not known or not _gives_symbol_only(named, columns, notes):
        return None
    inferred = not {"interval"} & {*columns, *(named or {})} and settings.interval is None
    counted = small.reading.rows is not None
    return Pattern(
        layout, notes, provider.strip(), interval, names, times or None, besides_symbol(named),
        inferred, counted,
    )  # fmt: skip


def _is_read_as_it_stands(small: Small, layout: Layout) -> bool:
    """Whether the table is plain, and nothing is left out, multiplied or moved."""
    reading = small.reading
    return (
        reading.header
        and not reading.around
        and (reading.container != "csv" or dict(reading.metadata) == {"delimiter": ","})
        and layout.dialect.name == PLAIN
        and not (layout.marked or layout.skip or layout.midnight_ends)
        and (layout.stamp, layout.price_exponent, layout.volume_exponent) == ("start", 0, 0)
        and layout.naming.renames is None
        and _has_only_bars(small.frame, layout.columns, layout.dialect)
    )


def _gives_symbol_only(
    named: Mapping[str, str] | None, columns: Mapping[str, str], notes: Sequence[Note]
) -> bool:
    """Whether the symbol comes from a column, or from the file's name, of which then nothing else
    is read that a column has too, and nothing is noted."""
    if named is None:
        return "symbol" in columns
    given = {"symbol"} <= named.keys() <= set(WORDS) and named.keys().isdisjoint(columns)
    return given and not any(note.kind == "key" for note in notes)


def named_by(source: Source, settings: Settings) -> Mapping[str, str] | None:
    """What the file's name gives by the person's pattern; None without a pattern, or where it does
    not fit."""
    pattern = settings.name_pattern
    return None if pattern is None else in_name(source.full_path, pattern)


def besides_symbol(named: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """What a name gives that files of a kind have in common."""
    return named and {field: word for field, word in named.items() if field != "symbol"}


def _has_only_bars(frame: pl.DataFrame, columns: Mapping[str, str], dialect: Dialect) -> bool:
    """Whether each column of the table is one of a bar by its very name, and of a type that can be
    read in one way."""
    if set(columns.values()) != set(frame.columns) or len(columns) != frame.width:
        return False
    own = {field: set(map(fold, words)) for field, words in dialect.columns.items()}
    if KEY in frame.columns or not columns.keys() <= set(bars.COLUMNS):
        return False
    if any(fold(name) not in own.get(field, set()) for field, name in columns.items()):
        return False
    schema = {field: frame.schema[name] for field, name in columns.items()}
    typed = all(schema[name] == pl.String for name in WORDS if name in schema)
    typed = typed and all(schema[name] in (pl.Float64, pl.String) for name in bars.PRICES)
    others = (schema[name] for name in bars.OPTIONAL if name in schema)
    return typed and all(dtype in (pl.Float64, pl.String) or dtype.is_integer() for dtype in others)


def _times(cells: pl.Series, plan: TimePlan, *, daily: bool) -> str | None:
    """What all of the `cells` match, empty if they are typed; None if they cannot be read by what
    another file has shown."""
    form, zone = plan.form, plan.zone
    if (
        len(plan.columns) != 1
        or plan.clock is not None
        or plan.evenings
        or (plan.kind == "wall") != (zone is not None)
        or (daily and plan.kind == "wall")
        or (zone is not None and zone.name in LUNCH)
        or (form is not None and (form.dressed or form.zones))
        or plan.numbers not in (None, "epoch")
    ):
        return None
    if form is None and plan.numbers is None:
        return "" if cells.dtype in _TYPED else None
    name = None if form is None else form.name
    text = cells.cast(pl.String).fill_null("")
    fits = (each for each, *how in _TIMES if how == [plan.kind, name])
    return next((pattern for pattern in fits if text.str.contains(pattern).all()), None)


def _names_of_others(small: Small) -> tuple[str, ...] | None:
    """The patterns of paths by which such a file would be a vendor's; None if some need none."""
    opening = Opening(
        name=small.source.name,
        path=small.source.full_path,
        container=small.reading.container,
        first=small.frame,
        header=small.reading.header,
        place=small.reading.place,
        metadata=small.reading.metadata,
    )
    found = []
    for shape in may_fit(known_dialects().values(), opening):
        if shape.name is None:
            return None
        found.append(shape.name)
    return tuple(dict.fromkeys(found))


def is_of_vendor(path: str, pattern: Pattern) -> bool:
    """Whether a file of this name could be recognised as a vendor's."""
    return any(re.search(name, path) for name in pattern.names)
