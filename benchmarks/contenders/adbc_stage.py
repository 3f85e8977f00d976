"""The usual pattern, and the same with MERGE.

All bars go over ADBC into a temporary table, which is analyzed; then one statement merges it:
`INSERT … ON CONFLICT … DO UPDATE … WHERE … IS DISTINCT FROM`, or `MERGE` with the same condition.
Sources: PostgreSQL's manual, "INSERT" (ON CONFLICT) and "MERGE"; the ADBC driver's, "Bulk
ingestion".
"""

from __future__ import annotations

import sys

from benchmarks.contenders.contender import Contender, script

CONTENDERS = (
    Contender(
        name="usual",
        title="usual pattern: ADBC, temporary table, ON CONFLICT",
        command=script(__name__, "upsert"),
    ),
    Contender(
        name="merge",
        title="ADBC, temporary table, MERGE",
        command=script(__name__, "merge"),
    ),
)


def load(url: str, path: str, way: str) -> None:
    import polars as pl
    from adbc_driver_postgresql import dbapi

    from benchmarks.contenders import bar_file, upsert_sql

    bars = bar_file.read(path).to_arrow(compat_level=pl.CompatLevel.oldest())
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(upsert_sql.CREATE_STAGE)
        cursor.adbc_ingest("stage", bars, mode="append", temporary=True)
        cursor.execute("ANALYZE stage")
        cursor.execute(upsert_sql.merge() if way == "merge" else upsert_sql.UPSERT)
        connection.commit()


if __name__ == "__main__":
    load(*sys.argv[1:])
