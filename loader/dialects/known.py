"""The known dialects: mdload's and those of other packages, all discovered rather than listed."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from loader.dialects import providers
from loader.dialects.dialect import Dialect
from loader.errors import SettingsError

#: Where other packages announce dialects: `[project.entry-points."mdload.dialects"]`.
GROUP: Final = "mdload.dialects"


@cache
def dialects() -> Mapping[str, Dialect]:
    """Every dialect by name, in alphabetical order.

    Raises:
        SettingsError: an announced object cannot be imported, is not a `Dialect`, or has a name
            that is already taken.
    """
    found = {}
    for module in pkgutil.iter_modules(providers.__path__):
        value = getattr(
            importlib.import_module(f"{providers.__name__}.{module.name}"), "DIALECT", None
        )
        if value is not None:
            found[value.name] = value
    for announced in entry_points(group=GROUP):
        try:
            value = announced.load()
        except Exception as error:  # another package's code: it may raise anything
            raise _refused(announced, f"cannot be imported: {error}") from error
        if not isinstance(value, Dialect):
            raise _refused(announced, "is not a Dialect")
        if value.name in found:
            raise _refused(announced, f"has a name that is already taken, {value.name!r}")
        found[value.name] = value
    return dict(sorted(found.items()))


def _refused(announced: EntryPoint, why: str) -> SettingsError:
    package = announced.dist.name if announced.dist else "that package"
    return SettingsError(
        f"{announced.value}, announced under {GROUP} as {announced.name!r}, {why}",
        hint=f"fix or uninstall {package}",
    )
