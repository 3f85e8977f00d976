"""The results as a picture: one panel per case, one dot per contender, on a logarithmic axis."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from benchmarks.cases import HELP
from benchmarks.results import Results

_OURS, _FLOOR, _OTHERS, _TEXT = "#c2410c", "#111827", "#9ca3af", "#374151"
_COLUMNS = 2


def draw(results: Results, directory: Path) -> list[Path]:
    """Writes `benchmark.svg` and `benchmark.png` and returns their paths; none without results or
    without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    panels = {case: _medians(results, case) for case in results.cases if case != HELP}
    panels = {case: medians for case, medians in panels.items() if medians}
    if not panels:
        return []
    settings = {"svg.hashsalt": "mdload", "font.size": 9, "text.color": _TEXT,
                "xtick.color": _TEXT, "font.family": "sans-serif"}  # fmt: skip
    with plt.rc_context(settings):
        lines = -(-len(panels) // _COLUMNS)
        tallest = max(map(len, panels.values()))
        figure, axes = plt.subplots(
            lines, _COLUMNS, figsize=(11, lines * (0.9 + 0.23 * tallest)), squeeze=False
        )
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        for axis, (case, medians) in zip(axes.flat, panels.items(), strict=False):
            _panel(axis, results, case, medians)
        figure.suptitle(_title(results), fontsize=11, x=0.01, ha="left", weight="bold")
        figure.tight_layout(rect=(0, 0, 1, 0.985))
        written = [directory / "benchmark.svg", directory / "benchmark.png"]
        figure.savefig(written[0], facecolor="white", metadata={"Date": None})
        figure.savefig(written[1], facecolor="white", dpi=144)
        plt.close(figure)
    return written


def _medians(results: Results, case: str) -> dict[str, float]:
    """Seconds by contender, slowest first, without wrong and failed runs."""
    found = {name: results.median(case, name) for name in results.contenders}
    right = {name: seconds for name, seconds in found.items() if seconds is not None}
    return dict(sorted(right.items(), key=lambda item: -item[1]))


def _panel(axis: Any, results: Results, case: str, medians: dict[str, float]) -> None:
    from matplotlib.ticker import LogLocator

    ours = medians.get("mdload")
    for place, (name, seconds) in enumerate(medians.items()):
        mine = name.startswith("mdload")
        colour = _OURS if mine else _FLOOR if name == "floor" else _OTHERS
        runs = [run.seconds for run in results.of(case, name)]
        axis.plot([min(runs), max(runs)], [place, place], color=colour, linewidth=1.5, zorder=2)
        axis.plot(seconds, place, "o", color=colour, markersize=6, zorder=3)
        ratio = f"  {seconds / ours:.1f}×" if ours and not mine else ""
        axis.annotate(
            f"{seconds:.2f} s{ratio}", (max(runs), place), (7, 0), textcoords="offset points",
            va="center", fontsize=8, color=_OURS if mine else _TEXT,
        )  # fmt: skip
    axis.set_yticks(range(len(medians)), list(medians))
    for label, name in zip(axis.get_yticklabels(), medians, strict=True):
        label.set_color(_OURS if name.startswith("mdload") else _TEXT)
        label.set_fontweight("bold" if name.startswith("mdload") else "normal")
    axis.set_ylim(-0.7, len(medians) - 0.3)
    axis.set_xscale("log")
    every = [run.seconds for name in medians for run in results.of(case, name)]
    low, high = min(every), max(every)
    axis.set_xlim(low / 1.2, high * (high / low) ** 0.25 * 1.5)  # room for the last label
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter(lambda value, _: "")
    axis.grid(axis="x", which="major", color="#e5e7eb", zorder=0)
    axis.tick_params(axis="both", length=0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color("#d1d5db")
    told = results.cases[case]
    rows = f" ({told['rows']:,} rows)" if told["rows"] > 1 else ""
    axis.set_title(f"{told['title']}{rows}", fontsize=9.5, loc="left")


def _title(results: Results) -> str:
    rows = results.options["universe"]["rows"]
    server = results.environment["server"]["server_version"]
    return f"Seconds to load, a table of {rows:,} minute bars, PostgreSQL {server} (log scale)"
