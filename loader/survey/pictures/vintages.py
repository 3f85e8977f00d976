"""The triangle of revisions: across the bars' time, upwards when a change was known, colour for the
size of the change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from loader.survey.pictures.axes import TimeScale, bottom
from loader.survey.pictures.palette import of_change
from loader.survey.pictures.palette import style as own_style
from loader.survey.pictures.svg import Drawing

_WIDTH: Final = 980
_HEIGHT: Final = 380
_LEFT: Final = 90
_TOP: Final = 10
_BOTTOM: Final = 26
#: Rows of the picture: changes that were known at about the same time share one.
_ROWS: Final = 100
_SIZES: Final = (
    ("n4", "", 14.0), ("n3", "", 14.0), ("n2", "", 14.0), ("n1", "prices down", 100.0),
    ("p1", "", 14.0), ("p2", "", 14.0), ("p3", "", 14.0),
    ("p4", "prices up; by 0, 10, 100, 1,000 bps or more", 0.0),
)  # fmt: skip
#: Bars that moved in time: how far their prices differ from those of another hour tells nothing.
_MOVED: Final = "zs"
#: Stretches of the bars' time.
_BINS: Final = 120


def triangle(
    marks: Sequence[dict[str, Any]], step: timedelta, label: str, *, style: str = "",
    height: float = _HEIGHT,
) -> Drawing:  # fmt: skip
    """`marks`: `bin` (where a stretch of the bars' time begins, `step` long), `known_at`, `bars`
    and `bps`, and `moved` if the bars moved in time. At least one."""
    drawing = Drawing(_WIDTH, height, label, kind="pic zoom", style=style)
    first = min(mark["bin"] for mark in marks)
    last = max(mark["bin"] for mark in marks) + step
    low, high = (f(mark["known_at"] for mark in marks) for f in (min, max))
    margin = max((high - low) * 0.04, timedelta(hours=12))
    across = TimeScale(first, max(last, high), _LEFT, _WIDTH - 10)
    up = TimeScale(low - margin, high + margin, height - _BOTTOM, _TOP)
    bottom(drawing, across, _TOP, height - _BOTTOM)
    for y, name in up.ticks(7 if height > 300 else 4, years=True):
        drawing.line(_LEFT, y, _WIDTH - 10, y, "gr")
        drawing.text(_LEFT - 8, y + 4, name, anchor="end")
    _diagonal(drawing, across, up)
    room = height - _BOTTOM - _TOP
    tall = max(room / _ROWS, min(8.0, room / (2 * len({mark["known_at"] for mark in marks}))))
    rows: dict[int, dict[datetime, list[Any]]] = {}
    for mark in marks:
        row = rows.setdefault(round((up(mark["known_at"]) - _TOP) / tall), {})
        cell = row.setdefault(mark["bin"], [0, None, mark["known_at"], False])
        cell[0] += mark["bars"]
        cell[3] |= bool(mark.get("moved"))
        if mark["bps"] is not None and abs(mark["bps"]) >= abs(cell[1] or 0):
            cell[1] = mark["bps"]
    for number, row in sorted(rows.items()):
        _row(drawing, across, _TOP + number * tall, tall, row, step)
    return drawing


def of_revisions(rows: Sequence[dict[str, Any]]) -> Drawing:
    """A picture that stands alone, of `rows` as `loader.store.versions.revisions` has them."""
    if not rows:
        drawing = Drawing(_WIDTH, 40, "No revisions", style=own_style())
        drawing.text(10, 24, "no revisions", "ink")
        return drawing
    first, last = (f(row["ts"] for row in rows) for f in (min, max))
    origin = first.replace(hour=0, minute=0, second=0, microsecond=0)
    step = timedelta(days=max(1, -(-((last - origin).days + 1) // _BINS)))
    marks: dict[tuple[datetime, datetime], list[Any]] = {}
    for row in rows:
        key = (row["known_at"], origin + (row["ts"] - origin) // step * step)
        mark = marks.setdefault(key, [0, None])
        mark[0] += 1
        change = _signed(row)
        if change is not None and abs(change) >= abs(mark[1] or 0):
            mark[1] = change
    made = [
        {"known_at": known, "bin": begin, "bars": bars, "bps": bps}
        for (known, begin), (bars, bps) in marks.items()
    ]
    drawing = triangle(made, step, f"{len(rows):,} changed bars", style=own_style())
    drawing.text(
        _LEFT, drawing.height + 13, "across: time of the bars; up: when the change was known"
    )
    drawing.legend(_LEFT + 340, drawing.height + 4, _SIZES)
    drawing.height += 24
    return drawing


def _signed(row: dict[str, Any]) -> float | None:
    """The largest change of a price, with the sign of the close's; None for a bar that is gone."""
    if row["bps"] is None:
        return None
    return math.copysign(row["bps"], (row["new_close"] or 0) - (row["old_close"] or 0))


def _row(
    drawing: Drawing, across: TimeScale, y: float, tall: float,
    row: dict[datetime, list[Any]], step: timedelta,
) -> None:  # fmt: skip
    """Neighbours of one colour are one rectangle."""
    begun: list[Any] | None = None  # begin, end, class, bars, largest, known
    for begin in sorted(row):
        bars, bps, known, moved = row[begin]
        kind = _MOVED if moved else of_change(bps)
        if begun and begun[1] == begin and begun[2] == kind:
            begun[1], begun[3] = begin + step, begun[3] + bars
            begun[4] = max(begun[4] or 0, bps or 0, key=abs)
            continue
        if begun:
            _mark(drawing, across, y, tall, *begun)
        begun = [begin, begin + step, kind, bars, bps, known]
    if begun:
        _mark(drawing, across, y, tall, *begun)


def _mark(
    drawing: Drawing, across: TimeScale, y: float, tall: float, begin: datetime, end: datetime,
    kind: str, bars: int, bps: float | None, known: datetime,
) -> None:  # fmt: skip
    size = "no price changed" if not bps else f"up to {bps:+,.4g} bps"
    size += ", moved in time" if kind == _MOVED else ""
    last = max(begin, end - timedelta(days=1))
    drawing.rect(
        across(begin), y - tall / 2, max(across(end) - across(begin), 3.0), tall, kind,
        f"{bars:,} bars from {begin:%Y-%m-%d} to {last:%Y-%m-%d}, "
        f"known {known:%Y-%m-%d %H:%M}Z: {size}",
    )  # fmt: skip


def _diagonal(drawing: Drawing, across: TimeScale, up: TimeScale) -> None:
    """Where bars are as old as the knowledge of them; no change lies to the right of it."""
    lo, hi = max(across.first, up.first), min(across.last, up.last)
    if lo < hi:
        drawing.line(across(lo), up(lo), across(hi), up(hi), "di")
