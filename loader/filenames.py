"""What the path of a file says that decides its bars: equal bytes can be of two symbols."""

from __future__ import annotations

import re
from collections.abc import Iterable

from loader.providers.dialect import Dialect

#: For each dialect that knows such names, what the name says.
Said = dict[str, dict[str, str]]


def said_by(path: str, candidates: Iterable[Dialect]) -> Said:
    """What any of the dialects would read off `path` (see `Opening.path`), by the dialect's name;
    a dialect that only knows the name for one of its own says nothing more of it.
    """
    said = {}
    for dialect in candidates:
        facts = dialect.said_by_name(path)
        if facts is not None or _is_known(path, dialect):
            said[dialect.name] = facts or {}
    return said


def _is_known(path: str, dialect: Dialect) -> bool:
    return any(shape.name and re.search(shape.name, path) for shape in dialect.shapes)
