"""Undoes what a run did to a dataset of a tenant."""

from __future__ import annotations

from loader.db.arrow import Connection, connect
from loader.db.rows import connect as connect_rows
from loader.errors import Contended, LaterChanges, NothingStored
from loader.ingest.ways.tenants.load import find
from loader.lazy import dataclass
from loader.results import Counts
from loader.settings.datasets import Dataset, dataset
from loader.store.runs.counts import add_counts
from loader.store.versions.undo import Undone


@dataclass(frozen=True, slots=True)
class TenantRun:
    """A run that loaded a dataset of a tenant (its id)."""

    run_id: int
    of: Dataset
    tenant: str


def tenant_run(url: str, run_id: int) -> TenantRun | None:
    """What the run loaded; None if it is not of a tenant."""
    with connect_rows(url, doing="looking at the run") as session:
        row = session.row("tenant_run", run_id)
    return None if row is None or row[0] is None else TenantRun(run_id, dataset(row[1]), row[0])


def rollback(url: str, which: TenantRun, run_id: int | None) -> Undone:
    """Undoes it in one transaction: new rows are deleted, changed ones get their old values, and
    older versions leave the history. `run_id` is the run that does so; without one it is a dry run,
    which is rolled back.

    Raises:
        NothingStored: the run changed nothing.
        LaterChanges: something else has changed some of its rows since.
        Contended: another writer was in the way.
    """
    tenant = find(url, which.tenant)
    with connect(url) as writer:
        writer.of = which.of
        try:
            with writer.transaction():
                writer.run("tenant_set", tenant.id, tenant.name)
                writer.run("versions_hold")
                done = _undone(writer, which, run_id)
                if run_id is None:
                    raise _DryRun
                writer.one(
                    "tenant_load_record", which.of.name, "rollback", run_id, None,
                    0, done.updated, done.deleted,
                )  # fmt: skip
                counts = Counts(read=done.updated, updated=done.updated)
                add_counts(writer, run_id, counts, symbols=(), min_ts=None, max_ts=None)
        except _DryRun:
            pass
    return done


def _undone(writer: Connection, which: TenantRun, run_id: int | None) -> Undone:
    (loads,) = writer.one("tenant_undo_loads", which.run_id)
    if not loads:
        raise NothingStored(
            f"run {which.run_id} changed nothing of {which.of.name}",
            hint="see what it did: mdload job-runs inspect",
        )
    if met := writer.one("tenant_undo_met", which.run_id)[0]:
        raise LaterChanges(
            f"{met:,} of the rows were changed later, so nothing was undone",
            hint="undo the later runs first: mdload job-runs list",
        )
    kept, changed = writer.one("tenant_undo_rows", which.run_id, run_id)
    kept_too, gone = writer.one("tenant_undo_new_rows", which.run_id, run_id)
    if (kept, kept_too) != (changed, gone):
        raise Contended("another writer changed some of the rows meanwhile")
    (versions,) = writer.one("tenant_undo_versions", which.run_id)
    return Undone((which.run_id,), loads, 0, changed, gone + versions)


class _DryRun(Exception):
    """Rolls a transaction back that is not meant."""
