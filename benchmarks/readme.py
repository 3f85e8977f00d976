"""README's table, from the results of one run or several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from benchmarks.results import Results

_COLUMNS: Final = {
    "mdload": "mdload", "floor": "floor: read_parquet, one COPY",
    "usual": "usual pattern: temporary table, ON CONFLICT", "duckdb": "DuckDB, MERGE INTO",
}  # fmt: skip
#: What a row is called, its case, and the contender that stands for mdload.
_ROWS: Final = (
    ("fresh, Parquet", "fresh", "mdload"),
    ("fresh, CSV", "csv", "mdload"),
    ("the same file again", "replay", "mdload-known"),
    ("the same file, compared bar by bar (`--force`)", "replay", "mdload"),
    ("1 % restated", "restated-1", "mdload"),
    ("10 % restated", "restated-10", "mdload"),
    ("half new, half equal", "mixed", "mdload"),
    ("one row", "one", "mdload"),
    ("{files:,} files of {rows} bars", "files", "mdload"),
    ("{files:,} such files again", "files-known", "mdload-known"),
    ("{files:,} such files, compared (`--force`)", "files-compared", "mdload"),
)


def table(runs: Iterable[Results]) -> str:
    """The rows for which one of the `runs` has a value for mdload: medians in seconds."""
    every = list(runs)
    lines = [f"| | {' | '.join(_COLUMNS.values())} |", f"|---|{'--:|' * len(_COLUMNS)}"]
    for title, case, ours in _ROWS:
        cells = [_median(every, case, ours if name == "mdload" else name) for name in _COLUMNS]
        if cells[0] is None:
            continue
        first, *others = ("–" if cell is None else f"{cell:.2f}" for cell in cells)
        told = next(run.cases[case] for run in every if case in run.cases)
        named = title.format(files=told.get("files", 1), rows=told["rows"])
        lines.append(f"| {named} | **{first}** | {' | '.join(others)} |")
    return "\n".join(lines)


def _median(runs: Sequence[Results], case: str, contender: str) -> float | None:
    found = (run.median(case, contender) for run in runs)
    return next((seconds for seconds in found if seconds is not None), None)
