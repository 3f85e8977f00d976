"""Runs along time, a lane for each job; and counts as bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from loader.survey.pictures.axes import TimeScale, bottom
from loader.survey.pictures.svg import Drawing
from loader.text import duration

OUTCOMES: Final = {
    "success": "oS", "failure": "oF", "cancelled": "oC", "running": "oR", "stuck": "oK",
}  # fmt: skip
_WIDTH: Final = 980
_LEFT: Final = 170
_LANE: Final = 46
_TOP: Final = 6


def timeline(runs: Sequence[dict[str, Any]], jobs: Sequence[str]) -> Drawing:
    """`runs` with job_name, outcome, started_at, elapsed_ms; lanes in the order of `jobs`. The
    height of a bar is the run's duration, on a logarithmic scale of its lane."""
    height = _TOP + len(jobs) * _LANE + 24
    drawing = Drawing(_WIDTH, height, f"{len(runs)} runs over time; the same in the table",
                      kind="pic zoom")  # fmt: skip
    first = min(run["started_at"] for run in runs)
    last = max(run["started_at"] for run in runs) + timedelta(hours=1)
    scale = TimeScale(
        first - (last - first) * 0.01, last + (last - first) * 0.01, _LEFT, _WIDTH - 10
    )
    bottom(drawing, scale, _TOP, height - 24)
    wide = max(2.0, min(9.0, (_WIDTH - _LEFT) / max(len(runs) / max(len(jobs), 1), 1) * 0.7))
    for number, job in enumerate(jobs):
        floor = _TOP + (number + 1) * _LANE - 6.0
        drawing.text(_LEFT - 8, floor - 10, job, "ink", "end", 26)
        drawing.line(_LEFT, floor, _WIDTH - 10, floor, "gr")
        own = [run for run in runs if run["job_name"] == job]
        longest = max((run["elapsed_ms"] or 1 for run in own), default=1)
        for run in reversed(own):
            took = run["elapsed_ms"] if run["elapsed_ms"] is None else max(run["elapsed_ms"], 0)
            share = 1.0 if took is None else math.log1p(took) / math.log1p(max(longest, 1))
            tall = 8 + (_LANE - 18) * share * share
            drawing.rect(
                scale(run["started_at"]) - wide / 2, floor - tall, wide, tall,
                OUTCOMES[run["outcome"]],
                f"run {run['id']} {run['outcome']}, {run['started_at']:%Y-%m-%d %H:%M}Z, "
                f"took {duration(took)}, {run['rows_failed']:,} rejected",
            )  # fmt: skip
    return drawing


def counts(rows: Sequence[tuple[str, int]], label: str) -> Drawing:
    """Named counts as horizontal bars, the largest as wide as there is room."""
    drawing = Drawing(_WIDTH, _TOP + len(rows) * 24, label, kind="pic")
    most = max((many for _, many in rows), default=1) or 1
    for number, (name, many) in enumerate(rows):
        y = _TOP + number * 24.0
        drawing.text(_LEFT - 8, y + 13, name, "ink", "end", 26)
        width = (_WIDTH - _LEFT - 90) * many / most
        drawing.rect(_LEFT, y, max(width, 2.0), 17.0, "ct", f"{name}: {many:,}")
        drawing.text(_LEFT + width + 6, y + 13, f"{many:,}")
    return drawing
