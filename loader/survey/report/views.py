"""What the templates show beside the gathered data: pictures, and rows in the order of trouble."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup

from loader.survey.pictures import candles, lanes, strips, vintages
from loader.survey.pictures.svg import Drawing
from loader.survey.report import Report
from loader.survey.report.asked import Row
from loader.survey.report.table import price

#: Rows of a table that the page has; `--json` has all.
_SERIES: Final = 6_000
_CHANGES: Final = 400
_TROUBLE: Final = ("stuck", "failure", "running", "cancelled", "success")
_LEGENDS: Final = {
    "shares": (("q6", "all"), ("q5", "99 % or more"), ("q4", "95 %"), ("q3", "80 %"),
               ("q2", "50 %"), ("q1", "less"), ("q0", "nothing"), ("sN", "nothing expected")),
    "states": (("sF", "full"), ("sP", "partial"), ("sM", "missing"), ("sW", "waived"),
               ("sA", "after the last bar"), ("sN", "nothing expected")),
    "changes": (("n4", "down by 1,000 bps or more"), ("n3", "100"), ("n2", "10"), ("n1", "less"),
                ("z0", "no price"), ("p1", "up by less than 10"), ("p2", "10"), ("p3", "100"),
                ("p4", "1,000 bps or more"), ("zs", "moved in time")),
    "outcomes": (("oS", "success"), ("oF", "failure"), ("oC", "cancelled"), ("oR", "running"),
                 ("oK", "stuck")),
    "candles": (("up", "up"), ("dn", "down"), ("rv", "changed later; outline: as it was before")),
}  # fmt: skip


def views(report: Report) -> dict[str, Any]:
    """Variables of the templates."""
    coverage, ran = report.coverage, report.runs
    listed = _worst_first(coverage.series)[:_SERIES]
    many = Counter(file["run_id"] for file in ran.files)
    changed = [row | {"what": _what(row)} for row in report.vintages.changes[:_CHANGES]]
    drawn = [_drawn(one) for one in report.series]
    files = [file | {"anchor": f"file-{file['id']}"} for file in ran.files]
    return {
        "pics": _pictures(report),
        "legends": _LEGENDS,
        "listed": len(listed),
        "hidden": len(listed) < len(coverage.series),
        "unfolded": _unfolded(listed),
        "strips": _strips(report),
        "changes": changed,
        "runs": [
            run | {"anchor": f"run-{run['id']}", "files": many.get(run["id"])}
            for run in sorted(ran.runs, key=lambda run: _TROUBLE.index(run["outcome"]))
        ],
        "files": files,
        "places": report.rejects.places,
        "candles": drawn,
    }


def _worst_first(series: list[Row]) -> list[Row]:
    """All as they are, if they have room; else those that lack most."""
    if len(series) <= _SERIES:
        return series
    return sorted(series, key=lambda row: -((row["missing"] or 0) + (row["behind"] or 0)))


def _unfolded(listed: list[Row]) -> list[Row]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in listed:
        groups.setdefault((row["provider"], row["interval"]), []).append(row)
    return [{"provider": p, "interval": i, "rows": rows} for (p, i), rows in groups.items()]


def _strips(report: Report) -> dict[str, object]:
    """What the script needs to name a cell: the first day since 1970, its days, and how many."""
    cells = report.coverage.cells
    if cells is None:
        return {}
    first = (cells.origin - datetime(1970, 1, 1, tzinfo=UTC)).days
    return {"data-from": first, "data-step": cells.step.days, "data-many": cells.many}


def _pictures(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = {"groups": None, "all_changes": None, "changes": [], "runs": None}
    coverage, changes, ran = report.coverage, report.vintages, report.runs
    if coverage.cells is not None:
        rows = [(f"{g['provider']} {g['interval']}", g["share"]) for g in coverage.groups]
        found["groups"] = _markup(
            strips.rows_of_shares(rows, coverage.cells.origin, coverage.cells.step)
        )
    if changes.marks:
        found["all_changes"] = _markup(
            vintages.triangle(changes.marks, changes.bin, "Changes of all series")
        )
        own: dict[int, list[Row]] = {}
        for mark in changes.marks:
            own.setdefault(mark["series"], []).append(mark)
        found["changes"] = [
            (
                name,
                _markup(vintages.triangle(own[n], changes.bin, f"Changes of {name}", height=240)),
            )
            for n, row in enumerate(changes.series[: changes.pictured])
            for name in [f"{row['symbol']} {row['interval']} {row['provider']}"]
        ]
    if ran.runs:
        found["runs"] = _markup(lanes.timeline(ran.runs, [job["job_name"] for job in ran.jobs]))
    rules = [(rule["rule"], rule["rows"]) for rule in report.rejects.rules]
    found["rules"] = _markup(lanes.counts(rules, "Rejected rows by rule")) if rules else None
    return found


def _drawn(one: Any) -> dict[str, Any]:
    label = f"Bars of {one.symbol} {one.interval} of {one.provider}; the same in the table"
    rows = [
        bar | {"was": _was(bar["before"]), "run_id": (bar["before"] or {}).get("run_id")}
        for bar in one.bars
    ]
    return {
        "series": one,
        "revised": sum(bar["before"] is not None for bar in one.bars),
        "rows": rows,
        "picture": _markup(candles.candles(one.bars, label)) if one.bars else "",
    }


def _was(before: Row | None) -> str | None:
    if before is None:
        return None
    return " ".join(f"{name[0].upper()} {price(before[name])}" for name in
                    ("open", "high", "low", "close"))  # fmt: skip


def _what(change: Row) -> str:
    finding, shape = change["finding"], change["shape"]
    return f"{shape} ({finding})" if finding and finding != shape else str(shape)


def _markup(drawing: Drawing) -> Markup:
    return Markup(str(drawing))  # noqa: S704
