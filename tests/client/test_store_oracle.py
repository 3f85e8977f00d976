"""Every way into the store through the client against the slow oracle of the loader's merge."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.bars import SCHEMA
from loader.client import AsyncStoreClient, StoreClient, WriteResult, transaction
from loader.store import merge
from tests.conftest import compress
from tests.store.test_merge_oracle import Oracle, loads, stored

Rows = list[dict[str, Any]]
Write = Callable[[str, Rows, int], WriteResult]


def objects(rows: Rows) -> list[Any]:
    return [SimpleNamespace(**row) for row in rows]


def as_list(url: str, rows: Rows, size: int) -> WriteResult:
    with StoreClient(url) as client:
        return client.write_bars(objects(rows), size)


def as_stream(url: str, rows: Rows, size: int) -> WriteResult:
    with StoreClient(url) as client:
        return client.write_bars(iter(objects(rows)), size)


def as_frame(url: str, rows: Rows, size: int) -> WriteResult:
    with StoreClient(url) as client:
        return client.write_frame(pl.DataFrame(rows, schema={**SCHEMA}), batch_size=size)


def one_by_one(url: str, rows: Rows, size: int) -> WriteResult:
    with StoreClient(url) as client, client.buffered(size, None) as feed:
        for bar in objects(rows):
            feed.write(bar)
    return feed.result


def from_a_task(url: str, rows: Rows, size: int) -> WriteResult:
    async def stream() -> AsyncIterator[Any]:
        for bar in objects(rows):
            yield bar

    async def write() -> WriteResult:
        async with AsyncStoreClient(url) as client:
            return await client.write_bars(stream(), size)

    return asyncio.run(write())


@pytest.mark.parametrize(
    ("limit", "likely"),
    [(0, 3), (2, 3), (10**9, 3), (10**9, 0)],
    ids=["copy", "either", "statement", "statement for new bars first"],
)
@pytest.mark.parametrize("write", [as_list, as_stream, as_frame, one_by_one, from_a_task])
@given(loads=loads, size=st.integers(1, 6), packed=st.booleans())
@settings(max_examples=10)
def test_every_way_ends_where_the_oracle_does(
    module_url: str,
    write: Write,
    limit: int,
    likely: int,
    loads: list[Rows],
    size: int,
    packed: bool,
) -> None:
    with psycopg.connect(module_url, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_rejected, provider_symbols"
        )
    oracle = Oracle()
    rejected = 0
    for rows in loads:
        # Each batch is a load of its own to the oracle: a key that comes again is no duplicate.
        expected: Counter[str] = Counter()
        for start in range(0, len(rows), size):
            expected.update(oracle.load(rows[start : start + size]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transaction, "STATEMENT_ROWS", limit)
            patch.setattr(merge, "LIKELY_NEW", likely)
            result = write(module_url, rows, size)
        if packed:
            compress(module_url)
        rejected += expected["rejected"]
        assert result.submitted == expected["read"] == len(rows)
        for name in ("inserted", "updated", "unchanged", "duplicate", "rejected"):
            assert getattr(result, name) == expected[name], name
        bars, revisions, quarantined = stored(module_url)
        assert bars == oracle.bars
        assert sorted(revisions, key=repr) == sorted(oracle.revisions, key=repr)
        assert quarantined == rejected
