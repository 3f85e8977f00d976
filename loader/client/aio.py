"""`AsyncStoreClient`: the same client, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

import polars as pl

from loader.client import checks
from loader.client.bar import BarLike
from loader.client.client import StoreClient
from loader.client.feed import Feed
from loader.client.result import Rejects, WriteResult
from loader.results import Counts

P = ParamSpec("P")
T = TypeVar("T")


class AsyncStoreClient:
    """`StoreClient` for asyncio, with the same arguments, methods and errors.

    One thread does all the work, one call after the other, while the event loop goes on. If a task
    is cancelled, the write that it waits for stops: the current batch is stored as a whole or not
    at all, and batches before it stay stored.
    """

    def __init__(self, dsn: str | None = None, **options: Any) -> None:
        self._client = StoreClient(dsn, **options)
        self._thread = ThreadPoolExecutor(1, "mdload-store")

    async def __aenter__(self) -> Self:
        await self._call(self._client.__enter__)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the thread and closes the connections; the client cannot be used after that."""
        await self._call(self._client.close)
        self._thread.shutdown(wait=False)

    async def write_bars(
        self, bars: Iterable[BarLike] | AsyncIterable[BarLike], batch_size: int = 1000
    ) -> WriteResult:
        """As `StoreClient.write_bars`. A plain iterable is consumed in the client's thread."""
        if not isinstance(bars, AsyncIterable):
            return await self._call(self._client.write_bars, bars, batch_size)
        done, batch, rejects = Counts(), list[BarLike](), Rejects()
        checks.positive(batch_size)
        async for bar in bars:
            batch.append(bar)
            if len(batch) == batch_size:
                done += await self._call(self._client.write_batch, batch, done.read, rejects)
                batch = []
        if batch:
            done += await self._call(self._client.write_batch, batch, done.read, rejects)
        return WriteResult(done, rejects)

    async def write_frame(self, frame: Any, **options: Any) -> WriteResult:
        """As `StoreClient.write_frame`."""
        return await self._call(self._client.write_frame, frame, **options)

    async def read_bars(self, *args: Any, **options: Any) -> pl.DataFrame:
        """As `StoreClient.read_bars`."""
        return await self._call(self._client.read_bars, *args, **options)

    async def iter_bars(self, *args: Any, **options: Any) -> AsyncIterator[pl.DataFrame]:
        """As `StoreClient.iter_bars`, for `async for`."""
        frames = self._client.iter_bars(*args, **options)
        try:
            while (frame := await self._call(next, frames, None)) is not None:
                yield frame
        finally:
            await self._call(frames.close)

    async def series(
        self, provider: str | None = None, interval: str | None = None
    ) -> pl.DataFrame:
        """As `StoreClient.series`."""
        return await self._call(self._client.series, provider, interval)

    async def symbols(self, provider: str | None = None, interval: str | None = None) -> list[str]:
        """As `StoreClient.symbols`."""
        return await self._call(self._client.symbols, provider, interval)

    def buffered(self, max_rows: int = 1000, max_seconds: float | None = 1.0) -> AsyncFeed:
        """As `StoreClient.buffered`, for an `async with` block."""
        return AsyncFeed(self._client.buffered(max_rows, max_seconds), self._call)

    async def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = self._thread.submit(function, *args, **kwargs)
        try:
            return await asyncio.wrap_future(call)
        except asyncio.CancelledError:
            if not call.cancelled():  # it has begun
                await asyncio.to_thread(self._client.cancel)
            raise


class AsyncFeed:
    """`Feed` for asyncio; see there."""

    def __init__(self, feed: Feed, call: Callable[..., Awaitable[Any]]) -> None:
        self._feed = feed
        self._call = call

    async def __aenter__(self) -> Self:
        self._feed.__enter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._call(self._feed.__exit__, kind, error, traceback)

    @property
    def result(self) -> WriteResult:
        """What became of the bars written so far."""
        return self._feed.result

    @property
    def waiting(self) -> int:
        """Bars that are not written yet."""
        return self._feed.waiting

    async def write(self, bar: BarLike) -> None:
        """As `Feed.write`."""
        if self._feed.add(bar):
            await self._call(self._feed.flush)

    async def flush(self) -> WriteResult:
        """As `Feed.flush`."""
        await self._call(self._feed.flush)
        return self._feed.result
