"""DuckDB with its postgres extension: `MERGE INTO` the attached table, straight from the file.

Sources: DuckDB's manual, "PostgreSQL Extension" and "MERGE INTO". The extension comes from PyPI
(`duckdb-ext-postgres`, which goes with one version of `duckdb`) or from DuckDB's own repository.

Of many files each is an `INSERT INTO … FROM 'file'`, which commits by itself: a MERGE for each
would read the whole table as often as there are files.
"""

from __future__ import annotations

import importlib.util
import sys

from benchmarks.contenders.contender import Contender, script

CONTENDER = Contender(
    name="duckdb",
    title="DuckDB postgres extension, MERGE INTO",
    command=script(__name__),
    modules=("duckdb",),
    many=script(__name__),
    many_title="DuckDB, INSERT INTO … FROM 'file'; per file",
)


def load(url: str, *paths: str) -> None:
    import duckdb

    from benchmarks.contenders import upsert_sql

    with duckdb.connect() as connection:
        if packaged := importlib.util.find_spec("duckdb_ext"):
            (place,) = packaged.submodule_search_locations or ()
            connection.execute(f"SET extension_directory = '{place}/extensions'")
        connection.execute(f"ATTACH '{url}' AS pg (TYPE postgres)")
        # DuckDB does not ask the server for a column's default.
        made = {"created_at": "now()", "updated_at": "now()"}
        if len(paths) == 1:
            connection.execute(upsert_sql.merge("pg.bars_ohlcv", f"'{paths[0]}'", **made))
            return
        for path in paths:
            connection.execute(upsert_sql.insert("pg.bars_ohlcv", f"'{path}'", **made))


if __name__ == "__main__":
    load(*sys.argv[1:])
