"""Bars as Python objects into the store: the client library; see docs/store-client.md."""

from loader.store.aio import AsyncFeed, AsyncStoreClient
from loader.store.bar import Bar
from loader.store.client import StoreClient
from loader.store.feed import Feed
from loader.store.result import WriteResult

__all__ = ["AsyncFeed", "AsyncStoreClient", "Bar", "Feed", "StoreClient", "WriteResult"]
