"""History from before schema revision 0003 is read as of an instant too."""

from __future__ import annotations

import psycopg
import pytest

from loader.store import schema

BAR = (
    "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close, created_at,"
    " updated_at) VALUES ('p', %s, '1d', '2024-01-02Z', %s, 9, 1, %s, %s, %s)"
)
REVISION = (
    "INSERT INTO bars_ohlcv_revisions (provider, symbol, interval, ts, old_open, old_high, old_low,"
    " old_close, new_open, new_high, new_low, new_close, revised_at)"
    " VALUES ('p', %s, '1d', '2024-01-02Z', %s, 9, 1, %s, %s, 9, 1, %s, %s)"
)


@pytest.mark.parametrize("partitioned", [False, True])
def test_up_down_and_up_with_history(empty_url: str, partitioned: bool) -> None:
    schema.upgrade(empty_url, "0002")
    with psycopg.connect(empty_url, autocommit=True) as connection:
        if partitioned:
            hypertable = connection.execute(
                "SELECT FROM pg_extension WHERE extname = 'timescaledb'"
            ).fetchone()
            assert hypertable is None
            connection.execute("ALTER TABLE bars_ohlcv RENAME TO whole")
            connection.execute(
                "CREATE TABLE bars_ohlcv (LIKE whole INCLUDING DEFAULTS,"
                " PRIMARY KEY (provider, symbol, interval, ts)) PARTITION BY RANGE (ts)"
            )
            connection.execute("DROP TABLE whole")
            connection.execute(
                "CREATE TABLE y2024 PARTITION OF bars_ohlcv"
                " FOR VALUES FROM ('2024-01-01Z') TO ('2025-01-01Z')"
            )
        connection.execute(BAR, ["A", 3, 3, "2024-02-01Z", "2024-02-03Z"])
        connection.execute(BAR, ["B", 5, 5, "2024-02-01Z", "2024-02-01Z"])
        connection.execute(REVISION, ["A", 1, 1, 2, 2, "2024-02-02Z"])
        connection.execute(REVISION, ["A", 2, 2, 3, 3, "2024-02-03Z"])
        connection.execute(REVISION, ["GONE", 7, 7, 8, 8, "2024-02-02Z"])
    for _ in range(2):
        assert schema.upgrade(empty_url) == [*schema.REVISIONS[2:]]
        with psycopg.connect(empty_url, autocommit=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            filled = connection.execute(
                "SELECT symbol, old_close, old_created_at::text, old_updated_at::text, op"
                " FROM bars_ohlcv_revisions ORDER BY id"
            ).fetchall()
            first, second = "2024-02-01 00:00:00+00", "2024-02-02 00:00:00+00"
            assert filled == [
                ("A", 1.0, first, first, "update"), ("A", 2.0, first, second, "update"),
                ("GONE", 7.0, None, None, "update"),
            ]  # fmt: skip
            for moment, state in (
                ("2024-01-31", [("GONE", 7.0)]),
                ("2024-02-01", [("A", 1.0), ("B", 5.0), ("GONE", 7.0)]),
                ("2024-02-02 12:00", [("A", 2.0), ("B", 5.0)]),
                ("2024-02-03", [("A", 3.0), ("B", 5.0)]),
            ):
                rows = connection.execute(
                    "SELECT symbol, close FROM bars_ohlcv_as_of(%s) ORDER BY 1", [f"{moment}Z"]
                )
                assert rows.fetchall() == state, moment
        assert schema.downgrade(empty_url, "0002") == [*schema.REVISIONS[:1:-1]]
