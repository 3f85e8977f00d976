"""What `inspect` says of a file: labelled lines and the first bars, or one object per file."""

from __future__ import annotations

from collections.abc import Sequence

import click

from loader import bars, logs, report, tally
from loader.inspection import Look
from loader.render import listed
from loader.report import Column


def print_look(looks: Sequence[Look], rows: int, *, as_json: bool) -> None:
    """What `inspect` saw of each file; `rows` bars of each."""
    if as_json:
        report.print_json([_look(look, rows) for look in looks])
        return
    for look in looks:
        click.echo(click.style(look.path, bold=True))
        shown = _look(look, 0)
        for label in ("container", "dialect", "provider", "interval"):
            click.echo(f"{label:>11}  {shown[label] or report.NOTHING}")
        count = report.number(look.rows) if look.rows is not None else "more than one batch"
        click.echo(f"{'rows':>11}  {count}")
        click.echo(
            f"{'columns':>11}  "
            + (", ".join(f"{f} = {c}" for f, c in look.columns.items()) or report.NOTHING)
        )
        click.echo(f"{'symbols':>11}  {listed(shown['symbols'])}")  # type: ignore[arg-type]
        click.echo(f"{'span':>11}  {report.span(shown['min_ts'], shown['max_ts'])}")  # type: ignore[arg-type]
        rejects = ", ".join(f"{rule} {n:,}" for rule, n in look.rejected.items())
        click.echo(f"{'rejected':>11}  {rejects or 'none'}")
        for note in look.notes:
            click.echo(f"{'note':>11}  {note}")
        if look.good.height:
            head = look.good.head(rows).select(bars.COLUMNS)
            columns = [Column(c, "number" if c in bars.VALUES else "text") for c in head.columns]
            report.table(None, columns, head.rows())
        if look.error:
            logs.error(str(look.error), look.error.hint)


def _look(look: Look, rows: int) -> dict[str, object]:
    good = look.good
    return {
        "path": look.path,
        "container": look.container,
        "dialect": look.dialect,
        "provider": tally.only(set(good["provider"])),
        "interval": tally.only(set(good["interval"])),
        "rows": look.rows,
        "columns": dict(look.columns),
        "found": list(look.found),
        "symbols": sorted(set(good["symbol"])),
        "min_ts": good["ts"].min(),
        "max_ts": good["ts"].max(),
        "rejected": dict(look.rejected),
        "whole_file": look.whole,
        "notes": list(look.notes),
        "error": str(look.error) if look.error else None,
        "bars": good.head(rows).select(bars.COLUMNS).to_dicts(),
    }
