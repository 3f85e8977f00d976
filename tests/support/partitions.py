"""Bars in a table that PostgreSQL itself partitions, as somebody with many of them makes it."""

from __future__ import annotations

from typing import Final

#: On the tables of schema revision 0002: later ones have functions that return rows of the table.
PARTITIONED: Final = (
    "ALTER TABLE bars_ohlcv RENAME TO whole",
    "CREATE TABLE bars_ohlcv (LIKE whole INCLUDING DEFAULTS INCLUDING CONSTRAINTS, CONSTRAINT"
    " bars_ohlcv_key PRIMARY KEY (provider, symbol, interval, ts)) PARTITION BY RANGE (ts)",
    "DROP TABLE whole",
    "CREATE TRIGGER bars_ohlcv_updated_at BEFORE UPDATE ON bars_ohlcv"
    " FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION mdload_touch_updated_at()",
    "CREATE TABLE bars_2023 PARTITION OF bars_ohlcv"
    " FOR VALUES FROM ('2023-01-01Z') TO ('2024-01-02 14:31Z')",
    "CREATE TABLE bars_2024 PARTITION OF bars_ohlcv"
    " FOR VALUES FROM ('2024-01-02 14:31Z') TO ('2024-03-04 14:32Z')",
    "CREATE TABLE bars_later PARTITION OF bars_ohlcv DEFAULT",
)
