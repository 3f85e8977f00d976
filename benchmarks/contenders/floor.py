"""The floor: the fastest possible load into this table.

`polars.read_parquet`, then one binary COPY over ADBC straight into `bars_ohlcv` with its key.
Nothing is checked, merged or recorded, and a stored key makes it fail. Of many files each is read,
copied and committed by itself.
"""

from __future__ import annotations

import sys

from benchmarks.contenders.contender import Contender, script

CONTENDER = Contender(
    name="floor",
    title="floor: read_parquet, one ADBC COPY",
    command=script(__name__),
    merges=False,
    many=script(__name__),
    many_title="by hand: read_parquet, ADBC COPY, commit; per file",
)


def load(url: str, *paths: str) -> None:
    import polars as pl
    from adbc_driver_postgresql import dbapi

    from benchmarks.contenders import bar_file

    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        for path in paths:
            bars = bar_file.read(path).to_arrow(compat_level=pl.CompatLevel.oldest())
            cursor.adbc_ingest("bars_ohlcv", bars, mode="append")
            connection.commit()


if __name__ == "__main__":
    load(*sys.argv[1:])
