"""What `mdload plan show` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loader.cli.views.past import plain_row, show_bars
from loader.cli.views.table import Column, details, print_json, say, table
from loader.text import counted, span, utc

if TYPE_CHECKING:
    from loader.ingest.ways.plan import Plan


def show_plan(plan: Plan, limit: int, as_json: bool) -> None:
    changed = _largest(plan, limit)
    if as_json:
        print_json({
            "path": plan.path, "id": plan.id, "made_at": plan.made_at,
            "rows_inserted": plan.inserted, "rows_updated": plan.updated,
            "sources": plan.sources, "series": plan.series.to_dicts(),
            "changed": [plain_row(row) for row in changed],
        })  # fmt: skip
        return
    details(
        f"{plan.path}: {plan.inserted:,} inserted, {plan.updated:,} updated",
        {"made": utc(plan.made_at), "id": plan.id,
         **{f"source {n}": _source(one) for n, one in enumerate(plan.sources, 1)}},
    )  # fmt: skip
    for finding in plan.findings:
        say(finding)
    say()
    table(
        None,
        ["provider", "symbol", "interval", Column("inserted", "number"),
         Column("updated", "number"), Column("stored then", "number", spare=2),
         Column("bars", "time", spare=1)],
        [
            [row["provider"], row["symbol"], row["interval"], row["inserted"], row["updated"],
             row["bars"], span(row["lo"], row["hi"])]
            for row in plan.series.iter_rows(named=True)
        ],
    )  # fmt: skip
    if changed:
        say()
        show_bars(changed)
        if plan.updated > len(changed):
            say(f"and {plan.updated - len(changed):,} more: --limit N")
    say()
    say(f"next: mdload apply {plan.path} --dry-run")


def _source(one: Any) -> str:
    rejected = f", {counted(one['rows_failed'], 'row')} rejected" if one["rows_failed"] else ""
    return f"{one['path']} ({counted(one['rows_read'], 'row')}{rejected})"


def _largest(plan: Plan, limit: int) -> list[dict[str, Any]]:
    """The changed bars with the largest change of a price, as `show_bars` takes them."""
    import polars as pl

    from loader import bars
    from loader.ingest.ways.plan import rows_of
    from loader.store.versions.diff import MEASURED, measured

    best = pl.DataFrame(schema=MEASURED)
    for frame in rows_of(plan, "update") if limit else ():
        renamed = frame.rename({v: f"new_{v}" for v in bars.VALUES})
        told = renamed.with_columns(kind=pl.lit("changed"))
        sized = measured(told, "kind").cast(pl.Schema(MEASURED))
        best = pl.concat([best, sized]).sort(
            "bps", descending=True, nulls_last=True, maintain_order=True
        ).head(limit)  # fmt: skip
    return best.to_dicts()
