"""The containers that are read. They are discovered, never listed."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from itertools import permutations
from types import ModuleType
from typing import Final

from loader.read.formats import containers
from loader.read.formats.format import Format

#: What text is read as that no other container claims.
DELIMITED: Final = "csv"


@cache
def formats() -> tuple[Format, ...]:
    """Every container, in the order of their modules."""
    return discovered(containers)


@cache
def container_names() -> frozenset[str]:
    """Every name that `Reading.container` may have."""
    return frozenset(name for each in formats() for name in each.names)


@cache
def vendor_containers() -> frozenset[str]:
    """The names of containers in which only one kind of dump comes."""
    return frozenset(name for each in formats() if each.vendor for name in each.names)


@cache
def suffixes() -> frozenset[str]:
    """Of files that are taken out of folders and archives, without those of compressions."""
    return frozenset(suffix for each in formats() for suffix in each.suffixes)


@cache
def delimited() -> Format:
    return next(each for each in formats() if DELIMITED in each.names)


def discovered(package: ModuleType) -> tuple[Format, ...]:
    """The `FORMAT` of each module of `package`.

    Raises:
        TypeError: a module has none, nothing says how to know the files of one, or two share a
            name, a suffix or the start of a mark.
    """
    found: dict[str, Format] = {}
    for module in pkgutil.iter_modules(package.__path__):
        value = getattr(
            importlib.import_module(f"{package.__name__}.{module.name}"), "FORMAT", None
        )
        if not isinstance(value, Format):
            raise TypeError(f"{package.__name__}.{module.name} has no FORMAT")
        if not (value.magic or value.text or value.file_name or DELIMITED in value.names):
            raise TypeError(f"{package.__name__}.{module.name}: nothing says how to know its files")
        found[module.name] = value
    for (one, a), (other, b) in permutations(found.items(), 2):
        _refuse_shared(one, other, "name", set(a.names) & set(b.names))
        _refuse_shared(one, other, "suffix", set(a.suffixes) & set(b.suffixes))
        _refuse_shared(one, other, "mark", (mark for mark in b.magic if mark.startswith(a.magic)))
    return tuple(found.values())


def _refuse_shared(one: str, other: str, what: str, shared: Iterable[object]) -> None:
    for each in shared:
        raise TypeError(f"the containers {one} and {other} share the {what} {each!r}")
