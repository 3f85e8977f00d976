"""`pandas.DataFrame.to_sql` with the two insertion methods in its manual.

`pandas`: a callable with SQLAlchemy's `on_conflict_do_update`, after the reference of `to_sql`; the
rows go to SQLAlchemy's executemany, which took a seventh of the time of the manual's VALUES list.
`pandas-copy`: a callable that COPYs CSV text ("Insertion method" in the user guide); it only
appends, so it takes part in fresh loads and appends only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.contenders.contender import Contender, script

CONTENDERS = (
    Contender(
        name="pandas",
        title="pandas to_sql, ON CONFLICT",
        command=script(__name__, "upsert"),
        modules=("pandas", "sqlalchemy"),
    ),
    Contender(
        name="pandas-copy",
        title="pandas to_sql, COPY of CSV",
        command=script(__name__, "copy"),
        modules=("pandas", "sqlalchemy"),
        merges=False,
    ),
)


def load(url: str, path: str, way: str) -> None:
    import pandas as pd
    from sqlalchemy import create_engine

    is_csv = path.endswith(".csv")
    bars = pd.read_csv(path, parse_dates=["ts"]) if is_csv else pd.read_parquet(path)
    method: Callable[..., Any] = _upsert if way == "upsert" else _copy
    with create_engine(url.replace("postgresql:", "postgresql+psycopg:")).begin() as connection:
        bars.to_sql(
            "bars_ohlcv", connection, if_exists="append", index=False, method=method,
            chunksize=10_000 if way == "upsert" else None,
        )  # fmt: skip


def _upsert(table: Any, connection: Any, keys: list[str], rows: Iterable[Any]) -> int:
    from sqlalchemy import tuple_
    from sqlalchemy.dialects.postgresql import insert

    from benchmarks.contenders.upsert_sql import KEY, VALUES

    stored = table.table
    statement = insert(stored)
    new = statement.excluded
    differs = tuple_(*(stored.c[name] for name in VALUES)).is_distinct_from(
        tuple_(*(new[name] for name in VALUES))
    )
    upsert = statement.on_conflict_do_update(
        index_elements=KEY, set_={name: new[name] for name in VALUES}, where=differs
    )
    return int(
        connection.execute(upsert, [dict(zip(keys, row, strict=True)) for row in rows]).rowcount
    )


def _copy(table: Any, connection: Any, keys: list[str], rows: Iterable[Any]) -> None:
    import csv
    from io import StringIO

    text = StringIO()
    csv.writer(text).writerows(rows)
    columns = ", ".join(f'"{name}"' for name in keys)
    with connection.connection.cursor() as cursor:
        statement = f"COPY {table.name} ({columns}) FROM STDIN WITH CSV"
        with cursor.copy(statement) as copy:
            copy.write(text.getvalue())


if __name__ == "__main__":
    load(*sys.argv[1:])
