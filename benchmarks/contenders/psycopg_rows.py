"""psycopg from Python objects: COPY into a temporary table and ON CONFLICT, or executemany.

`psycopg-copy`: `copy.write_row` for every row, in binary with `set_types`, as psycopg's manual
advises for speed ("Using COPY TO and COPY FROM", "Binary copy"); then the usual upsert.
`executemany`: `INSERT … VALUES … ON CONFLICT` per row, which psycopg sends in pipeline mode
("Pipeline mode support"), 10,000 rows a call, one transaction.
"""

from __future__ import annotations

import sys

from benchmarks.contenders.contender import Contender, script

CONTENDERS = (
    Contender(
        name="psycopg-copy",
        title="psycopg COPY of Python rows, temporary table, ON CONFLICT",
        command=script(__name__, "copy"),
    ),
    Contender(
        name="executemany",
        title="psycopg executemany, ON CONFLICT",
        command=script(__name__, "executemany"),
    ),
)
_TYPES = ("text", "text", "text", "timestamptz", *["float8"] * 6, "int8")


def load(url: str, path: str, way: str) -> None:
    import psycopg

    from benchmarks.contenders import bar_file, upsert_sql

    columns = ", ".join(upsert_sql.COLUMNS)
    rows = bar_file.read(path).select(upsert_sql.COLUMNS).iter_rows(buffer_size=10_000)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        if way == "copy":
            cursor.execute(upsert_sql.CREATE_STAGE)
            with cursor.copy(f"COPY stage ({columns}) FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(_TYPES)
                for row in rows:
                    copy.write_row(row)
            cursor.execute("ANALYZE stage")
            cursor.execute(upsert_sql.UPSERT)
        else:
            from itertools import islice

            marks = ", ".join(["%s"] * len(upsert_sql.COLUMNS))
            insert = f"INSERT INTO bars_ohlcv ({columns}) VALUES ({marks}) {upsert_sql.ON_CONFLICT}"
            while some := list(islice(rows, 10_000)):
                cursor.executemany(insert, some)


if __name__ == "__main__":
    load(*sys.argv[1:])
