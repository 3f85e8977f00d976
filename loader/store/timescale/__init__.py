"""TimescaleDB beyond loading: the bars made a hypertable, what it takes, and rollups of it."""

from loader.store.timescale.hypertable import Plan, Status
from loader.store.timescale.rollups import Rollup, create, refresh, rollups
from loader.store.timescale.session import OLDEST, Extension, connected, extension

__all__ = [
    "OLDEST", "Extension", "Plan", "Rollup", "Status", "connected", "create", "extension",
    "refresh", "rollups",
]  # fmt: skip
