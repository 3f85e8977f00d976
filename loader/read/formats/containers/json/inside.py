"""One large document that is an object around one array of rows, read in flat memory.

The members after the array belong beside every row, and are known only at the end. So the rows are
set aside on disk until then. A document is read this way only where the result is certain to be
that of the whole document: flat rows, all of the first block's columns, and no other possible rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from loader.lazy import dataclass
from loader.read.formats.containers.json.place import COLUMNS_OF_A_TABLE, Place, find
from loader.read.formats.containers.json.rows import Rows, groups
from loader.read.formats.containers.json.tables import as_columns
from loader.read.formats.containers.json.values import DECODER, Values, end_of_blank

if TYPE_CHECKING:
    from loader.read.spool import Spool

#: A name that no document has; it makes an object again of what stands after the array.
_BEFORE: Final = '{"\\u0000":null'


@dataclass(slots=True)
class Around:
    """The objects around an array, from the outermost in: the name under which each leads to it,
    and its other members, before it and after it."""

    names: list[str] = field(default_factory=list)
    before: list[dict[str, Any]] = field(default_factory=list)
    after: list[dict[str, Any]] = field(default_factory=list)

    def document(self, elements: list[Any]) -> Any:
        """The document as it would be with these elements."""
        value: Any = elements
        after = self.after or [{} for _ in self.names]
        for name, first, last in reversed(list(zip(self.names, self.before, after, strict=True))):
            value = {**first, name: value, **last}
        return value

    def close(self, text: str) -> bool:
        """Takes in what follows the array; False where it does not end the document properly, or
        has a name again."""
        for name, first in reversed(list(zip(self.names, self.before, strict=True))):
            try:
                members, end = DECODER.raw_decode(_BEFORE + text)
            except (ValueError, RecursionError):
                return False
            del members["\0"]
            if members.keys() & {name, *first}:
                return False
            self.after.insert(0, members)
            text = text[end - len(_BEFORE) :]
        return not text.strip()


def around(text: str) -> tuple[Around, int] | None:
    """The objects that are open where `text` ends, if the innermost thing open is an array, and
    where the elements of that begin."""
    found, at = Around(), 0
    try:
        while text[at] == "{":
            found.before.append({})
            name, at = _member(text, at + 1)
            while True:
                try:
                    value, end = DECODER.raw_decode(text, at)
                    following = end_of_blank(text, end)
                    more = text[following] == ","
                except (json.JSONDecodeError, IndexError):
                    break
                if not more:
                    return None
                found.before[-1][name] = value
                name, at = _member(text, following + 1)
            if name in found.before[-1]:
                return None
            found.names.append(name)
    except (json.JSONDecodeError, IndexError, RecursionError):
        return None
    return (found, at + 1) if found.names and text[at] == "[" else None


def _member(text: str, at: int) -> tuple[str, int]:
    """The name of the member that begins at `at`, and where its value begins."""
    name, end = DECODER.raw_decode(text, end_of_blank(text, at))
    colon = end_of_blank(text, end)
    if not isinstance(name, str) or text[colon] != ":":
        raise json.JSONDecodeError("Expecting ':' delimiter", text, colon)
    return name, end_of_blank(text, colon + 1)


@dataclass(frozen=True, slots=True)
class Inside:
    """What `read` makes of a document: `place` and `others` are those of `find`."""

    rows: Rows
    place: Place
    others: list[Place]
    outside: dict[str, Any]
    spool: Spool

    def frames(self) -> Iterator[pl.DataFrame]:
        for frame in self.spool:
            yield self.rows.beside(frame, self.outside)


def read(values: Values, found: Around, name: str, stack: ExitStack) -> Inside | None:
    """The document whose array `values` have entered; None where it has to be read as a whole.

    Raises:
        UnreadableFile: as the whole document would, or might.
    """
    elements = values.take()
    document = found.document(elements)
    if as_columns(document) is not document:
        return None
    place, _ = _only_place(found, elements)
    if place is None:
        return None
    own = Rows(place, [(elements, {})])
    from loader.read.spool import Spool  # noqa: PLC0415 - with pyarrow

    spool = stack.enter_context(Spool(dict.fromkeys(own.columns, pl.String())))
    taken = elements
    while own.fit(taken):
        for frame in own.frames([(taken, {})]):
            spool.append(frame)
        while not values.ended and (regular := own.regular(values)) is not None:
            spool.append(regular)
        if values.ended:
            break
        taken = values.take()
    else:
        return None
    if not values.drained or not found.close(values.after):
        return None
    again, others = _only_place(found, elements)
    held = list(groups(found.document(elements), place, name))
    if again is None or again.steps != place.steps or len(held) != 1:
        return None
    return Inside(Rows(place, held), place, others, held[0][1], spool)


def _only_place(found: Around, elements: list[Any]) -> tuple[Place | None, list[Place]]:
    """Where the document has its rows, if they are the array's elements; and where others are."""
    places, others = find(found.document(elements))
    if len(places) == 1:
        [place] = places
        direct = place.form in {"arrays", "objects"} and len(place.steps) == len(found.names) + 1
        if direct and place.width > COLUMNS_OF_A_TABLE:
            return place, others
    return None, []
