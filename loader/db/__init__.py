"""The database as the loader sees it: named queries, frames in, frames out, transactions.

The only room that imports ADBC.
"""

from loader.db.connection import Connection, connect

__all__ = ["Connection", "connect"]
