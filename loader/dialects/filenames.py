"""The parts of a path that decide a file's bars: equal bytes can belong to two symbols."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from loader.dialects.dialect import Dialect


def path_facts(path: str, candidates: Iterable[Dialect]) -> Mapping[str, object]:
    """The facts that distinguish `path` (see `Opening.path`) from another path with equal bytes.
    Empty if no dialect reads anything from such a name.

    They are the facts that each dialect reads from the path, and the bare name, because a dialect's
    own code may read more from it: the contract of `es_trade.zip!es_trade_201312.csv`.
    """
    found: dict[str, object] = {}
    for dialect in candidates:
        facts = dialect.facts_from_path(path)
        if facts is not None or _is_known(path, dialect):
            found[dialect.name] = facts or {}
    archive, _, member = path.partition("!")
    return {"name": [archive.rpartition("/")[2], member], "said": found} if found else {}


def _is_known(path: str, dialect: Dialect) -> bool:
    return any(shape.name and re.search(shape.name, path) for shape in dialect.shapes)
