"""From lines of JSON to checked bars. A line that is not a bar becomes a reject, never an error."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from typing import Any, NamedTuple

import polars as pl

from loader.check import rawjson
from loader.check.file import rules_for
from loader.check.instruments.apart import composed
from loader.check.layout.decide import Layout, decide
from loader.check.normalise import normalise
from loader.check.reasons import LINE_NOT_A_BAR, LINE_NOT_JSON, LINE_REFUSED
from loader.check.unique import BARS_AND_ROW
from loader.check.validate import CheckedBatch, validate, with_keys
from loader.errors import ColumnMismatch, InputError, SettingsError
from loader.lazy import dataclass
from loader.read.batch import Location, RawBatch
from loader.results import Note
from loader.settings import Settings
from loader.store import spellings

#: Shapes of objects to remember, and notes to emit, at most.
_MOST_SHAPES, _MOST_NOTES = 1_000, 20

#: The names in an object. They mean the same in all lines of one shape.
Shape = frozenset[str]


class _Lost(NamedTuple):
    """A line that is not a bar."""

    number: int
    rule: str
    line: bytes
    why: str


@dataclass(slots=True)
class _Group:
    """Lines of one shape, with their numbers."""

    objects: list[dict[str, str | None]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)


class Lines:
    """Checks the lines of one feed. `tell` gets each note for the user once."""

    def __init__(self, settings: Settings, source: str, tell: Callable[[Note], None]) -> None:
        self._meaning = settings.meaning
        self._rules = rules_for(self._meaning)
        self._source = source
        self._tell = tell
        self._noted: set[str] = set()
        self._layouts: dict[Shape, Layout] = {}

    def check(self, lines: Sequence[bytes], first: int) -> CheckedBatch:
        """The lines as one batch, in their order; `first` is the number of the first one. Blank
        lines do not count."""
        groups: dict[Shape, _Group] = {}
        lost: list[_Lost] = []
        for number, line in enumerate(lines, start=first):
            if not line.strip():
                continue
            try:
                cells = _cells(line)
            except (ValueError, RecursionError) as error:
                lost.append(_Lost(number, LINE_NOT_JSON, line, _why(error)))
                continue
            group = groups.setdefault(frozenset(cells), _Group())
            group.objects.append(cells)
            group.numbers.append(number)
            group.lines.append(line)
        parts = []
        for shape, group in groups.items():
            layout = self._layout(shape, group)
            if isinstance(layout, str):
                numbered = zip(group.numbers, group.lines, strict=True)
                lost += [_Lost(number, LINE_NOT_A_BAR, line, layout) for number, line in numbered]
            else:
                parts.append(self._checked(shape, group, layout))
        return _joined([*parts, _rejects(lost)])

    @staticmethod
    def refused(line: bytes, number: int, why: str) -> CheckedBatch:
        """The reject for a line with a bar that the server does not take."""
        return _rejects([_Lost(number, LINE_REFUSED, line, why)])

    def _layout(self, shape: Shape, group: _Group) -> Layout | str:
        """The layout of a shape, decided by its first lines; or why it cannot be decided."""
        if shape in self._layouts:
            return self._layouts[shape]
        place = f"line {group.numbers[0]}"
        try:
            layout = decide(self._batch(shape, group, place), self._meaning)
            interval = self._meaning.interval or layout.dialect.interval
            if interval is None and "interval" not in layout.columns:
                # A few lines are too few to decide the interval of all that follow.
                raise ColumnMismatch("the interval is not known", hint="name it: --interval 1m")
        except (InputError, SettingsError) as error:
            why = error.fault
            said = f"not a bar, {why}" + (f"; {error.hint}" if error.hint else "")
            self._note(place, Note("columns", said))
            return why
        for note in layout.notes:
            self._note(place, note)
        if len(self._layouts) >= _MOST_SHAPES:
            self._layouts.clear()
        self._layouts[shape] = layout
        return layout

    def _checked(self, shape: Shape, group: _Group, layout: Layout) -> CheckedBatch:
        batch = self._batch(shape, group, self._source)
        checked = validate(batch, normalise(batch, layout), self._rules)
        numbers = pl.Series("row_number", group.numbers, dtype=pl.Int64)
        good, bad = (
            part.with_columns(row_number=numbers.gather(part["row_number"] - 1))
            for part in (checked.good, checked.bad)
        )
        return replace(checked, good=good, bad=bad)

    def _batch(self, shape: Shape, group: _Group, source: str) -> RawBatch:
        """Raises:
        SettingsError, ColumnMismatch: columns cannot be joined as the person asks.
        """
        names = sorted(shape)
        cells = [[found[name] for name in names] for found in group.objects]
        frame = pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String), orient="row")
        return RawBatch(composed(frame, self._meaning.columns, source), Location(source, 0, 1))

    def _note(self, place: str, note: Note) -> None:
        if note.text not in self._noted and len(self._noted) < _MOST_NOTES:
            self._noted.add(note.text)
            self._tell(Note(note.kind, f"{place}: {note.text}"))


def _cells(line: bytes) -> dict[str, str | None]:
    """The object's values as text, exactly as written.

    Raises:
        ValueError, RecursionError: the line is not a JSON object.
    """
    text = line.decode("utf-8-sig")
    found = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    if not isinstance(found, dict) or not found:
        raise ValueError("it is JSON, and no object with names")
    cells = {name: _text(value) for name, value in found.items()}
    if "\\u" in text:  # an escape may be half of a character
        "".join((*cells, *filter(None, cells.values()))).encode()
    return cells


def _why(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _rejects(lost: list[_Lost]) -> CheckedBatch:
    numbers = pl.Series("row_number", [one.number for one in lost], dtype=pl.Int64)
    broken = pl.Series("rules", [[one.rule] for one in lost], dtype=pl.List(pl.String))
    texts = [one.line.rstrip(b"\r").decode("utf-8", "backslashreplace") for one in lost]
    cells = {"line": texts, "why": [one.why for one in lost]}
    raw = rawjson.encode(pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String)))
    return CheckedBatch(
        pl.DataFrame(schema=BARS_AND_ROW), with_keys(pl.DataFrame([numbers, broken, raw])),
        Counter(one.rule for one in lost),
        pl.DataFrame(schema=spellings.SCHEMA),
    )  # fmt: skip


def _joined(parts: list[CheckedBatch]) -> CheckedBatch:
    """One batch of all parts, in the order of the lines."""
    good, bad, spelled = (
        pl.concat(getattr(part, name) for part in parts) for name in ("good", "bad", "spellings")
    )
    return CheckedBatch(
        good.sort("row_number"),
        bad.sort("row_number"),
        sum((Counter(part.rejected) for part in parts), Counter()),
        spelled.unique(maintain_order=True),
        sum(part.skipped for part in parts),
    )
