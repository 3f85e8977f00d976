"""A live feed: bars as lines of JSON, from a pipe into the store, for as long as it lasts."""

from loader.client.live.feed import LiveFeed
from loader.client.live.writer import Flush

__all__ = ["Flush", "LiveFeed"]
