"""TimescaleDB beyond loading: bars as a hypertable, and rollups of them."""

from loader.store.timescale.hypertable import Plan, Status
from loader.store.timescale.rollups import Rollup, create, refresh, rollups
from loader.store.timescale.session import OLDEST, Extension, connected, extension

__all__ = [
    "OLDEST", "Extension", "Plan", "Rollup", "Status", "connected", "create", "extension",
    "refresh", "rollups",
]  # fmt: skip
