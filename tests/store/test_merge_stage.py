"""The statements of the merge alone, on a stage that has equal bars too. A load compares first, so
that its stage has equal bars only if another writer was faster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl
import psycopg
import pytest

from loader import bars
from loader.db.arrow import Connection, connect
from loader.store import merge
from loader.store.merge import Merged
from tests.conftest import older_too

T0 = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


@pytest.fixture
def writer(database_url: str) -> Iterator[Connection]:
    connection = connect(database_url)
    yield connection
    connection.close()


def staged(*given: tuple[str, float, float | None]) -> pl.DataFrame:
    """A bar for each symbol, close and volume."""
    rows: list[Any] = [
        ("p", symbol, "1m", T0, 10.0, 12.0, 9.0, close, volume, None, None)
        for symbol, close, volume in given
    ]
    return pl.DataFrame(rows, schema=bars.SCHEMA, orient="row")


def upserted(writer: Connection, frame: pl.DataFrame) -> Merged:
    with writer.transaction():
        return merge.upsert(writer, [frame], 7, 8)


@pytest.mark.parametrize("returns_old", [True, pytest.param(False, marks=older_too)])
def test_an_equal_bar_is_unchanged_and_left_alone(
    writer: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch, returns_old: bool
) -> None:
    """With the statement for PostgreSQL 18, and with those for older servers."""
    if not returns_old:
        monkeypatch.setattr(merge, "returns_old", lambda _: False)
    elif not merge.returns_old(writer):
        pytest.skip("PostgreSQL 18 and newer")
    before = staged(("AA", 10.5, 1.0), ("BB", 10.5, None), ("CC", 10.5, None))
    assert upserted(writer, before) == Merged(inserted=3)
    versions = "SELECT symbol, CAST(xmin AS text) FROM bars_ohlcv ORDER BY symbol"
    with psycopg.connect(database_url, autocommit=True) as other:
        was = dict(other.execute(versions).fetchall())
        after = staged(("AA", 10.5, 1.0), ("BB", 10.5, None), ("CC", 10.5, 2.0), ("DD", 11.0, 1.0))
        assert upserted(writer, after) == Merged(inserted=1, updated=1, unchanged=2)
        now = dict(other.execute(versions).fetchall())
        assert {symbol for symbol in was if now[symbol] != was[symbol]} == {"CC"}
        kept = other.execute(
            "SELECT symbol, old_volume, new_volume, old_close, run_id, file_id"
            " FROM bars_ohlcv_revisions"
        ).fetchall()
    assert kept == [("CC", None, 2.0, 10.5, 7, 8)]
