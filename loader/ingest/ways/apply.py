"""Applies a plan: writes exactly its bars, once, if the store is as it was when it was made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.db import retries
from loader.db.arrow import Connection, connect
from loader.errors import Contended, StalePlan
from loader.ingest.ways.plan import Plan, fingerprints, rows_of
from loader.lazy import dataclass
from loader.results import Counts
from loader.store import merge, shape, spellings
from loader.store.runs.counts import add_counts
from loader.store.runs.loads import Load

#: Series that a message names.
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Drift:
    """A series that is no longer as the plan found it; times are UTC."""

    provider: str
    symbol: str
    interval: str
    bars_then: int
    bars_now: int


def drift(connection: Connection, plan: Plan) -> list[Drift]:
    """The series of the plan in which anything differs from what was read to make it."""
    now = fingerprints(connection, plan.series.select(*SERIES, "lo", "hi"))
    both = plan.series.with_columns(bars_now=now["bars"], hash_now=now["hash"])
    moved = both.filter(
        (pl.col("bars") != pl.col("bars_now")) | (pl.col("hash") != pl.col("hash_now"))
    )
    return [Drift(*row) for row in moved.select(*SERIES, "bars", "bars_now").rows()]


def check(connection: Connection, plan: Plan) -> None:
    """
    Raises:
        StalePlan: the plan was applied, or the store is not as it was.
    """
    if (applied := connection.row("plan_applied", plan.id)) is not None:
        raise StalePlan(
            f"{plan.path} was applied by run {applied[0]} at {applied[1]:%Y-%m-%d %H:%M:%S}Z",
            hint=f"see it: mdload job-runs inspect {applied[0]}; for another try make a new plan",
        )
    if moved := drift(connection, plan):
        named = "; ".join(
            f"{one.provider} {one.symbol} {one.interval} ({one.bars_then:,} bars then, "
            f"{one.bars_now:,} now)" for one in moved[:_NAMED]
        )  # fmt: skip
        more = f" and {len(moved) - _NAMED:,} more series" if len(moved) > _NAMED else ""
        raise StalePlan(
            f"{plan.path} is stale: the store has changed since it was made, in {named}{more}; "
            "nothing was written",
            hint="make a new one with: mdload backfill SOURCE --plan FILE; this one can be shown: "
            "mdload plan show FILE",
        )


def apply(url: str, plan: Plan, run_id: int) -> Counts:
    """Writes the plan's bars in one transaction, as one load of the run.

    Raises:
        StalePlan: as `check`; nothing was written.
        SymbolCollision: a symbol of the plan has been taken for another spelling since.
        Contended: other writers were in the way each time.
    """
    for attempt in range(1, retries.ATTEMPTS + 1):
        with connect(url) as writer:
            try:
                with writer.transaction():
                    return _apply(writer, plan, run_id)
            except Contended:
                if attempt == retries.ATTEMPTS:
                    raise
        time.sleep(retries.pause(attempt))
    raise AssertionError("unreachable")


def _apply(writer: Connection, plan: Plan, run_id: int) -> Counts:
    before = shape.held(writer)
    check(writer, plan)
    inserted = merge.copy_new(writer, _bars(plan, "insert"))
    merged = merge.upsert(writer, _bars(plan, "update"), run_id, None)
    shape.insist_stored(writer, before, inserted + merged.inserted, staged=merged != merge.Merged())
    if (inserted, merged.inserted, merged.updated) != (plan.inserted, 0, plan.updated):
        raise Contended("another writer changed bars of the plan while it was applied")
    _insist_on_old(writer, plan)
    spellings.keep(writer, plan.spellings, run_id)
    counts = Counts(read=inserted + merged.updated, inserted=inserted, updated=merged.updated)
    written = plan.series.filter(pl.col("inserted") + pl.col("updated") > 0)
    first, last = written.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
    add_counts(
        writer, run_id, counts, symbols=written["symbol"].to_list(), min_ts=first, max_ts=last,
        load=Load("apply"),
    )  # fmt: skip
    return counts


def _insist_on_old(writer: Connection, plan: Plan) -> None:
    """
    Raises:
        Contended: a bar that was changed was not as the plan says.
    """
    if not plan.updated:
        return
    old = {f"old_{v}": v for v in bars.VALUES}
    before = (
        frame.select(*bars.KEY, *old).rename(old).select(bars.COLUMNS)
        for frame in rows_of(plan, "update")
    )
    writer.run("plan_updates_create")
    writer.ingest("mdload_planned", bars.SCHEMA, before, temporary=True)
    if writer.one("plan_unmet")[0]:
        raise Contended("another writer changed bars of the plan while it was applied")


def _bars(plan: Plan, kind: str) -> Iterator[pl.DataFrame]:
    for frame in rows_of(plan, kind):
        yield frame.select(bars.COLUMNS)
