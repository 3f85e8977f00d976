"""Statements shared by contenders that stage and then merge."""

from __future__ import annotations

COLUMNS = ("provider", "symbol", "interval", "ts", "open", "high", "low", "close", "volume",
           "vwap", "trade_count")  # fmt: skip
KEY, VALUES = COLUMNS[:4], COLUMNS[4:]

CREATE_STAGE = "CREATE TEMPORARY TABLE stage AS SELECT {} FROM bars_ohlcv WITH NO DATA".format(
    ", ".join(COLUMNS)
)

_DISTINCT = "({}) IS DISTINCT FROM ({})"
_SET = ", ".join(f"{name} = {{0}}.{name}" for name in VALUES)


def _differs(old: str, new: str) -> str:
    return _DISTINCT.format(
        ", ".join(f"{old}.{name}" for name in VALUES),
        ", ".join(f"{new}.{name}" for name in VALUES),
    )


#: The end of `INSERT INTO bars_ohlcv … `: updates changed bars and leaves equal ones alone.
ON_CONFLICT = (
    f"ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET {_SET.format('excluded')} "
    f"WHERE {_differs('bars_ohlcv', 'excluded')}"
)

UPSERT = (
    f"INSERT INTO bars_ohlcv ({', '.join(COLUMNS)}) "
    f"SELECT {', '.join(COLUMNS)} FROM stage {ON_CONFLICT}"
)


def insert(target: str, source: str, **also: str) -> str:
    """All rows of `source`; `also` as in `merge`."""
    values = {name: name for name in COLUMNS} | also
    return (
        f"INSERT INTO {target} ({', '.join(values)}) "
        f"SELECT {', '.join(values.values())} FROM {source}"
    )


def merge(target: str = "bars_ohlcv", source: str = "stage", **also: str) -> str:
    """The same as MERGE; `also` has columns that only an insert sets, with their expressions."""
    inserted = {name: f"new.{name}" for name in COLUMNS} | also
    return (
        f"MERGE INTO {target} AS stored USING {source} AS new "
        f"ON {' AND '.join(f'stored.{name} = new.{name}' for name in KEY)} "
        f"WHEN MATCHED AND {_differs('stored', 'new')} THEN UPDATE SET {_SET.format('new')} "
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(inserted)}) "
        f"VALUES ({', '.join(inserted.values())})"
    )
