"""The way back: loads undone, bars taken away, a symbol renamed, each on record as a load."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from loader.db import retries
from loader.db.arrow import Connection, connect
from loader.errors import Contended, LaterChanges, NothingStored, SettingsError
from loader.results import Counts
from loader.store.runs.counts import add_counts
from loader.store.runs.loads import Kind, Load
from loader.store.series import SeriesFilter
from loader.store.timescale.chunks import chunked
from loader.store.versions import selection
from loader.store.versions.selection import Since

_T = TypeVar("_T")
_LISTED: Final = 5


@dataclass(frozen=True, slots=True)
class Later:
    """Bars that loads of one run (None: of none) changed after the loads to be undone.

    `series` names some of theirs, as `SYMBOL INTERVAL`; `first` and `last` are ts (UTC).
    """

    run_id: int | None
    kind: str
    bars: int
    first: datetime
    last: datetime
    series: Sequence[str]


@dataclass(frozen=True, slots=True)
class Undone:
    """What a rollback, a delete or a rename did, or would do.

    Attributes:
        runs: of the loads that were undone.
        loads: how many they were.
        inserted, updated, deleted: bars written again, given their former values, taken away.
        kept: bars that stay as a later load made them.
        later: which those are.
    """

    runs: tuple[int, ...] = ()
    loads: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    kept: int = 0
    later: tuple[Later, ...] = ()


def rollback(url: str, since: Since, run_id: int | None, *, keep_later: bool = False) -> Undone:
    """Undoes loads in one transaction: every bar of theirs becomes what it was without them.

    Bars that another load changed later are left, if `keep_later`. `run_id` is the run that is to
    have the load; without one it is a dry run, which is rolled back.

    Raises:
        NothingStored: there is nothing to undo.
        LaterChanges: other loads changed some of the bars later, and `keep_later` is not set.
        SettingsError: the run's loads were folded by `mdload prune`.
    """

    def work(writer: Connection) -> Undone:
        loads = selection.loads(writer, since)
        runs = selection.runs_of(loads)
        cancelled = selection.cancelled(writer, runs)
        core = {load for load, *_ in loads}
        wanted = core | selection.of_runs(writer, cancelled)
        as_json = json.dumps({"loads": sorted(wanted), "core": sorted(core)})
        writer.run("wanted_set", as_json)
        _refuse_later(later := _later(writer), keep_later)
        updated = written = 0
        if writer.one("undo_has_prior")[0]:
            updated, deleted = writer.one("undo_bars", run_id)
            (written,) = writer.one("undo_restore")
        else:
            (deleted,) = writer.one("undo_new_bars", run_id)
        if not keep_later:  # once more: what another writer did meanwhile shows now
            _refuse_later(later := _later(writer), keep_later)
        writer.run("rejects_reopen", json.dumps(sorted(runs)))
        done = Undone(
            runs, len(loads), written - updated, updated, deleted,
            max((kept for kept, _ in later), default=0), tuple(one for _, one in later),
        )  # fmt: skip
        _record(writer, run_id, "rollback", done)
        return done

    return _transaction(url, work, dry=run_id is None)


def delete(url: str, asked: SeriesFilter, run_id: int | None) -> Undone:
    """Takes bars away, on record. Without `run_id` it is a dry run.

    Raises:
        NothingStored: there are no such bars.
    """

    def work(writer: Connection) -> Undone:
        (deleted,) = writer.one("delete_bars", run_id, *_filter(asked))
        if not deleted:
            raise NothingStored(
                "no such bars are stored", hint="see what there is: mdload coverage"
            )
        done = Undone(deleted=deleted)
        _record(writer, run_id, "delete", done)
        return done

    return _transaction(url, work, dry=run_id is None)


def rename(url: str, old: str, new: str, asked: SeriesFilter, run_id: int | None) -> Undone:
    """Moves the bars of symbol `old` to `new`, on record. Without `run_id` it is a dry run.

    Raises:
        NothingStored: there are no bars of `old`.
        SettingsError: bars of `new` stand where some of them would go.
    """
    only = SeriesFilter(asked.provider, (old,), asked.interval, asked.since, asked.until)

    def work(writer: Connection) -> Undone:
        met, first, last = writer.one(
            "rename_meets", old, new, asked.provider, asked.interval, asked.since, asked.until
        )
        if met:
            raise SettingsError(
                f"{met:,} bars of {new} stand where bars of {old} would go, the first at "
                f"{first:%Y-%m-%d %H:%M}Z and the last at {last:%Y-%m-%d %H:%M}Z",
                hint="narrow it with --provider, --interval, --since and --until, or delete one "
                "of the two first: mdload delete",
            )
        (deleted,) = writer.one("delete_bars", run_id, *_filter(only))
        if not deleted:
            raise NothingStored(f"no bars of {old} are stored", hint="see: mdload coverage")
        (written,) = writer.one("rename_bars", new)
        done = Undone(inserted=written, deleted=deleted)
        _record(writer, run_id, "rename", done, new)
        return done

    return _transaction(url, work, dry=run_id is None)


class _DryRun(Exception):
    """Rolls a transaction back that is not meant."""


def _transaction(url: str, work: Callable[[Connection], _T], *, dry: bool) -> _T:
    """The result of `work`, committed; again where another writer was in the way."""
    result: _T
    for attempt in range(1, retries.ATTEMPTS + 1):
        with ExitStack() as stack:
            writer = stack.enter_context(connect(url))
            try:
                with writer.transaction():
                    writer.run("undo_session")
                    if chunked(writer):
                        writer.run("decompression_unlimited")
                    result = work(writer)
                    if dry:
                        raise _DryRun
            except _DryRun:
                pass
            except Contended:
                if attempt == retries.ATTEMPTS:
                    raise
                time.sleep(retries.pause(attempt))
                continue
            return result
    raise AssertionError("unreachable")


def _later(writer: Connection) -> list[tuple[int, Later]]:
    """By run: how many bars in all, and those of the run."""
    if writer.one("undo_is_last")[0]:
        return []
    found = writer.frame("undo_later")
    return [
        (row.pop("all_bars"), Later(**{**row, "series": tuple(row["series"])}))
        for row in found.to_dicts()
    ]


def _refuse_later(later: Sequence[tuple[int, Later]], keep_later: bool) -> None:
    if not later or keep_later:
        return
    named = "; ".join(
        f"{f'run {one.run_id}' if one.run_id else 'no run'} ({one.kind}) {one.bars:,} of "
        f"{', '.join(one.series)}"
        for _, one in later[:_LISTED]
    )
    raise LaterChanges(
        f"{later[0][0]:,} of the bars were changed later, so nothing was undone: by {named}",
        hint="undo those first; or leave these bars as they are and undo all others: --keep-later",
    )


def _filter(asked: SeriesFilter) -> tuple[Any, ...]:
    symbols = json.dumps(list(asked.symbols), ensure_ascii=False) if asked.symbols else None
    return asked.provider, symbols, asked.interval, asked.since, asked.until


def _record(
    writer: Connection, run_id: int | None, kind: Kind, done: Undone, *symbols: str
) -> None:
    if run_id is None:
        return
    named, first, last = writer.one("undo_spans")
    add_counts(
        writer, run_id,
        Counts(
            read=done.inserted + done.updated, inserted=done.inserted, updated=done.updated
        ),
        symbols=[*json.loads(named), *symbols], min_ts=first, max_ts=last,
        load=Load(kind, deleted=done.deleted),
    )  # fmt: skip
