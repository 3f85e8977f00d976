"""What ADBC would store wrongly in silence, refused before a byte of it is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi

from loader import bars
from loader.db.arrow import Connection, connect
from loader.errors import MdloadError
from loader.store.quarantine import waiting

BAR = {
    "provider": "p", "symbol": "AAA", "interval": "1d", "ts": datetime(2024, 3, 4, tzinfo=UTC),
    "open": 100.0, "high": 110.0, "low": 90.0, "close": 105.0, "volume": 7.0, "vwap": 101.0,
    "trade_count": 3,
}  # fmt: skip
FRAME = pl.DataFrame([BAR], schema=bars.SCHEMA)


def cast(name: str, dtype: Any) -> pl.DataFrame:
    return FRAME.with_columns(pl.col(name).cast(dtype))


def replaced(name: str, value: object, dtype: Any) -> pl.DataFrame:
    return FRAME.with_columns(pl.Series(name, [value], dtype=dtype))


WRONG: dict[str, pl.DataFrame] = {
    "int64 for a price: 100 would be 4.94e-322": cast("close", pl.Int64),
    "int32 for a price": cast("close", pl.Int32),
    "float32 for a price": cast("close", pl.Float32),
    "decimal for a price": cast("close", pl.Decimal(38, 9)),
    "text for a price": cast("close", pl.String),
    "float64 for a count": cast("trade_count", pl.Float64),
    "uint64 for a count": replaced("trade_count", 2**63, pl.UInt64),
    "int32 for a count": cast("trade_count", pl.Int32),
    "int128 for a count: the process would crash": cast("trade_count", pl.Int128),
    "naive time: would be taken for UTC": replaced("ts", datetime(2024, 3, 4), pl.Datetime("us")),
    "nanoseconds: would be cut off": cast("ts", pl.Datetime("ns", "UTC")),
    "milliseconds": cast("ts", pl.Datetime("ms", "UTC")),
    "another zone": cast("ts", pl.Datetime("us", "America/New_York")),
    "a date": cast("ts", pl.Date),
    "categorical: string views in a dictionary": cast("symbol", pl.Categorical),
    "enum": cast("symbol", pl.Enum(["AAA"])),
    "null type": replaced("volume", None, pl.Null),
    "a column too many": FRAME.with_columns(created_at=pl.lit(None, pl.Datetime("us", "UTC"))),
    "a column too few": FRAME.drop("vwap"),
    "another name": FRAME.rename({"vwap": "average"}),
    "another order: open and close would change places": FRAME.select(
        *bars.KEY, "close", "high", "low", "open", "volume", "vwap", "trade_count"
    ),
}


@pytest.mark.parametrize("frame", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("before", [[], [FRAME.with_columns(symbol=pl.lit("BBB"))]], ids=["", "+"])
def test_frames_that_are_not_exactly_the_bars(
    frame: pl.DataFrame, before: list[pl.DataFrame], database_url: str
) -> None:
    with connect(database_url) as connection:
        with pytest.raises(MdloadError, match="wrong columns"), connection.transaction():
            connection.ingest("bars_ohlcv", bars.SCHEMA, [*before, frame])
        with connection.transaction():  # the connection is none the worse for it
            assert connection.ingest("bars_ohlcv", bars.SCHEMA, [FRAME]) == 1
    with psycopg.connect(database_url) as plain:
        columns = ", ".join(f'"{name}"' for name in bars.COLUMNS)
        stored = plain.execute(f"SELECT {columns} FROM bars_ohlcv").fetchall()
    assert stored == [tuple(BAR.values())]


def test_a_batch_that_is_not_exactly_the_bars(database_url: str) -> None:
    whole = FRAME.to_arrow(compat_level=pl.CompatLevel.oldest())
    with connect(database_url) as connection:
        for wrong in (whole.drop_columns(["vwap"]), whole.select([*reversed(whole.column_names)])):
            with pytest.raises(MdloadError, match="wrong columns"), connection.transaction():
                connection.ingest("bars_ohlcv", bars.SCHEMA, wrong.to_batches())
        with connection.transaction():
            assert connection.ingest("bars_ohlcv", bars.SCHEMA, whole.to_batches()) == 1
    with psycopg.connect(database_url) as plain:
        columns = ", ".join(f'"{name}"' for name in bars.COLUMNS)
        assert plain.execute(f"SELECT {columns} FROM bars_ohlcv").fetchall() == [
            tuple(BAR.values())
        ]


def test_long_frames_arrive_as_they_are(database_url: str) -> None:
    """The driver gets slices of them, which begin in the middle of bits and of texts."""
    day = datetime(2024, 3, 4, tzinfo=UTC)
    rows = [
        ("p", "S" * (n % 7 + 1), "1m", day + timedelta(minutes=n), 1.0 + n, 2.0 + n, 0.5 + n,
         1.5 + n, float(n), None if n % 3 else n / 4, None if n % 5 else n)
        for n in range(7_013)
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=bars.SCHEMA, orient="row")
    with connect(database_url) as connection, connection.transaction():
        assert connection.ingest("bars_ohlcv", bars.SCHEMA, [frame[:13], frame[13:]]) == 7_013
    with psycopg.connect(database_url) as plain:
        columns = ", ".join(f'"{name}"' for name in bars.COLUMNS)
        assert plain.execute(f"SELECT {columns} FROM bars_ohlcv ORDER BY ts").fetchall() == rows


def test_string_views_do_not_reach_the_driver(database_url: str) -> None:
    """Polars' own strings are views, which the driver's encoder does not know."""
    assert FRAME["symbol"].to_arrow().type == pa.large_string()
    views = FRAME.to_arrow(compat_level=pl.CompatLevel.newest())
    assert views.schema.field("symbol").type == pa.string_view()
    with connect(database_url) as connection, connection.transaction():
        assert connection.ingest("bars_ohlcv", bars.SCHEMA, [pl.DataFrame(views)]) == 1


@pytest.mark.parametrize(
    ("array", "column", "stored"),
    [
        (pa.array([100]), "double precision", 4.94065645841247e-322),
        (pa.array([0.1]), "bigint", 4591870180066957722),
        (pa.array([datetime(2024, 3, 4, 9, 30)], pa.timestamp("us")), "timestamptz",
         datetime(2024, 3, 4, 9, 30, tzinfo=UTC)),
        (pa.array([1_709_544_600_000_000_999], pa.timestamp("ns", "UTC")), "timestamptz",
         datetime(2024, 3, 4, 9, 30, tzinfo=UTC)),
    ],
    ids=["int64 into double", "float64 into bigint", "naive time", "nanoseconds"],
)  # fmt: skip
def test_the_driver_does_store_these_wrongly(
    array: Any, column: str, stored: object, empty_url: str
) -> None:
    """The day that this fails the driver checks by itself, and `ingest` need not any more."""
    with psycopg.connect(empty_url, autocommit=True) as plain:
        plain.execute(f"CREATE TABLE t (x {column})")
        with dbapi.connect(empty_url) as driver, driver.cursor() as cursor:
            cursor.adbc_ingest("t", pa.table({"x": array}), mode="append")
            driver.commit()
        assert plain.execute("SELECT x FROM t").fetchall() == [(stored,)]


POSTGRES = {
    pl.String(): "text",
    pl.Float64(): "double precision",
    pl.Int64(): "bigint",
    pl.Datetime("us", "UTC"): "timestamp with time zone",
    pl.List(pl.String()): "text[]",
}


@pytest.mark.parametrize(
    ("table", "schema", "make"),
    [
        ("bars_ohlcv", bars.SCHEMA, None),
        ("mdload_stage", bars.SCHEMA, "stage_create"),
        ("bars_rejected", {**waiting.INGESTED, "rules": pl.List(pl.String())}, None),
    ],
)
def test_what_is_ingested_is_what_the_tables_hold(
    table: str, schema: dict[str, pl.DataType], make: str | None, database_url: str
) -> None:
    with connect(database_url) as connection, connection.transaction():
        if make:
            connection.run(make)
        held = columns_of(connection, table)
    types = {name: POSTGRES[dtype] for name, dtype in schema.items()}
    if table == "bars_rejected":  # what the driver sends as it is: tests/store/test_quarantine.py
        assert waiting.INGESTED["rules"] == pl.Binary()
        types["raw"] = "jsonb"
    assert {name: held[name] for name in schema} == types


def columns_of(connection: Connection, table: str) -> dict[str, str]:
    """Names and types; on the connection's own session, for a temporary table is no other's."""
    found = connection._session.execute(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
        f"WHERE attrelid = '{table}'::regclass AND attnum > 0"
    )
    names, types = found.read_all().to_pydict().values()
    return dict(zip(names, types, strict=True))
