"""What `mdload verify` and `mdload reconcile` show: counts by series, and the bars that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loader.cli.views.past import plain_row, show_bars
from loader.cli.views.table import Column, print_json, say, table
from loader.text import counted, span

if TYPE_CHECKING:
    from loader.ingest.ways.verify import Verified
    from loader.read.spool import Spool

_KINDS = ("equal", "missing", "different", "extra")


def show(verified: Sequence[Verified], rows: Spool, limit: int, *, as_json: bool) -> None:
    """Prints the files' counts and the first bars that differ, the largest differences first."""
    first = largest(rows, limit)
    if as_json:
        totals = {kind: sum(int(v.series[kind].sum()) for v in verified) for kind in _KINDS}
        files = [
            {
                "path": v.path, "rows_read": v.read, "rows_rejected": v.rejected,
                "rows_skipped": v.skipped, "rows_duplicate": v.duplicate,
                "rejected": dict(v.rejects or {}), "series": v.series.to_dicts(),
                **{kind: int(v.series[kind].sum()) for kind in _KINDS},
            }
            for v in verified
        ]  # fmt: skip
        bars = [plain_row(row) for row in first]
        print_json({**totals, "files": files, "bars": bars})
        return
    for each in verified:
        _show_file(each, several=len(verified) > 1)
    show_differing(first, rows.rows)


def show_differing(first: Sequence[Mapping[str, Any]], rows: int) -> None:
    """The first of `rows` bars that differ."""
    if first:
        say()
        show_bars(first)
        if rows > len(first):
            say(f"and {rows - len(first):,} more: --limit N, or --to FILE")


def _show_file(found: Verified, *, several: bool) -> None:
    if several:
        say()
    heads: list[str | Column] = [
        "provider", "symbol", "interval",
        *(Column(kind, "number") for kind in _KINDS), Column("bars", "time", spare=1),
    ]  # fmt: skip
    table(
        found.path if several else None,
        heads,
        [
            [row["provider"], row["symbol"], row["interval"], *(row[kind] for kind in _KINDS),
             span(row["first"], row["last"])]
            for row in found.series.iter_rows(named=True)
        ],
    )  # fmt: skip
    others = {"rejected": found.rejected, "skipped": found.skipped, "duplicate": found.duplicate}
    left = [f"{n:,} {what}" for what, n in others.items() if n]
    if left:
        say(f"of {counted(found.read, 'row')} not compared: {', '.join(left)}")


def largest(rows: Spool, limit: int) -> list[dict[str, Any]]:
    """The `limit` rows with the largest differences, and then those of one side only."""
    import polars as pl

    if not limit:
        return []
    best = pl.DataFrame(schema=rows.schema)
    for frame in rows:
        best = pl.concat([best, frame]).sort(
            "bps", descending=True, nulls_last=True, maintain_order=True
        ).head(limit)  # fmt: skip
    return best.to_dicts()
