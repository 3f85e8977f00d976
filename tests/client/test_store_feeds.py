"""Bars one by one: written when there are enough, when they have waited, and at the end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from loader.client import AsyncStoreClient, StoreClient
from loader.errors import DatabaseError
from tests.support.candles import Candle, minutes
from tests.support.sql import fetch

COUNT = "SELECT count(*) FROM bars_ohlcv"


@pytest.fixture
def client(database_url: str) -> Iterator[StoreClient]:
    with StoreClient(database_url) as client:
        yield client


def stored(url: str) -> int:
    return int(fetch(url, COUNT)[0][0])


def wait_until_stored(url: str, count: int) -> None:
    deadline = time.monotonic() + 30
    while stored(url) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_enough_rows_are_written_at_once(client: StoreClient, database_url: str) -> None:
    with client.buffered(max_rows=3, max_seconds=None) as feed:
        for n, bar in enumerate(minutes(8)):
            feed.write(bar)
            assert stored(database_url) == (n + 1) // 3 * 3
        assert feed.waiting == 2
        assert feed.result == 6
    assert feed.result == stored(database_url) == 8
    assert feed.waiting == 0


def test_rows_that_have_waited_are_written(client: StoreClient, database_url: str) -> None:
    with client.buffered(max_rows=1000, max_seconds=0.05) as feed:
        feed.write(Candle())
        wait_until_stored(database_url, 1)
        for bar in minutes(3):
            feed.write(bar)
        wait_until_stored(database_url, 3)
    assert (feed.result.inserted, feed.result.unchanged + feed.result.duplicate) == (3, 1)


def test_flush_says_what_became_of_all_so_far(client: StoreClient) -> None:
    with client.buffered(max_seconds=None) as feed:
        assert feed.flush().submitted == 0
        feed.write(Candle())
        feed.write(Candle(high=1.0))
        assert (feed.flush().submitted, feed.flush().inserted, feed.flush().rejected) == (2, 1, 1)


def test_a_bar_is_taken_as_it_is_when_it_is_written(client: StoreClient, database_url: str) -> None:
    """A program may reuse the same object for the next bar."""
    with client.buffered(max_seconds=None) as feed:
        candle = Candle()
        for other in minutes(3):
            candle.ts = other.ts
            feed.write(candle)
    assert stored(database_url) == 3


def test_what_is_no_bar_is_refused_at_once(client: StoreClient, database_url: str) -> None:
    with client.buffered(max_rows=3, max_seconds=None) as feed:
        feed.write(Candle())
        with pytest.raises(TypeError, match=r"bars\[1\].open is 'x'"):
            feed.write(Candle(open="x"))
        with pytest.raises(TypeError, match="has no attribute 'provider'"):
            feed.write(object())  # type: ignore[arg-type]
        assert feed.waiting == 1
    assert stored(database_url) == 1


def test_bars_that_could_not_be_written_wait(client: StoreClient, database_url: str) -> None:
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        client.buffered(max_rows=2, max_seconds=None) as feed,
    ):
        connection.execute("ALTER TABLE bars_ohlcv ADD CONSTRAINT c CHECK (close < 10)")
        bars = minutes(4)
        feed.write(bars[0])
        with pytest.raises(DatabaseError, match="check constraint"):
            feed.write(bars[1])
        with pytest.raises(DatabaseError, match="check constraint"):
            feed.write(bars[2])
        assert feed.waiting == 3
        connection.execute("ALTER TABLE bars_ohlcv DROP CONSTRAINT c")
        feed.write(bars[3])
        assert feed.waiting == 0
    assert feed.result == stored(database_url) == 4


def test_an_error_of_the_clock_is_raised_by_the_next_call(
    client: StoreClient, database_url: str
) -> None:
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        client.buffered(max_seconds=0.02) as feed,
    ):
        connection.execute("ALTER TABLE bars_ohlcv ADD CONSTRAINT c CHECK (close < 10)")
        feed.write(Candle())
        deadline = time.monotonic() + 30
        with pytest.raises(DatabaseError, match="check constraint"):  # noqa: PT012
            while time.monotonic() < deadline:
                feed.write(Candle())
        connection.execute("ALTER TABLE bars_ohlcv DROP CONSTRAINT c")
        wait_until_stored(database_url, 1)  # the clock goes on by itself
    assert feed.result.inserted == 1


def test_the_end_of_a_block_that_failed(client: StoreClient, database_url: str) -> None:
    with pytest.raises(KeyError), client.buffered(max_seconds=None) as feed:  # noqa: PT012
        feed.write(Candle())
        raise KeyError
    assert stored(database_url) == 1
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE bars_ohlcv ADD CONSTRAINT c CHECK (open < 10) NOT VALID")
    other = Candle(symbol="BB")
    with pytest.raises(KeyError) as raised, client.buffered(max_seconds=None) as feed:  # noqa: PT012
        feed.write(other)
        raise KeyError
    assert "1 bar could not be written" in raised.value.__notes__[0]
    with (
        pytest.raises(DatabaseError, match="check constraint"),
        client.buffered(max_seconds=None) as feed,
    ):
        feed.write(other)


def test_threads_that_share_a_feed(client: StoreClient, database_url: str) -> None:
    with client.buffered(max_rows=7, max_seconds=0.01) as feed:
        threads = [
            threading.Thread(
                target=lambda n=n: [feed.write(b) for b in minutes(50, symbol=f"S{n}")]
            )
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert feed.result.submitted == feed.result.inserted == stored(database_url) == 200


@pytest.mark.parametrize("given", [{"max_rows": 0}, {"max_seconds": 0.0}, {"max_seconds": -1.0}])
def test_limits_are_positive(client: StoreClient, given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        client.buffered(**given)  # type: ignore[arg-type]


def test_a_feed_of_a_task(database_url: str) -> None:
    async def work() -> None:
        async with AsyncStoreClient(database_url) as client:
            async with client.buffered(max_rows=3, max_seconds=0.05) as feed:
                for bar in minutes(4):
                    await feed.write(bar)
                assert stored(database_url) >= 3
                await asyncio.to_thread(wait_until_stored, database_url, 4)
                await feed.write(Candle(symbol="BB"))
                assert (await feed.flush()).inserted == 5
                with pytest.raises(TypeError):
                    await feed.write(Candle(open="x"))
            assert (feed.result, feed.waiting) == (5, 0)

    asyncio.run(work())


def test_tasks_side_by_side(database_url: str) -> None:
    async def work() -> None:
        async with AsyncStoreClient(database_url) as client:
            results = await asyncio.gather(
                *(client.write_bars(minutes(30, symbol=f"S{n}"), 10) for n in range(5)),
                client.write_bars(iter(minutes(5, symbol="T"))),
            )
            assert sum(results) == 155
            with pytest.raises(TypeError, match=r"bars\[3\]"):
                await client.write_bars([*minutes(3), None])  # type: ignore[list-item]
            with pytest.raises(ValueError, match="batch_size"):
                await client.write_bars(minutes(1), 0)

    asyncio.run(work())
    assert stored(database_url) == 155


def test_an_asynchronous_stream_that_fails(database_url: str) -> None:
    async def stream():  # type: ignore[no-untyped-def]
        for n, bar in enumerate([*minutes(7), Candle(open="x")]):
            await asyncio.sleep(0)
            yield bar
            assert n < 8

    async def work() -> None:
        async with AsyncStoreClient(database_url) as client:
            with pytest.raises(TypeError, match=r"bars\[7\].open is 'x'"):
                await client.write_bars(stream(), 3)

    asyncio.run(work())
    assert stored(database_url) == 6
