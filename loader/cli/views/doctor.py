"""The output of `doctor`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from loader.cli.views.table import print_json, unbroken
from loader.survey.doctor.check import Check, State
from loader.text import visible

_STYLES: Final[dict[State, str]] = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_INDENT: Final = 26
_NARROWEST: Final = 30


def show(
    database: str | None, source: str, checks: Iterable[Check], *, as_json: bool
) -> list[Check]:
    """Prints each check when it is done (JSON at the end), and returns them all."""
    if as_json:
        found = list(checks)
        worst = _worst(found)
        print_json({"status": worst, "database": database, "source": source, "checks": found})
        return found

    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    width = max(console.width - _INDENT, _NARROWEST) if console.is_terminal else 1_000_000
    named = unbroken(visible(database or "no database"), len(source) + len(" ()"))
    console.print(Text(f"{named} ({visible(source)})", "bold"))
    found = []
    for check in checks:
        found.append(check)
        hints = visible(check.hint or "").splitlines()
        said = [Text(visible(check.what, "")), *(Text(hint, "bold") for hint in hints)]
        margin = Text.assemble((f"{check.state:<6}", _STYLES[check.state]), f"{check.name:<20}")
        for line in (line for text in said for line in text.wrap(console, width)):
            line.rstrip()
            console.print(Text.assemble(margin, line))
            margin = Text(" " * _INDENT)
    counts = Counter(check.state for check in found)
    console.print(Text(", ".join(f"{counts[s]} {s}" for s in _STYLES if counts[s]), "bold"))
    return found


def _worst(found: Iterable[Check]) -> State:
    states = {check.state for check in found}
    return next(state for state in reversed(_STYLES) if state in states)
