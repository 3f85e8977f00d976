"""The known dialects: mdload's and those of other packages, all discovered rather than listed."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import Final

from loader.dialects import providers
from loader.dialects.dialect import Dialect
from loader.errors import SettingsError, UnknownDialect
from loader.read.formats.known import container_names

#: Where other packages announce dialects: `[project.entry-points."mdload.dialects"]`.
GROUP: Final = "mdload.dialects"


@cache
def dialects() -> Mapping[str, Dialect]:
    """Every dialect by name, in alphabetical order.

    Raises:
        SettingsError: what a package announces cannot be imported, is not a dialect, has the name
            of another, or has a shape in a container that is not read.
        TypeError: one of mdload's own has such a shape.
    """
    found = {}
    for module in pkgutil.iter_modules(providers.__path__):
        place = f"{providers.__name__}.{module.name}"
        value = getattr(importlib.import_module(place), "DIALECT", None)
        if value is None:
            continue
        if unread := unread_containers(value):
            raise TypeError(f"{place} has a shape in {unread[0]!r}, which no container is called")
        found[value.name] = value
    for announced in _announced():
        try:
            value = announced.load()
        except Exception as error:  # another package's code: it may raise anything
            raise _refused(announced, f"cannot be imported: {error}") from error
        if not isinstance(value, Dialect):
            raise _refused(announced, "is not a dialect")
        if value.name in found:
            raise _refused(announced, f"has the name of another, {value.name!r}")
        if unread := unread_containers(value):
            raise _refused(announced, f"has a shape in {unread[0]!r}, which no container is called")
        found[value.name] = value
    return dict(sorted(found.items()))


def _announced() -> Iterable[EntryPoint]:
    """What other packages announce. Nearly always nothing: to look for the group in their texts
    takes a third of the time of parsing them."""
    if any(GROUP in (package.read_text("entry_points.txt") or "") for package in distributions()):
        return entry_points(group=GROUP)
    return ()


def unread_containers(dialect: Dialect) -> list[str]:
    """The containers that its shapes name and that no reader has."""
    shapes = (*dialect.shapes, *(refused.shape for refused in dialect.refused))
    named = {container for shape in shapes for container in shape.containers}
    return sorted(named - container_names())


def known_dialects(own: Iterable[Dialect] = ()) -> Mapping[str, Dialect]:
    """Every dialect by name; the person's `own` replace others of their name."""
    return {**dialects(), **{dialect.name: dialect for dialect in own}}


def known_dialect(name: str, own: Iterable[Dialect] = ()) -> Dialect:
    """Raises:
    UnknownDialect: there is no dialect of that name.
    """
    known = known_dialects(own)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "see mdload providers list"
        raise UnknownDialect(f"there is no dialect {name!r}", hint=hint)
    return known[name]


def _refused(announced: EntryPoint, why: str) -> SettingsError:
    package = announced.dist.name if announced.dist else "that package"
    return SettingsError(
        f"{announced.value}, announced under {GROUP} as {announced.name!r}, {why}",
        hint=f"fix or uninstall {package}",
    )
