"""TimescaleDB beyond loading: the bars made a hypertable, what it takes, and rollups of it."""

from loader.timescale.hypertable import Plan, Status
from loader.timescale.rollups import Rollup, create, refresh, rollups
from loader.timescale.session import OLDEST, Extension, connected, extension

__all__ = [
    "OLDEST", "Extension", "Plan", "Rollup", "Status", "connected", "create", "extension",
    "refresh", "rollups",
]  # fmt: skip
