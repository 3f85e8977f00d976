"""The results as Markdown."""

from __future__ import annotations

from benchmarks.cases import HELP
from benchmarks.goals import GOALS
from benchmarks.results import Results, Run

FLOOR, OURS = "floor", "mdload"
_FIELDS = {"cpu_seconds": 1, "server_cpu_seconds": 1, "peak_bytes": 1e6, "wal_bytes": 1e6}


def markdown(results: Results) -> str:
    """Goals, one table per case, what is missing, and where it was measured."""
    parts = [_headline(results), goals(results)]
    parts += [_case(results, case) for case in results.cases]
    parts += [_missing(results), _legend(), _environment(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(results: Results) -> str:
    told = results.options
    universe = told["universe"]
    symbols = min(universe["symbols"], universe["rows"])
    return (
        f"# mdload and its alternatives\n\n{universe['rows']:,} generated minute bars"
        f" ({symbols:,} symbols × {universe['rows'] // symbols:,}, seed {universe['seed']})."
        f" Medians of up to {told['rounds']} interleaved rounds; each run is a whole process, on a"
        f" table restored before it and checked after it.{_noise(results)}"
    )


def _noise(results: Results) -> str:
    """A warning if other processes used the machine."""
    known = [run for run in results.runs if run.other_cpu_seconds is not None]
    time = sum(run.seconds for run in known) * (results.environment["cores"] or 1)
    share = sum(run.other_cpu_seconds or 0.0 for run in known) / time if time else 0.0
    if share < 0.05:
        return ""
    return f" **Other processes used {share:.0%} of the machine: expect noise.**"


def goals(results: Results) -> str:
    """The goals that the run has values for, as a table; empty without any."""
    lines = ["## Goals", "", "| | measured | goal | stretch |", "|---|--:|--:|--:|"]
    for goal in GOALS:
        value = goal.value(results)
        if value is None:
            continue
        sign = "≥" if goal.more else "≤"
        met = "✓" if goal.met(value, goal.goal) else "✗"
        stretch = ""
        if goal.stretch is not None:
            reached = " ✓" if goal.met(value, goal.stretch) else ""
            stretch = f"{sign} {goal.stretch:g} {goal.unit}{reached}"
        limit = f"{sign} {goal.goal:g} {goal.unit} {met}"
        lines.append(f"| {goal.text} | {_number(value)} {goal.unit} | {limit} | {stretch} |")
    return "\n".join(lines) if len(lines) > 4 else ""


def _case(results: Results, case: str) -> str:
    told = results.cases[case]
    onto = "a full table" if told["full"] else "an empty table"
    rows = f"{told['rows']:,} row{'s' if told['rows'] != 1 else ''} onto {onto}"
    lines = [f"## {told['title'][:1].upper()}{told['title'][1:]}", ""]
    if told["rows"]:
        lines += [f"`{case}`: {rows}.", ""]
    lines += [
        "| contender | seconds | × floor | × mdload | client CPU s | server CPU s | peak MB "
        "| WAL MB | rows touched | runs |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    taking_part = [name for name in results.contenders if results.of(case, name)]
    in_order = sorted(taking_part, key=lambda name: results.median(case, name) or float("inf"))
    lines += [_row(results, case, name) for name in in_order]
    return "\n".join(lines)


def _row(results: Results, case: str, name: str) -> str:
    runs = results.of(case, name)
    title = results.contenders[name]
    cells = [f"**{title}**" if name.startswith(OURS) else title]
    seconds = results.median(case, name)
    if seconds is None:
        cells += [f"**{_verdict(runs)}**", *[""] * 7]
    else:
        span = f" ({min(r.seconds for r in runs):.2f}–{max(r.seconds for r in runs):.2f})"
        cells.append(f"{seconds:.2f}{span if len(runs) > 1 else ''}")
        floors = [results.median(of, FLOOR) for of in (case, "fresh")] if case != HELP else []
        cells.append(_ratio(seconds, *floors))
        cells.append(_ratio(seconds, results.median(case, OURS)))
        for field, unit in _FIELDS.items():
            value = results.median(case, name, field)
            cells.append("" if value is None else _number(value / unit))
        touched = results.median(case, name, "rows_touched")
        cells.append("" if touched is None else f"{touched:,.0f}")
    return f"| {' | '.join(cells)} | {len(runs)} |"


def _verdict(runs: list[Run]) -> str:
    bad = next(run for run in runs if run.outcome != "right")
    word = {"wrong": "WRONG", "failed": "failed", "timeout": "timed out"}[bad.outcome]
    said = bad.note.replace("|", "\\|")
    return f"{word} after {bad.seconds:.1f} s" + (f": {said}" if said else "")


def _ratio(seconds: float, same_case: float | None = None, other: float | None = None) -> str:
    """The ratio to the floor in the same case, or in italics to the floor's fresh load."""
    if same_case:
        return f"{seconds / same_case:.2f}"
    return f"*{seconds / other:.2f}*" if other else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.3g}"


def _missing(results: Results) -> str:
    if not results.missing:
        return ""
    lines = ["## Missing", ""]
    lines += [
        f"- {results.contenders[name]} (`{name}`): {reason}"
        for name, reason in results.missing.items()
    ]
    return "\n".join(lines)


def _legend() -> str:
    return (
        "## How to read it\n\n"
        "Seconds: wall time from the start of the process to its end, median (least–most)."
        " × floor: relative to the floor in the same case; in italics, to the floor's fresh load,"
        " because the floor cannot run on stored keys."
        " Peak memory: the client's, not the server's."
        " Rows touched: rows whose xmin or xmax changed."
        " After every run the table is compared with the generated bars: WRONG means that it"
        " did not hold exactly those."
    )


def _environment(results: Results) -> str:
    where = results.environment
    server = dict(where["server"])
    versions = {"Python": where["python"], "PostgreSQL": server.pop("server_version")}
    versions |= where["versions"]
    memory = where["memory_bytes"] / 2**30
    return "\n".join(
        [
            "## Where",
            "",
            f"- Machine: {where['cpu']}, {where['cores']} cores, {memory:.0f} GiB;"
            f" {where['system']}.",
            f"- Commit: {where['commit'] or 'unknown'}.",
            f"- Versions: {', '.join(f'{name} {v}' for name, v in versions.items())}.",
            f"- Server: {', '.join(f'{name} = {value}' for name, value in server.items())}.",
        ]
    )
