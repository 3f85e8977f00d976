"""The database as the loader sees it: named queries, frames in, frames out, transactions.

The only room that imports ADBC.
"""

from loader.db.cancelling import cancellable, cancelling
from loader.db.connection import Connection, connect
from loader.db.executor import Executor, Param

__all__ = ["Connection", "Executor", "Param", "cancellable", "cancelling", "connect"]
