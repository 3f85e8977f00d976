"""One module per contender: `CONTENDER`, or `CONTENDERS` if several share code."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.contenders.contender import Contender

#: The order in tables; any other contender comes after these.
_FIRST = ("floor", "mdload", "mdload-known", "usual", "merge")


def everyone() -> dict[str, Contender]:
    """All contenders in this folder by name, installed or not."""
    found: dict[str, Contender] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        alone = (loaded.CONTENDER,) if hasattr(loaded, "CONTENDER") else ()
        found |= {each.name: each for each in getattr(loaded, "CONTENDERS", alone)}
    order = {name: place for place, name in enumerate(_FIRST)}
    return dict(sorted(found.items(), key=lambda item: (order.get(item[0], 99), item[0])))
