"""What the path of a file says that decides its bars: equal bytes can be of two symbols."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from loader.dialects.dialect import Dialect


def said_by(path: str, candidates: Iterable[Dialect]) -> Mapping[str, object]:
    """What tells `path` (see `Opening.path`) from others of the same bytes; nothing where no
    dialect reads anything off such a name.

    That is what the dialects would read off the path, and the bare name, of which they make more:
    the contract of `es_trade.zip!es_trade_201312.csv`.
    """
    said: dict[str, object] = {}
    for dialect in candidates:
        facts = dialect.said_by_name(path)
        if facts is not None or _is_known(path, dialect):
            said[dialect.name] = facts or {}
    archive, _, member = path.partition("!")
    return {"name": [archive.rpartition("/")[2], member], "said": said} if said else {}


def _is_known(path: str, dialect: Dialect) -> bool:
    return any(shape.name and re.search(shape.name, path) for shape in dialect.shapes)
