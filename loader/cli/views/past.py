"""What the commands about the past show: pins, differences, revisions, what was undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from loader.cli.views.table import Column, print_json, say, table
from loader.listen import log
from loader.text import counted, duration, span, utc

if TYPE_CHECKING:
    import polars as pl

    from loader.store.versions.diff import InstantDiff
    from loader.store.versions.pins import Pin
    from loader.store.versions.revisions import Restated
    from loader.store.versions.undo import Undone

_PRICES = ("open", "high", "low", "close")
_SERIES = ("provider", "symbol", "interval")


def show_pin(made: Pin, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    say(f"{made.name}: what is known by {utc(made.known_at)}, load {made.load_id}")


def show_pins(found: Sequence[Pin], as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif not found:
        log.note("no pins")
    else:
        table(
            None,
            ["pin", Column("known at", "time"), Column("load", "number", spare=2),
             Column("made", "time", spare=1), Column("by", spare=3), "note"],
            [(p.name, p.known_at, str(p.load_id), p.created_at, p.created_by, p.note)
             for p in found],
        )  # fmt: skip


def show_diff(found: InstantDiff, limit: int, as_json: bool) -> None:
    rows, series = found.rows, found.series
    if as_json:
        print_json({
            "a": _instant(found.a), "b": _instant(found.b),
            "added": int(series["added"].sum()), "changed": int(series["changed"].sum()),
            "gone": int(series["gone"].sum()), "series": series.to_dicts(),
            "bars": [plain_row(row) for row in rows.iter_rows(named=True)],
        })  # fmt: skip
        return
    if not rows.height:
        say(f"no bar differs between {found.a.label} and {found.b.label}")
        return
    table(
        f"From {found.a.label} to {found.b.label}",
        [*_SERIES, *(Column(name, "number") for name in ("added", "changed", "gone")),
         Column("bps", "number"), Column("ticks", "number", spare=1), Column("bars", "time")],
        [
            [row["provider"], row["symbol"], row["interval"], row["added"], row["changed"],
             row["gone"], _bps(row["bps"]), row["ticks"], span(row["first"], row["last"])]
            for row in series.iter_rows(named=True)
        ],
    )  # fmt: skip
    say()
    shown = rows.sort("bps", descending=True, nulls_last=True, maintain_order=True).head(limit)
    show_bars([*shown.iter_rows(named=True)])
    if rows.height > limit:
        say(f"and {rows.height - limit:,} more: --limit N, --to FILE or --json has them")


def show_revisions(found: Restated, as_json: bool) -> None:
    if as_json:
        print_json({"total": found.total, "series": found.series, "revisions": found.rows})
        return
    if not found.total:
        log.note("no revisions")
        return
    table(
        counted(found.total, "revision"),
        [*_SERIES, Column("updated", "number"), Column("deleted", "number"),
         Column("bps", "number"), Column("bars", "time")],
        [
            [row["provider"], row["symbol"], row["interval"], row["updated"], row["deleted"],
             _bps(row["bps"]), span(row["first"], row["last"])]
            for row in found.series
        ],
    )  # fmt: skip
    say()
    show_bars(found.rows)
    if found.total > len(found.rows):
        say(f"and {found.total - len(found.rows):,} more: --limit N")


def show_change(
    name: str, run_id: int | None, done: Undone, elapsed_ms: int, *, as_json: bool
) -> None:
    """`run_id` is None where nothing was written."""
    counts = {"inserted": done.inserted, "updated": done.updated, "deleted": done.deleted}
    if as_json:
        print_json({
            "run_id": run_id, "command": name, "dry_run": run_id is None,
            "rolled_back": done.runs, "loads": done.loads,
            **{f"rows_{what}": bars for what, bars in counts.items()},
            "rows_kept": done.kept, "later": [asdict(one) for one in done.later],
            "elapsed_ms": elapsed_ms,
        })  # fmt: skip
        return
    would = "would be " if run_id is None else ""
    what = ", ".join(f"{bars:,} {would}{what}" for what, bars in counts.items())
    where = "dry run" if run_id is None else f"run {run_id}"
    of = f" of {', '.join(f'run {run}' for run in done.runs)}" if done.runs else ""
    loads = f" of {counted(done.loads, 'load')}{of}" if done.loads else ""
    say(f"{name}{loads}: {what} ({where}, {duration(elapsed_ms)})")
    for one in done.later:
        who = f"run {one.run_id}" if one.run_id else f"a load ({one.kind})"
        series = ", ".join(one.series)
        say(f"{counted(one.bars, 'bar')} of {series} stay as {who} changed them later")


def write_rows(rows: pl.DataFrame, path: str) -> None:
    """All columns to a .parquet or .csv file, which appears when it is whole.

    Raises:
        SettingsError: it cannot be written.
    """
    import polars as pl

    from loader.store.export.files import kind_of, writing_frames

    if kind_of(path) == "csv":
        rows = rows.with_columns(pl.col("fields").list.join(" "))
    with writing_frames(path, dict(rows.schema)) as write:
        write(rows)


def show_loads(loads: Sequence[Mapping[str, Any]], undone_by: Sequence[Mapping[str, Any]]) -> None:
    """The loads of a run, and the runs that rolled it back."""
    for run in undone_by:
        say(f"rolled back by run {run['id']} at {utc(run['started_at'])}")
    if undone_by and loads:
        say()
    if loads:
        names = ("inserted", "updated", "deleted")
        table(
            counted(len(loads), "load"),
            [Column("load", "number"), "kind", Column("known at", "time"),
             *(Column(name, "number") for name in names), Column("file", "number", spare=1),
             Column("folded", "number", spare=2)],
            [
                [str(one["id"]), one["kind"], one["known_at"], *(one[name] for name in names),
                 one["file_id"] and str(one["file_id"]), one["folded"]]
                for one in loads[-_LOADS:]
            ],
        )  # fmt: skip
        if len(loads) > _LOADS:
            say(f"and {len(loads) - _LOADS:,} before: --json has them")


_LOADS = 20


def show_bars(rows: Sequence[Mapping[str, Any]]) -> None:
    """The bars. On a narrow terminal values that changed stay: the series gives way if all have
    one, which a line under the table names, and then values that changed in none."""
    if rows:
        values = (*_PRICES, "volume")
        same = [name for name in values if not any(_changed(row, name) for row in rows)]
        shared = [name for name in _SERIES if len({row[name] for row in rows}) == 1]
        spare = {name: place for place, name in enumerate((*same, *shared), start=1)}
        missing = table(
            None,
            [*(Column(name, spare=spare.get(name, 0)) for name in _SERIES), Column("ts", "time"),
             "what", Column("bps", "number"),
             *(Column(name, spare=spare.get(name, 0)) for name in values)],
            [
                [row["provider"], row["symbol"], row["interval"], row["ts"],
                 row.get("kind") or {"update": "changed", "delete": "gone"}[row["op"]],
                 _bps(row["bps"]), *(_values(row, name) for name in values)]
                for row in rows
            ],
            name_missing=False,
        )  # fmt: skip
        if one := [str(rows[0][name]) for name in shared if name in missing]:
            say(f"all of {' '.join(one)}")
        if others := [name for name in missing if name not in shared]:
            say(f"no room for: {', '.join(others)}")


def _changed(row: Mapping[str, Any], name: str) -> bool:
    old, new = row[f"old_{name}"], row[f"new_{name}"]
    return old is not None and new is not None and old != new


def _values(row: Mapping[str, Any], name: str) -> str | None:
    """`187 > 18.7` where it changed, else the value."""
    old, new = row[f"old_{name}"], row[f"new_{name}"]
    if _changed(row, name):
        return f"{old:.10g} > {new:.10g}"
    value = old if new is None else new
    return None if value is None else f"{value:.10g}"


def _bps(value: float | None) -> str | None:
    return None if value is None else f"{value:,.1f}"


def _instant(at: Any) -> dict[str, object]:
    return {"label": at.label, "known_at": at.known_at, "pin": at.pin}


def plain_row(row: dict[str, Any]) -> dict[str, Any]:
    """NaN and infinity (a price of 0 before) have no JSON form."""
    bps = row["bps"]
    return row | {"bps": bps if bps is None or bps < float("inf") else None}
