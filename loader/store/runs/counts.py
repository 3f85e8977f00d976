"""The counts of a run grow in the transaction that writes what they count."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from loader.errors import MergeFailed
from loader.results import Counts

if TYPE_CHECKING:
    from loader.db.executor import Executor


def add_counts(
    writer: Executor,
    run_id: int,
    counts: Counts,
    *,
    symbols: Iterable[str],
    min_ts: datetime | None,
    max_ts: datetime | None,
) -> None:
    """Adds `counts` to the run's, symbols to its symbols, and widens its span. It locks the run's
    row, so it comes last in its transaction.

    Raises:
        MergeFailed: the run is no longer running; the transaction must not commit.
    """
    row = writer.row(
        "job_run_add_counts", run_id, counts.read, counts.inserted, counts.updated,
        counts.unchanged, counts.duplicate, counts.skipped, counts.rejected,
        as_json(symbols), min_ts, max_ts, True,
    )  # fmt: skip
    if row is None:
        raise MergeFailed(
            f"job run {run_id} is no longer running, so nothing was merged",
            hint="it was marked failed or deleted meanwhile; run the same command again",
        )


def as_json(symbols: Iterable[str]) -> str:
    """An array of the distinct ones, sorted.

    Raises:
        TypeError: it is one text, whose letters are no symbols, or one of them is no text.
    """
    if isinstance(symbols, str):
        raise TypeError(f"symbols are a set or list of symbols, not one text: {symbols!r}")
    distinct = set(symbols)
    if not all(isinstance(symbol, str) for symbol in distinct):
        raise TypeError("symbols are texts")
    return json.dumps(sorted(distinct), ensure_ascii=False)
