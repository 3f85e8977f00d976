"""DuckDB with its postgres extension: `MERGE INTO` the attached table, straight from the file.

Sources: DuckDB's manual, "PostgreSQL Extension" and "MERGE INTO". The extension comes from PyPI
(`duckdb-ext-postgres`, which goes with one version of `duckdb`) or from DuckDB's own repository.
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
)


def load(url: str, path: str) -> None:
    import duckdb

    from benchmarks.contenders import upsert_sql

    with duckdb.connect() as connection:
        if packaged := importlib.util.find_spec("duckdb_ext"):
            (place,) = packaged.submodule_search_locations or ()
            connection.execute(f"SET extension_directory = '{place}/extensions'")
        connection.execute(f"ATTACH '{url}' AS pg (TYPE postgres)")
        # DuckDB does not ask the server for a column's default.
        made = {"created_at": "now()", "updated_at": "now()"}
        connection.execute(upsert_sql.merge("pg.bars_ohlcv", f"'{path}'", **made))


if __name__ == "__main__":
    load(*sys.argv[1:])
