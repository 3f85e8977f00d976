"""The way back: loads undone, bars taken away, a symbol renamed, each on record as a load."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Final, TypeVar

from loader.db import retries
from loader.db.arrow import Connection, connect
from loader.errors import Contended, LaterChanges, NothingStored, SettingsError
from loader.lazy import dataclass
from loader.results import Counts
from loader.store import shape
from loader.store.runs.counts import add_counts
from loader.store.runs.loads import Kind, Load
from loader.store.series import SeriesFilter
from loader.store.timescale.chunks import chunked
from loader.store.versions import many, selection
from loader.store.versions.selection import Since

_T = TypeVar("_T")
#: Symbols, first and last ts of some bars.
_Span = tuple[list[str], datetime | None, datetime | None]
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
        SettingsError: the run was rolled back already; or `mdload prune` has folded its loads or
            removed their revisions.
    """

    def work(writer: Connection, attempt: int) -> Undone:
        writer.run("settled")  # a load that commits later has a higher number than all found
        loads = selection.loads(writer, since)
        runs = selection.runs_of(loads)
        core = {load for load, *_ in loads}
        _meant(writer, core, core | selection.cancelled(writer, loads))
        _refuse_later(later := _later(writer), keep_later)
        alone = run_id is not None and attempt == 1
        updated, deleted, written, *spans = _put_back(writer, run_id, alone)
        if not keep_later:  # once more: what another writer did meanwhile shows now
            _refuse_later(later := _later(writer), keep_later)
        writer.run("rejects_reopen", json.dumps(sorted(runs)))
        done = Undone(
            runs, len(loads), written - updated, updated, deleted,
            max((kept for kept, _ in later), default=0), tuple(one for _, one in later),
        )  # fmt: skip
        if run_id is not None:
            whole = not keep_later and selection.whole(writer, loads)
            writer.run("undo_remember", run_id, json.dumps(runs), json.dumps(whole), max(core))
        _record(writer, run_id, "rollback", done, *spans)
        return done

    return _transaction(url, work, dry=run_id is None)


def _meant(writer: Connection, core: set[int], loads: set[int]) -> None:
    """Names the loads to be undone for the queries that follow.

    Raises:
        SettingsError: revisions of theirs were pruned.
    """
    writer.run("undone_create")
    writer.run("undone_fill", json.dumps(sorted(loads)), json.dumps(sorted(core)))
    writer.run("undone_analyze")
    (pruned,) = writer.one("undo_pruned")
    if pruned > 0:
        raise SettingsError(
            f"the old values of {pruned:,} bars are gone, so that this cannot be undone: mdload "
            "prune has removed them",
            hint="load the former file again, with --force",
        )


def _put_back(
    writer: Connection, run_id: int | None, alone: bool
) -> tuple[int, int, int, _Span, _Span]:
    """Takes the bars of the loads away, and writes what was there before. Gives how many bars
    became something else, how many are gone, how many were written, and what the latter two are.
    `alone` is whether other sessions may have to wait for the revisions meanwhile."""
    writer.run("prior_create")
    writer.run("prior_analyze")
    replaced = gone = written = 0
    symbols, taken = "[]", None
    prior, first, last, added = writer.one("undo_extent")
    if prior:
        replaced, kept = writer.one("undo_replaced", run_id, first, last)
        shape.insist_kept(writer, replaced, kept)
    if added:
        which = "added" if prior else "all"
        taken = None if prior else _span(writer, "undo_all_spans")
        with many.indexes_made_after(writer, wanted=alone):
            kept = writer.changed(f"undo_{which}_keep", run_id)
        gone = writer.changed(f"undo_{which}")
        shape.insist_kept(writer, gone, kept)
    if prior:
        written, symbols = writer.one("undo_restore", first, last)
    taken = taken or _span(writer, "undo_spans")
    return replaced, gone, written, taken, (json.loads(symbols), first, last)


def _span(writer: Connection, query: str) -> _Span:
    symbols, first, last = writer.one(query)
    return json.loads(symbols), first, last


def delete(url: str, asked: SeriesFilter, run_id: int | None) -> Undone:
    """Takes bars away, on record. Without `run_id` it is a dry run.

    Raises:
        NothingStored: there are no such bars.
    """

    def work(writer: Connection, _: int) -> Undone:
        deleted = _taken(writer, run_id, asked)
        if not deleted:
            raise NothingStored(
                "no such bars are stored", hint="see what there is: mdload coverage"
            )
        done = Undone(deleted=deleted)
        _record(writer, run_id, "delete", done, _span(writer, "undo_spans"))
        return done

    return _transaction(url, work, dry=run_id is None)


def rename(url: str, old: str, new: str, asked: SeriesFilter, run_id: int | None) -> Undone:
    """Moves the bars of symbol `old` to `new`, on record. Without `run_id` it is a dry run.

    Raises:
        NothingStored: there are no bars of `old`.
        SettingsError: bars of `new` stand where some of them would go.
    """
    only = SeriesFilter(asked.provider, (old,), asked.interval, asked.since, asked.until)

    def work(writer: Connection, _: int) -> Undone:
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
        deleted = _taken(writer, run_id, only)
        if not deleted:
            raise NothingStored(f"no bars of {old} are stored", hint="see: mdload coverage")
        (written,) = writer.one("rename_bars", new)
        done = Undone(inserted=written, deleted=deleted)
        taken = _span(writer, "undo_spans")
        _record(writer, run_id, "rename", done, taken, ([new], None, None))
        return done

    return _transaction(url, work, dry=run_id is None)


class _DryRun(Exception):
    """Rolls a transaction back that is not meant."""


def _transaction(url: str, work: Callable[[Connection, int], _T], *, dry: bool) -> _T:
    """The result of `work`, committed; again where another writer was in the way: `work` gets the
    number of the attempt."""
    result: _T
    for attempt in range(1, retries.ATTEMPTS + 1):
        with ExitStack() as stack:
            writer = stack.enter_context(connect(url))
            try:
                with writer.transaction():
                    writer.run("undo_session")
                    writer.run("undo_alone")
                    if chunked(writer):
                        writer.run("decompression_unlimited")
                    result = work(writer, attempt)
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


def _taken(writer: Connection, run_id: int | None, asked: SeriesFilter) -> int:
    """How many bars were taken away."""
    symbols = json.dumps(list(asked.symbols), ensure_ascii=False) if asked.symbols else None
    gone, kept = writer.one(
        "delete_bars", run_id, asked.provider, symbols, asked.interval, asked.since, asked.until
    )
    shape.insist_kept(writer, gone, kept)
    return int(gone)


def _record(
    writer: Connection, run_id: int | None, kind: Kind, done: Undone, *spans: _Span
) -> None:
    if run_id is None:
        return
    times = [moment for _, *ends in spans for moment in ends if moment is not None]
    add_counts(
        writer, run_id,
        Counts(
            read=done.inserted + done.updated, inserted=done.inserted, updated=done.updated
        ),
        symbols=[symbol for symbols, *_ in spans for symbol in symbols],
        min_ts=min(times, default=None), max_ts=max(times, default=None),
        load=Load(kind, deleted=done.deleted),
    )  # fmt: skip
