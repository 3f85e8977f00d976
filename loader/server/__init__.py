"""The embedded PostgreSQL: mdload's own server for whoever has none.

It runs while an mdload uses it and stops with the last one, unless `mdload db start` pinned it.
"""

from loader.server.lifecycle import (
    ServerStatus,
    embedded,
    start,
    status,
    stop,
)

__all__ = ["ServerStatus", "embedded", "start", "status", "stop"]
