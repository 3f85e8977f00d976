"""Adds to the counts of a run in the transaction that writes the counted rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from loader.errors import MergeFailed
from loader.results import Counts
from loader.store.runs.loads import Load

if TYPE_CHECKING:
    from loader.db.executor import Executor

#: The last parameters of `job_run_add_counts` if it is to record no load.
NO_LOAD: Final = (None, None, 0, None)


def add_counts(
    writer: Executor,
    run_id: int,
    counts: Counts,
    *,
    symbols: Iterable[str],
    min_ts: datetime | None,
    max_ts: datetime | None,
    load: Load | None = None,
) -> None:
    """Adds `counts` and `symbols` to the run and widens its span; records `load` as `loads.record`
    does. It locks the run's row: call it last in its transaction.

    Raises:
        Contended: another load began in the same microsecond; run the transaction again.
        MergeFailed: the run is no longer running; the transaction must not commit.
    """
    row = writer.row(
        "job_run_add_counts", run_id, counts.read, counts.inserted, counts.updated,
        counts.unchanged, counts.duplicate, counts.skipped, counts.rejected,
        as_json(symbols), min_ts, max_ts, True,
        *((load.kind, load.file_id, load.deleted, load.known_at) if load else NO_LOAD),
    )  # fmt: skip
    if row is None:
        raise MergeFailed(
            f"job run {run_id} is no longer running, so nothing was merged",
            hint="it was marked failed or deleted meanwhile; run the same command again",
        )


def as_json(symbols: Iterable[str]) -> str:
    """The distinct symbols, sorted, as a JSON array.

    Raises:
        TypeError: `symbols` is a single string, or one of them is not a string.
    """
    if isinstance(symbols, str):
        raise TypeError(f"symbols are a set or list of symbols, not one text: {symbols!r}")
    distinct = set(symbols)
    if not all(isinstance(symbol, str) for symbol in distinct):
        raise TypeError("symbols are texts")
    return json.dumps(sorted(distinct), ensure_ascii=False)
