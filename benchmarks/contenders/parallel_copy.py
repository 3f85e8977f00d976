"""The method of timescaledb-parallel-copy: batches of rows, COPYed over several connections.

Its defaults: batches of 5,000 rows, one transaction each; with --on-conflict-do-nothing a
batch that meets a stored key is COPYed into a temporary table and inserted from there with `ON
CONFLICT DO NOTHING`. The program itself is written in Go and reads CSV; here Python reads the file,
and two connections send it. Source: the README of timescale/timescaledb-parallel-copy.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from benchmarks.contenders.contender import Contender, script

if TYPE_CHECKING:
    import polars as pl
    from adbc_driver_postgresql.dbapi import Connection

CONTENDER = Contender(
    name="parallel-copy",
    title="2 x COPY of 5,000 rows, DO NOTHING",
    command=script(__name__),
    merges=False,
)
_BATCH, _WORKERS = 5_000, 2


def load(url: str, path: str) -> None:
    from adbc_driver_postgresql import dbapi

    from benchmarks.contenders import bar_file

    bars = bar_file.read(path)

    def work(worker: int) -> None:
        with dbapi.connect(url) as connection:
            for start in range(worker * _BATCH, bars.height, _WORKERS * _BATCH):
                _batch(connection, bars[start : start + _BATCH])

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(work, range(_WORKERS)))


def _batch(connection: Connection, rows: pl.DataFrame) -> None:
    import polars as pl
    from adbc_driver_manager import Error

    from benchmarks.contenders.upsert_sql import COLUMNS, CREATE_STAGE

    arrow = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    with connection.cursor() as cursor:
        try:
            cursor.adbc_ingest("bars_ohlcv", arrow, mode="append")
        except Error:
            connection.rollback()
            cursor.execute(f"{CREATE_STAGE.replace(' AS ', ' ON COMMIT DROP AS ')}")
            cursor.adbc_ingest("stage", arrow, mode="append", temporary=True)
            names = ", ".join(COLUMNS)
            cursor.execute(
                f"INSERT INTO bars_ohlcv ({names}) SELECT {names} FROM stage ON CONFLICT DO NOTHING"
            )
        connection.commit()


if __name__ == "__main__":
    load(*sys.argv[1:])
