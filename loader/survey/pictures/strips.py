"""Timelines of coverage: a row for each series or group, a cell for each piece of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from loader.survey.coverage import Coverage, relative
from loader.survey.pictures.axes import TimeScale, bottom
from loader.survey.pictures.palette import of_share, of_usual, style
from loader.survey.pictures.svg import Drawing

#: The class of each state of a cell; what is blank is not drawn.
CLASSES: Final = {"F": "sF", "P": "sP", "M": "sM", "W": "sW", "A": "sA", ".": "sN"}
_LABELS: Final = 190
_WIDTH: Final = 980
_ROW: Final = 18
_TOP: Final = 8
#: What shares of the usual are called, and how wide that is.
_USUAL: Final = (
    ("q6", "as full as usual", 140.0), ("q4", "fewer bars", 110.0), ("q3", "few bars", 100.0),
    ("q1", "hardly any", 110.0), ("q0", "no bar", 80.0),
)  # fmt: skip
#: Series that a picture of its own has one by one.
_SINGLE: Final = 300
_MICROSECOND: Final = timedelta(microseconds=1)


def runs(states: str) -> Iterator[tuple[str, int, int]]:
    """Equal neighbours among `states`: the state, where it begins, and how many cells it has."""
    place = 0
    for state, same in groupby(states):
        many = sum(1 for _ in same)
        yield state, place, many
        place += many


def strip(states: str) -> str:
    """One series' cells as a small picture without words, a unit wide each."""
    paths: dict[str, list[str]] = {}
    for state, place, many in runs(states):
        if state in CLASSES:
            paths.setdefault(CLASSES[state], []).append(f"M{place} 0h{many}v9h-{many}z")
    drawn = "".join(f'<path class="{name}" d="{"".join(d)}"/>' for name, d in paths.items())
    return (
        f'<svg class="st" viewBox="0 0 {len(states)} 9" preserveAspectRatio="none"'
        f' aria-hidden="true">{drawn}</svg>'
    )


def rows_of_shares(
    rows: Sequence[tuple[str, Sequence[float | None]]],
    origin: datetime,
    step: timedelta,
    *,
    css: str = "",
    blank: bool = False,
) -> Drawing:
    """Rows by name with a share in each cell, from 0 to 1: of what is expected (None: nothing is);
    or, if cells without a share stay `blank`, of what is usual."""
    many = max(len(shares) for _, shares in rows)
    drawing, scale = _frame(len(rows), many, origin, step, css)
    width = (_WIDTH - _LABELS - 10) / many
    for number, (name, shares) in enumerate(rows):
        y = _TOP + number * _ROW
        drawing.text(_LABELS - 8, y + 12.5, name, "ink", "end", 30)
        place = 0
        for (kind, told), same in groupby(shares, _usual if blank else _expected):
            length = sum(1 for _ in same)
            lo, hi = origin + place * step, origin + (place + length) * step - _MICROSECOND
            if kind:
                drawing.rect(_LABELS + place * width, y, length * width + 0.2, _ROW - 3.0, kind,
                             f"{name}: {told}, {lo:%Y-%m-%d} to {hi:%Y-%m-%d}")  # fmt: skip
            place += length
    bottom(drawing, scale, _TOP + len(rows) * _ROW - 2.0, _TOP + len(rows) * _ROW + 2.0)
    return drawing


def of_coverage(found: Coverage) -> Drawing:
    """A picture that stands alone: a row for each series, or for each provider and interval if
    there are more than a few hundred; shares are those of the fuller cells. A cell outside of a
    series' own time stays blank."""
    rows = [
        (f"{one.symbol} {one.interval} {one.provider}", relative(one.cells)) for one in found.series
    ]
    if len(rows) > _SINGLE:
        rows = _grouped(found)
    if not rows or found.origin is None:
        drawing = Drawing(_WIDTH, 40, "No bars", style=style())
        drawing.text(10, 24, "no bars in that time", "ink")
        return drawing
    drawing = rows_of_shares(rows, found.origin, found.cell, css=style(), blank=True)
    drawing.legend(_LABELS, drawing.height + 4, _USUAL)
    drawing.height += 24
    return drawing


def _grouped(found: Coverage) -> list[tuple[str, list[float | None]]]:
    """The mean of the series that have a cell at that time."""
    groups: dict[str, list[list[float | None]]] = {}
    for one in found.series:
        name = f"{one.provider} {one.interval}"
        groups.setdefault(name, []).append(relative(one.cells))
    means: list[tuple[str, list[float | None]]] = []
    for name, own in groups.items():
        cells: list[float | None] = []
        for column in zip(*own, strict=True):
            there = [share for share in column if share is not None]
            cells.append(sum(there) / len(there) if there else None)
        means.append((f"{name} ({len(own):,})", cells))
    return means


def _frame(
    rows: int, many: int, origin: datetime, step: timedelta, css: str
) -> tuple[Drawing, TimeScale]:
    height = _TOP + rows * _ROW + 22
    label = f"Coverage over time, {rows} rows; the same in the table"
    drawing = Drawing(_WIDTH, height, label, kind="pic", style=css)
    return drawing, TimeScale(origin, origin + many * step, _LABELS, _WIDTH - 10)


def _expected(share: float | None) -> tuple[str, str]:
    """Class and words for a share of what is expected."""
    return ("sN", "nothing expected") if share is None else (of_share(share), _percent(share))


def _usual(share: float | None) -> tuple[str, str]:
    """Class and words for a share of what is usual; no class for none."""
    kind = "" if share is None else of_usual(share)
    return kind, next((text for name, text, _ in _USUAL if name == kind), "")


def _percent(share: float) -> str:
    """A share below 1 is never shown as 100 %."""
    if share >= 1:
        return "100 %"
    return f"{min(int(share * 1000), 999) / 10:g} %"
