"""Deletes stored bars that a file does not have any more, on record."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.db.arrow import Connection
from loader.store.packed import wanted_json
from loader.store.timescale.chunks import chunked


def delete_gone(
    writer: Connection,
    series: pl.DataFrame,
    keys: Iterable[pl.DataFrame],
    run_id: int | None,
    file_id: int | None,
) -> int:
    """Deletes the bars of `series` (provider, symbol, interval) from `lo` to `hi` that are not
    among `keys` (frames of the key of a bar), and keeps them as revisions. Returns how many.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    own = series.select(*SERIES, "lo", "hi")
    writer.run("gone_keys")
    schema = {name: bars.SCHEMA[name] for name in bars.KEY}
    of_series = (frame.join(own, on=SERIES, how="semi") for frame in keys)
    writer.ingest("mdload_keys", schema, of_series, temporary=True)
    writer.run("gone_analyze")
    writer.run("wanted_set", wanted_json(own))
    if chunked(writer):
        writer.run("decompression_unlimited")
    (deleted,) = writer.one("gone_delete", run_id, file_id)
    return int(deleted)
