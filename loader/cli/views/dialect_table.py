"""A `[dialects.NAME]` table for a file without a dialect, as complete as its contents allow."""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import Final

from loader import bars
from loader.dialects.dialect import fold
from loader.dialects.known import dialects
from loader.dialects.recognition import PLAIN
from loader.ingest.ways.inspection import Inspection

_NEEDED: Final = ("ts", *bars.PRICES)


def dialect_table(look: Inspection) -> str:
    """TOML for mdload.toml. Comments name the values that a person has to fill in."""
    stem = re.sub(r"\W+", "_", PurePath(look.path).name.partition(".")[0]).strip("_").lower()
    columns = {field: name for field, name in _columns(look).items() if name in look.found}
    missing = [field for field in _NEEDED if field not in columns]
    lines = [
        "# As far as mdload can tell. Check it, above all which end of a bar the times are.",
        f"[dialects.{stem or 'mine'}]",
        f'title = "Files like {PurePath(look.path).name}"'.replace("\\", "/"),
        f"containers = {_text([look.container or 'csv'])}",
    ]
    if look.place:
        lines.append(f"place = {_text(re.escape(look.place))}")
    if look.header:
        lines.append(f"header = {_text(list(look.found))}")
    else:
        lines += ["# the names that you give to the columns, in their order; the first row is",
                  f"# {_text(list(look.sample))}",
                  f"positions = {_text(list(look.found))}"]  # fmt: skip
    pairs = ", ".join(f"{field} = {_text(name)}" for field, name in columns.items())
    lines.append(f"columns = {{{pairs}}}")
    if missing:
        lines.append(f"# columns must name these too: {', '.join(missing)}")
    if rest := [name for name in look.found if name not in columns.values()]:
        lines.append(f"# not used so far: {', '.join(map(_text, rest))}")
    lines += [
        'stamp = "start"  # or "end"',
        '# timezone = "America/New_York"  # of local times',
        '# interval = "1m"  # where neither a column nor the name says it',
        r"# names = ['(?P<symbol>[A-Z.]+)_(?P<interval>\w+)\.csv$']  # what its name says",
        f"provider = {_text(stem or 'mine')}",
    ]
    return "\n".join(lines)


def _columns(look: Inspection) -> dict[str, str]:
    """The columns as mdload read them, else by the names of plain tables."""
    if look.columns:
        return dict(look.columns)
    folded = {fold(name): name for name in reversed(look.found)}
    found = {}
    for field, words in dialects()[PLAIN].columns.items():
        if name := next((folded[fold(w)] for w in words if fold(w) in folded), None):
            found[field] = name
    return {f: n for f, n in found.items() if f != "time_of_day" or n != found.get("ts")}


def _text(value: str | list[str]) -> str:
    """A TOML string, or array of them: JSON's escapes are TOML's too."""
    return json.dumps(value, ensure_ascii=False)
