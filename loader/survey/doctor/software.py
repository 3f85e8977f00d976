"""The software on this machine: mdload, the packages it needs, and the installed extras."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from loader.lazy import regex
from loader.survey.doctor.check import Check

#: The packages that process bars: a bug report should name their versions.
_TOLD: Final = ("polars", "pyarrow", "psycopg", "adbc-driver-postgresql")
#: Extras for the development of mdload.
_NOT_TOLD: Final = ("test", "bench")
_REQUIREMENT = regex(r"(?P<name>[\w.-]+)[^>;]*(>=(?P<least>[\d.]+))?"
                          r"[^;]*(;.*extra == ['\"](?P<extra>[\w-]+)['\"])?")  # fmt: skip


def software() -> Iterator[Check]:
    """The versions of the packages that loads use, whether they are recent enough; the extras."""
    told = f"mdload {version('mdload')}, Python {platform.python_version()}, "
    told += ", ".join(f"{name} {version(name)}" for name in _TOLD)
    old: list[str] = []
    extras: dict[str, bool] = {}
    for requirement in requires("mdload") or ():
        if not (read := _REQUIREMENT.match(requirement)) or read["name"] == "mdload":
            continue
        found = _installed(read["name"])
        extra = read["extra"]
        if extra not in (None, *_NOT_TOLD):
            extras[extra] = extras.get(extra, True) and found is not None
        if found and extra not in _NOT_TOLD and _numbers(found) < _numbers(read["least"] or ""):
            old.append(read["name"])
    if old:
        yield Check("software", "fail", f"{told}; too old: {', '.join(old)}",
                    f"run: pip install --upgrade {' '.join(old)}")  # fmt: skip
    else:
        yield Check("software", "ok", told)
    have = ", ".join(sorted(extra for extra, whole in extras.items() if whole)) or "none"
    lack = ", ".join(sorted(extra for extra, whole in extras.items() if not whole)) or "none"
    yield Check("extras", "ok", f"installed: {have}; not installed: {lack}")


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _numbers(version: str) -> list[int]:
    return [int(n) for n in re.match(r"[\d.]*", version)[0].split(".") if n]  # type: ignore[index]
