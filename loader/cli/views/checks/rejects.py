"""What `mdload rejects` shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loader.check.rawrows import decoded
from loader.cli.views.table import Column, print_json, say, table
from loader.listen import log

if TYPE_CHECKING:
    import polars as pl

_STATES = ("waiting", "replayed", "superseded")
_CELLS = 300


def show_counts(found: pl.DataFrame, limit: int, as_json: bool) -> None:
    if as_json:
        print_json(found.to_dicts())
        return
    if not found.height:
        log.note("no rejected rows")
        return
    table(
        None,
        [Column("run", "number"), Column("rejected", "time", spare=2), Column("file", "path"),
         Column("rule"), Column("rows", "number"), Column("waiting", "number"),
         *(Column(name, "number", spare=1) for name in _STATES[1:])],
        [
            [_text(row["run_id"]), row["rejected_at"], row["path"], row["rule"], row["rows"],
             *(row[name] for name in _STATES)]
            for row in found.head(limit).iter_rows(named=True)
        ],
    )  # fmt: skip
    if found.height > limit:
        say(f"and {found.height - limit:,} more: --limit N or --json has them")
    of_runs = [row for row in found.select("run_id", "waiting").iter_rows() if row[0] is not None]
    waiting = [run for run, waits in of_runs if waits]
    if of_runs:
        again = f";  mdload rejects replay {waiting[0]} --dry-run" if waiting else ""
        say()
        say(f"next: mdload rejects show {(waiting or of_runs[0])[0]}{again}")


def show_rows(rows: Sequence[Mapping[str, Any]], *, more: bool, as_json: bool) -> None:
    if as_json:
        print_json([{**row, "raw": json.loads(row["raw"])} for row in rows])
        return
    if not rows:
        log.note("no rejected rows")
        return
    several = len({row["path"] for row in rows}) > 1
    if not several:
        say(f"{rows[0]['path'] or 'rows of a program or feed'}")
        say()
    table(
        None,
        [*([Column("file", "path")] if several else []), Column("row", "number"), Column("broke"),
         Column("state", "status", spare=1), Column("the row")],
        [
            [*([row["path"]] if several else []), _text(row["row_number"]),
             ", ".join(row["rules"]), _state(row), _cells(row["raw"])]
            for row in rows
        ],
    )  # fmt: skip
    if more:
        these = f"these {len(rows):,} rows" if len(rows) > 1 else "this row"
        say(f"and more than {these}: --limit N, or mdload rejects export")


def _state(row: Mapping[str, Any]) -> str:
    by = row["replayed_by"] or row["superseded_by"]
    return f"{row['state']} by run {by}" if by else row["state"]


def _cells(raw: str) -> str:
    text = ", ".join(
        f"{name}={'' if cell is None else cell}" for name, cell in decoded(raw).items()
    )
    return text if len(text) <= _CELLS else text[:_CELLS] + " …"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
