"""The embedded PostgreSQL: mdload's own server for those who have none.

It runs while an mdload uses it and stops with the last one, unless `mdload db start` pinned it.
Why it is as it is: docs/decisions/0003-embedded-server.md.
"""

from loader.db.embedded.lifecycle import embedded, start, stop
from loader.db.embedded.status import ServerStatus, exists, status

__all__ = ["ServerStatus", "embedded", "exists", "start", "status", "stop"]
