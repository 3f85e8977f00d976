"""Dialects: one module per provider dump, each a `DIALECT` value; discovered, never listed."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from loader.providers.dialect import Dialect


@cache
def dialects() -> dict[str, Dialect]:
    """Every dialect by name, in alphabetical order."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        value = getattr(importlib.import_module(f"{__name__}.{module.name}"), "DIALECT", None)
        if value is not None:
            found[value.name] = value
    return dict(sorted(found.items()))
