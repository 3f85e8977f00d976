"""Timelines of coverage: a row for each series or group, a cell for each piece of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from loader.survey.pictures.axes import TimeScale, bottom
from loader.survey.pictures.palette import of_share
from loader.survey.pictures.svg import Drawing

#: The class of each state of a cell; what is blank is not drawn.
CLASSES: Final = {"F": "sF", "P": "sP", "M": "sM", "W": "sW", "A": "sA", ".": "sN"}
_LABELS: Final = 190
_WIDTH: Final = 980
_ROW: Final = 18
_TOP: Final = 8


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
    style: str = "",
) -> Drawing:
    """Rows by name with a share (0 to 1, None for nothing expected) in each cell."""
    many = max(len(shares) for _, shares in rows)
    drawing, scale = _frame(len(rows), many, origin, step, style)
    width = (_WIDTH - _LABELS - 10) / many
    for number, (name, shares) in enumerate(rows):
        y = _TOP + number * _ROW
        drawing.text(_LABELS - 8, y + 12.5, name, "ink", "end", 30)
        place = 0
        for share, same in groupby(shares):
            length = sum(1 for _ in same)
            lo, hi = origin + place * step, origin + (place + length) * step - timedelta(days=1)
            told = "nothing expected" if share is None else _percent(share)
            kind = "sN" if share is None else of_share(share)
            drawing.rect(_LABELS + place * width, y, length * width - 0.5, _ROW - 3.0, kind,
                         f"{name}: {told}, {lo:%Y-%m-%d} to {hi:%Y-%m-%d}")  # fmt: skip
            place += length
    bottom(drawing, scale, _TOP + len(rows) * _ROW - 2.0, _TOP + len(rows) * _ROW + 2.0)
    return drawing


def rows_of_states(
    rows: Sequence[tuple[str, str]], origin: datetime, step: timedelta, *, style: str = ""
) -> Drawing:
    """Rows by name with a state in each cell."""
    many = max(len(states) for _, states in rows)
    drawing, scale = _frame(len(rows), many, origin, step, style)
    width = (_WIDTH - _LABELS - 10) / many
    for number, (name, states) in enumerate(rows):
        y = _TOP + number * _ROW
        drawing.text(_LABELS - 8, y + 12.5, name, "ink", "end", 30)
        for state, place, length in runs(states):
            if state in CLASSES:
                drawing.rect(_LABELS + place * width, y, length * width - 0.5, _ROW - 3.0,
                             CLASSES[state], name)  # fmt: skip
    bottom(drawing, scale, _TOP + len(rows) * _ROW - 2.0, _TOP + len(rows) * _ROW + 2.0)
    return drawing


def _frame(
    rows: int, many: int, origin: datetime, step: timedelta, style: str
) -> tuple[Drawing, TimeScale]:
    height = _TOP + rows * _ROW + 22
    label = f"Coverage over time, {rows} rows; the same in the table"
    drawing = Drawing(_WIDTH, height, label, kind="pic", style=style)
    return drawing, TimeScale(origin, origin + many * step, _LABELS, _WIDTH - 10)


def _percent(share: float) -> str:
    """A share below 1 is never shown as 100 %."""
    if share >= 1:
        return "100 %"
    return f"{min(int(share * 1000), 999) / 10:g} %"
