"""README's table of what an installation weighs, beside what is installed here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
#: Of those who build mdload.
INTERNAL = {"test", "bench", "docs"}
README = (ROOT / "README.md").read_text("utf-8")


def distributions(wanted: Iterable[str]) -> set[str]:
    """Names of all that `wanted` brings here."""
    found: set[str] = set()
    todo = [Requirement(each) for each in wanted]
    while todo:
        each = todo.pop()
        name = canonicalize_name(each.name)
        if name in found and not each.extras:
            continue
        found.add(name)
        for text in metadata.distribution(name).requires or []:
            below = Requirement(text)
            for extra in each.extras or {""}:
                if below.marker is None or below.marker.evaluate({"extra": extra}):
                    todo.append(below)
                    break
    return found


def megabytes(names: Iterable[str]) -> float:
    files = (file for name in names for file in metadata.files(name) or [])
    places = (file.locate() for file in files)
    return sum(place.stat().st_size for place in places if place.exists()) / 1e6  # type: ignore[attr-defined]


def test_the_table_of_extras_is_true() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| .* \| ([\d.]+) MB \|", README, re.MULTILINE)
    extras = PROJECT["optional-dependencies"]
    assert {name for name, _ in rows} == set(extras) - INTERNAL
    always = distributions(PROJECT["dependencies"])
    whole = re.search(r"what it requires have (\d+) MB", README)
    assert whole is not None
    weights = {"mdload": (float(whole[1]), megabytes(always))} | {
        name: (float(text), megabytes(distributions(extras[name]) - always)) for name, text in rows
    }
    odd = {name: pair for name, pair in weights.items() if abs(pair[0] - pair[1]) > 2 + pair[0] / 4}
    assert not odd, odd
