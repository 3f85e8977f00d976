"""mdload: brings OHLCV bars into PostgreSQL, exactly, and keeps a record of it.

The names below are the public ones. Each is imported when it is first asked for, so that importing
this package costs nothing. `import mdload` has the same names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loader.client import AsyncStoreClient, Bar, StoreClient, WriteResult
    from loader.client.tenant import TenantClient
    from loader.dialects.dialect import Dialect, Shape
    from loader.errors import MdloadError
    from loader.ingest.api import load
    from loader.listen.metrics import Metrics
    from loader.results import LoadResult
    from loader.settings import Settings
    from loader.store.runs import JobRunTracker
    from loader.store.runs.fingerprint import compute_config_fingerprint

    __version__: str

__all__ = [
    "AsyncStoreClient",
    "Bar",
    "Dialect",
    "JobRunTracker",
    "LoadResult",
    "MdloadError",
    "Metrics",
    "Settings",
    "Shape",
    "StoreClient",
    "TenantClient",
    "WriteResult",
    "__version__",
    "compute_config_fingerprint",
    "load",
]

_HOMES = {
    "AsyncStoreClient": "loader.client",
    "Bar": "loader.client",
    "Dialect": "loader.dialects.dialect",
    "JobRunTracker": "loader.store.runs",
    "LoadResult": "loader.results",
    "MdloadError": "loader.errors",
    "Metrics": "loader.listen.metrics",
    "Settings": "loader.settings",
    "Shape": "loader.dialects.dialect",
    "StoreClient": "loader.client",
    "TenantClient": "loader.client.tenant",
    "WriteResult": "loader.client",
    "compute_config_fingerprint": "loader.store.runs.fingerprint",
    "load": "loader.ingest.api",
}


if not TYPE_CHECKING:  # a type checker that sees a `__getattr__` accepts every name

    def __getattr__(name: str) -> object:
        if name == "__version__":
            value: object = import_module("importlib.metadata").version("mdload")
        elif name in _HOMES:
            value = getattr(import_module(_HOMES[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value  # the next access does not come here
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
