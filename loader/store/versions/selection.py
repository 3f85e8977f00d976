"""Which loads a rollback undoes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from loader.db.arrow import Connection
from loader.errors import NothingStored, SettingsError
from loader.lazy import dataclass
from loader.store.versions.instants import ALL_LOADS, Instant


@dataclass(frozen=True, slots=True)
class Since:
    """The loads to be undone: of a run; or written at a time or later; or those that the state at
    an instant does not have. One of the three."""

    run_id: int | None = None
    moment: datetime | None = None
    instant: Instant | None = None


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


def runs_of(loads: Iterable[tuple[Any, ...]]) -> tuple[int, ...]:
    return tuple(sorted({run for _, run, _ in loads if run is not None}))


def whole(reader: Connection, found: Sequence[tuple[Any, ...]]) -> bool:
    """Whether `found` are all loads of their runs."""
    ids = {load for load, *_ in found}
    return _of_runs(reader, [(run, ALL_LOADS) for run in runs_of(found)]) == ids


def cancelled(reader: Connection, found: Sequence[tuple[Any, ...]]) -> set[int]:
    """Loads that come to nothing together: those that were rolled back, and their rollbacks. A
    rollback that was rolled back itself, or is to be, leaves in force what it had undone.

    To undo them with the loads `found` changes nothing of theirs, and they are in nobody's way.

    Raises:
        SettingsError: all loads found are among them.
    """
    wanted = runs_of(found)
    dead: set[int] = set()
    bounds: list[tuple[int, int]] = []
    undone_by: dict[int, int] = {}
    frame = reader.frame("rollback_runs").select("id", "runs", "up_to")
    for run, text, up_to in frame.iter_rows():
        if run not in dead and run not in wanted:
            runs = set(json.loads(text)) - dead
            dead |= runs | {run}
            bounds += [(each, up_to) for each in runs] + [(run, ALL_LOADS)]
            undone_by |= dict.fromkeys(runs, run)
    loads = _of_runs(reader, bounds)
    if {load for load, *_ in found} <= loads:
        by = ", ".join(str(run) for run in sorted({undone_by.get(r, r) for r in wanted}))
        raise SettingsError(
            f"run {', '.join(map(str, wanted))} was rolled back already: see run {by}",
            hint=f"to have it again: mdload rollback {by}",
        )
    return loads


def _of_runs(reader: Connection, bounds: Sequence[tuple[int, int]]) -> set[int]:
    """The loads of runs, each up to a load."""
    if not bounds:
        return set()
    return set(reader.frame("loads_of_runs", json.dumps(bounds))["id"].to_list())
