"""Raw rows of rejects as a frame again: what `rawjson` has written, read back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

#: Columns of rows of which no cell can be read; see `ragged` and the lines of a feed.
_TEXT: Final = frozenset({"line", "why"})


def decoded(raw: str) -> dict[str, str | None]:
    """The cells of one row by the names of their columns."""
    found = json.loads(raw)
    return {_plain(name): None if cell is None else _plain(cell) for name, cell in found.items()}


def is_text(cells: Iterable[str]) -> bool:
    """Whether these are the columns of a row that was kept as a line of text, so that nobody can
    say which cell belongs where."""
    return set(cells) == _TEXT


def _plain(text: Any) -> str:
    """Without the marks for what jsonb does not take."""
    if not isinstance(text, str):
        text = json.dumps(text)
    if "␛" not in text and "␀" not in text:
        return str(text)
    parts = text.split("␛")
    found = [parts[0].replace("␀", "\0")]
    escaped = False
    for part in parts[1:]:
        if not part and not escaped:  # ␛␛: the mark itself
            escaped = True
            found.append("␛")
        elif escaped:
            escaped = False
            found.append(part.replace("␀", "\0"))
        else:  # ␛␀: a symbol for NUL that the file has
            found.append(part[:1] + part[1:].replace("␀", "\0"))
    return "".join(found)
