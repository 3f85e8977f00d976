"""Which loads a rollback undoes."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loader.db.arrow import Connection, connect
from loader.errors import NothingStored, SettingsError
from loader.store.versions.instants import Instant


@dataclass(frozen=True, slots=True)
class Since:
    """The loads to be undone: of a run; or written at a time or later; or those that the state at
    an instant does not have. One of the three."""

    run_id: int | None = None
    moment: datetime | None = None
    instant: Instant | None = None


def about(url: str, since: Since, *, keep_later: bool) -> dict[str, object]:
    """What the metadata of a rollback's run says: the runs that it `rolls_back`, and whether it
    undoes them `whole`, so that together they come to nothing.

    Raises:
        NothingStored: there is nothing to undo.
        SettingsError: as `rollback`.
    """
    with connect(url, autocommit=True) as reader:
        found = loads(reader, since)
        runs = runs_of(found)
        all_of_them = of_runs(reader, runs)
    whole = not keep_later and all_of_them == {load for load, *_ in found}
    return {"rolls_back": list(runs), "whole": whole}


def loads(writer: Connection, since: Since) -> list[tuple[Any, ...]]:
    at = since.instant
    text, load_id = (at.text, at.load_id) if at else (None, None)
    frame = writer.frame("undo_loads", since.run_id, since.moment, text, load_id)
    found = frame.select("id", "run_id", "folded").rows()
    if not found:
        raise NothingStored(
            "there is no load to undo: nothing was changed",
            hint="see what was loaded: mdload job-runs list",
        )
    if frame["folded"].is_not_null().any():
        raise SettingsError(
            "mdload prune has folded loads that this would undo, so that their bars are not known",
            hint="undo younger loads only: mdload rollback --since TIME",
        )
    return found


def runs_of(loads: Sequence[tuple[Any, ...]]) -> tuple[int, ...]:
    return tuple(sorted({run for _, run, _ in loads if run is not None}))


def of_runs(reader: Connection, runs: Collection[int]) -> set[int]:
    """The loads of the runs."""
    if not runs:
        return set()
    return set(reader.frame("loads_of_runs", json.dumps(sorted(runs)))["id"].to_list())


def cancelled(reader: Connection, wanted: Sequence[int]) -> set[int]:
    """Runs that come to nothing together: those that were rolled back, and their rollbacks. One
    that was rolled back itself, or is to be, leaves in force what it had undone.

    To undo them with the `wanted` runs changes nothing of theirs, and they are in nobody's way.

    Raises:
        SettingsError: the wanted runs are among them.
    """
    cancelled: set[int] = set()
    undone_by: dict[int, int] = {}
    for run, text in reader.frame("rollback_runs").select("id", "runs").iter_rows():
        if run not in cancelled and run not in wanted:
            runs = set(json.loads(text)) - cancelled
            cancelled |= runs | {run}
            undone_by |= dict.fromkeys(runs, run)
    if wanted and set(wanted) <= cancelled:
        by = ", ".join(str(run) for run in sorted({undone_by.get(r, r) for r in wanted}))
        raise SettingsError(
            f"run {', '.join(map(str, wanted))} was rolled back already: see run {by}",
            hint=f"to have it again: mdload rollback {by}",
        )
    return cancelled
