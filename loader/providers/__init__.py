"""Dialects: one module per provider dump, each a `DIALECT` value; discovered, never listed."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Final

from loader.errors import SettingsError
from loader.providers.dialect import Dialect

#: Where other packages announce dialects: `[project.entry-points."mdload.dialects"]`.
GROUP: Final = "mdload.dialects"


@cache
def dialects() -> Mapping[str, Dialect]:
    """Every dialect by name, in alphabetical order: mdload's and those of other packages.

    Raises:
        SettingsError: what a package announces is no dialect, or has the name of another.
    """
    found = {}
    for module in pkgutil.iter_modules(__path__):
        value = getattr(importlib.import_module(f"{__name__}.{module.name}"), "DIALECT", None)
        if value is not None:
            found[value.name] = value
    for announced in entry_points(group=GROUP):
        value = announced.load()
        if not isinstance(value, Dialect) or value.name in found:
            wrong = "has the name of another" if isinstance(value, Dialect) else "is no dialect"
            raise SettingsError(
                f"{announced.value}, announced under {GROUP} as {announced.name!r}, {wrong}"
            )
        found[value.name] = value
    return dict(sorted(found.items()))
