"""Bars as Python objects into the store: the client library; see docs/store-client.md."""

from loader.client.aio import AsyncFeed, AsyncStoreClient
from loader.client.bar import Bar
from loader.client.client import StoreClient
from loader.client.feed import Feed
from loader.client.result import WriteResult

__all__ = [
    "AsyncFeed",
    "AsyncStoreClient",
    "Bar",
    "Feed",
    "StoreClient",
    "TenantClient",
    "WriteResult",
]
