"""The bars that one run wrote, as it left them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from loader import bars
from loader.db.arrow import connect
from loader.db.cancelling import cancelling
from loader.errors import UnknownRun
from loader.store.series import SeriesFilter


@contextmanager
def written_by(
    url: str, run_id: int, asked: SeriesFilter
) -> Iterator[tuple[int, Iterator[pl.DataFrame]]]:
    """How many bars the run inserted and updated, by its record; and the bars that are known to be
    its own, as they were after it: frames of `bars.SCHEMA`, sorted by key.

    Those can be fewer: the run itself changed or deleted some again, or `mdload prune` removed what
    they were before a later run changed them.

    Raises:
        UnknownRun: there is no such run.
        DatabaseError: the server failed.
    """
    with connect(url, autocommit=True) as connection, cancelling(connection):
        found = connection.frame("run_written", run_id)
        if found.is_empty():
            raise UnknownRun(f"there is no job run {run_id}", hint="see them: mdload job-runs list")
        wanted = {
            "run": run_id,
            "provider": asked.provider,
            "symbols": list(asked.symbols) or None,
            "interval": asked.interval,
            "since": asked.since and asked.since.isoformat(),
            "until": asked.until and asked.until.isoformat(),
        }
        connection.run("wanted_set", json.dumps(wanted, ensure_ascii=False))
        frames = connection.frames("run_bars")
        yield found.item(0, 0), (frame.cast(pl.Schema(bars.SCHEMA)) for frame in frames)
