"""The output of `db status`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loader.cli.views.table import say, unbroken, wrapped

#: The width of labels, with the blank behind them.
_INDENT = 17


def show(found: Mapping[str, Any], state: str) -> None:
    """Prints which database is in use, and where the embedded server and its data are. A narrow
    terminal gets paths and URLs shortened: `mdload db url` and --json have all of them."""
    version, bin_dir = found["version"], found["bin_dir"]
    size = f"{found['size_bytes'] / 1e6:,.0f} MB"
    _line("database in use", "", found["uses"], f" ({found['source']})")
    for n, words in enumerate(wrapped(state, _INDENT)):
        _line("" if n else "embedded server", words)
    _line("url", "", found["url"] or "none")
    if version:
        _line("PostgreSQL", f"{version} in ", bin_dir)
    else:
        _line("PostgreSQL", "not found")
    if found["data_dir"]:
        _line("data", "", found["data_dir"], f", {size}")
    else:
        _line("data", "none yet")
    if found["tcp"]:
        _line("by TCP", "", found["tcp"])
        _line("", "password in ", found["password_file"])


def _line(label: str, before: str, path: object = "", after: str = "") -> None:
    """A line with a path or URL in it, which is shortened if need be."""
    room = _INDENT + len(before) + len(after)
    say(f"{label:<{_INDENT}}{before}{unbroken(str(path), room) if path else ''}{after}")
