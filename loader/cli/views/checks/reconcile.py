"""What `mdload reconcile` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.cli.views.checks.verify import largest, show_differing
from loader.cli.views.past import plain_row
from loader.cli.views.table import Column, print_json, table
from loader.text import span

if TYPE_CHECKING:
    from loader.read.spool import Spool
    from loader.survey.reconcile import Reconciled

_KINDS = ("equal", "different", "only_a", "only_b", "partial")


def show(found: Reconciled, rows: Spool, limit: int, *, as_json: bool) -> None:
    first = largest(rows, limit)
    if as_json:
        totals = {kind: int(found.series[kind].sum()) for kind in _KINDS}
        print_json({
            "a": str(found.a), "b": str(found.b), **totals,
            "series": [plain_row(row) for row in found.series.iter_rows(named=True)],
            "bars": [plain_row(row) for row in first],
        })  # fmt: skip
        return
    kinds = _KINDS if found.series["partial"].sum() else _KINDS[:-1]
    heads = [Column(kind.replace("_a", " A").replace("_b", " B"), "number") for kind in kinds]
    table(
        f"A: {found.a}, B: {found.b}",
        ["symbol", *heads, Column("worst bps", "number"), Column("bars", "time", spare=1)],
        [
            [row["symbol"], *(row[kind] for kind in kinds),
             None if row["bps"] is None else f"{row['bps']:,.1f}",
             span(row["first"], row["last"])]
            for row in found.series.iter_rows(named=True)
        ],
    )  # fmt: skip
    show_differing(first, rows.rows)
