"""The values of a JSON text by blocks: elements of one array, or values on lines of their own.

Numbers become the text that spells them, so that none of them passes through a float.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from loader.errors import Unfinished, UnreadableFile
from loader.lazy import regex
from loader.read import bounds

#: Characters that are parsed at a time: enough for Polars to be fast, few enough for flat memory.
BLOCK: Final = 2 << 20
#: Characters that one value may have: it is held whole, at up to ten times its size.
LIMIT: Final = 128 << 20
#: Elements that one value may have, each of which takes fifty bytes and more.
ELEMENTS: Final = 10_000_000

#: An escape for half of a character beyond U+FFFF; alone it stands for nothing.
_ESCAPED_HALF: Final = regex(r"\\u[dD][89a-fA-F]")
_HALF: Final = regex("[\ud800-\udfff]")


class _Decoder(json.JSONDecoder):
    """Halves of characters become U+FFFD and their code, so that a check refuses the cell. They
    cannot be stored, and two different ones must not become one name."""

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        value, end = super().raw_decode(s, idx)
        return _whole(value) if _ESCAPED_HALF.search(s, idx, end) else value, end


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub(lambda half: f"\ufffd{ord(half[0]):x}", value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return value


DECODER: Final = _Decoder(parse_float=str, parse_int=str, parse_constant=str)
_BLANK: Final = regex(r"[ \t\r\n]*")
#: An error this close to the end may come from where the text was cut, as inside `-Infinity`.
_LONGEST_WORD: Final = 16


class Values:
    """The values in `pieces`, wherever the text is cut into them.

    Attributes:
        array: whether they are the elements of one array.
        ended: whether all of them have been taken.
        drained: whether all of the text has been read.
        text: the part that is read but not taken; it begins with a value.
        size: how many characters have been read.
        after: what follows the array that was entered, once its elements have ended.
        boundary: what stands between two values, with their outer brackets, as `},{` or `]\\n[`;
            blank before two of them are known.
    """

    def __init__(self, pieces: Iterator[str], name: str, block: int = BLOCK) -> None:
        self._pieces, self._name, self._block = pieces, name, block
        self.drained = False
        self._line, self._column = 1, 1
        self.text, self.boundary, self.after = "", "", ""
        self.size, self._entered = 0, False
        self.fill(block)
        self.ended = not self.text
        self.array = self._is_array()
        if self.array:
            self.drop(1)
            self.fill()
            if self.text.startswith("]"):
                self._finish(1)
                self.drop(1)

    def take(self) -> list[Any]:
        """The next values, at least one unless they have ended.

        Raises:
            UnreadableFile: the text is no JSON, is cut short, nests too deep, or has a value that
                is too large.
        """
        self.fill()
        values: list[Any] = []
        at = 0
        while not self.ended:
            try:
                value, end = DECODER.raw_decode(self.text, at)
                following = self._following(end)
            except json.JSONDecodeError as exc:
                if not self._cut_here(exc):
                    raise self._damaged(exc) from exc
                self._refuse_long_string(exc)
            except RecursionError as exc:
                raise too_deep(self._name) from exc
            else:
                if not values and not self.boundary and following < len(self.text):
                    self.boundary = self.text[end - 1 : following + 1]
                values.append(value)
                at = following
                continue
            if values:
                break
            self._grow()
        self.drop(at)
        return values

    def enter(self, at: int) -> None:
        """Goes on with the elements of the array that begin at `at`, inside a document."""
        self.array = self._entered = True
        self.drop(at)
        self.fill()

    def fill(self, least: int = 0) -> None:
        """Reads on until half a block of text is there (`least`, if that is more), or all that is
        left. The half spares a second block where a little of one has been taken."""
        least = max(least, (self._block + 1) // 2)
        while not self.drained and len(self.text) < least:
            held, size = [self.text], len(self.text)
            while size < least and (piece := next(self._pieces, None)) is not None:
                held.append(piece)
                size += len(piece)
            self.size += size - len(self.text)
            self.drained = size < least
            self.text = "".join(held)
            self.drop(0)

    def drop(self, count: int) -> None:
        """Lets go of the first characters, and of the blank ones after them."""
        count = end_of_blank(self.text, count)
        self._line, self._column = self._position(count)
        self.text = self.text[count:]

    def _following(self, end: int) -> int:
        """Where the value after the one that ends at `end` begins; `ended` where there is none."""
        at = end_of_blank(self.text, end)
        if at == len(self.text):
            if self.array or not self.drained:
                raise json.JSONDecodeError("Expecting ',' delimiter", self.text, at)
            self.ended = True
        elif not self.array:
            if "\n" not in self.text[end:at]:
                raise json.JSONDecodeError("Extra data", self.text, at)
        elif self.text[at] == ",":
            at = end_of_blank(self.text, at + 1)
        elif self.text[at] == "]":
            self._finish(at + 1)
            at = len(self.text)
        else:
            raise json.JSONDecodeError("Expecting ',' delimiter", self.text, at)
        return at

    def _finish(self, end: int) -> None:
        """Makes sure that nothing follows the array that ends at `end`, or keeps what does, a block
        at most, where the array was entered."""
        if self._entered:
            self.fill(end + self._block)
            self.after, self.ended = self.text[end:], True
            return
        while not self.text[end:].strip() and not self.drained:
            self.fill(len(self.text) + 1)
        if self.text[end:].strip():
            at = end_of_blank(self.text, end)
            raise self._damaged(json.JSONDecodeError("Extra data", self.text, at))
        self.ended = True

    def _is_array(self) -> bool:
        """Whether the text is one array, and not arrays on lines of their own, the first of which
        ends within a block."""
        if not self.text.startswith("["):
            return False
        try:
            _, end = DECODER.raw_decode(self.text)
        except (ValueError, RecursionError):
            return True
        return not re.match(r"[ \t\r]*\n\s*\S", self.text[end:])

    def _cut_here(self, exc: json.JSONDecodeError) -> bool:
        """Whether the value may be whole when more of the text is read."""
        near = exc.pos >= len(self.text) - _LONGEST_WORD or exc.msg.startswith("Unterminated")
        return near and not self.drained and exc.msg != "Extra data"

    def _grow(self) -> None:
        large = f"{LIMIT >> 20} MB" if len(self.text) >= LIMIT else ""
        if len(self.text) > ELEMENTS and self.text.count(",") > ELEMENTS:
            large = f"{ELEMENTS:,} elements"
        if large:
            raise UnreadableFile.of(
                self._name,
                f"has one JSON value of more than {large} in line "
                f"{self._line:,}, and such a value has to be held whole",
                hint="make lines of its rows, for example: jq -c '.results[]' FILE > FILE.ndjson",
            )
        self.fill(min(4 * len(self.text), max(LIMIT, len(self.text) + 1)))

    def _refuse_long_string(self, exc: json.JSONDecodeError) -> None:
        if exc.msg.startswith("Unterminated") and len(self.text) - exc.pos > bounds.CELL:
            line, column = self._position(exc.pos)
            raise UnreadableFile.of(
                self._name,
                f"has a string of more than {bounds.CELL:,} characters in line {line:,}, column "
                f"{column:,}, which no cell of a table is",
                hint="take only the members of the bars, for example with jq",
            )

    def _position(self, at: int) -> tuple[int, int]:
        """The line and column, from 1, of the character `at` of `text`."""
        lines = self.text.count("\n", 0, at)
        return (self._line + lines, at - self.text.rfind("\n", 0, at)) if lines else (
            self._line, self._column + at
        )  # fmt: skip

    def _damaged(self, exc: json.JSONDecodeError) -> Unfinished:
        line, column = self._position(exc.pos)
        how = "is cut short" if exc.pos >= len(self.text.rstrip()) else "is damaged or cut short"
        return Unfinished.of(
            self._name,
            f"is not complete JSON, it {how}: "
            f"{exc.msg[0].lower()}{exc.msg[1:].removesuffix(' at')} in line {line:,}, "
            f"column {column:,}",
            hint="get it again from where it came, or mend it there",
        )


def too_deep(name: str) -> UnreadableFile:
    return UnreadableFile.of(
        name, "is not a table: its JSON nests hundreds of arrays or objects into one another"
    )


def end_of_blank(text: str, start: int = 0) -> int:
    match = _BLANK.match(text, start)
    assert match is not None  # for mypy: it matches everywhere
    return match.end()


def flat(value: Any, path: str = "", *, arrays: bool = True) -> Any:
    """An object with what nests in it under dotted names; without arrays if not `arrays`. Anything
    else as it is."""
    if not isinstance(value, dict):
        return value
    if not path and arrays and dict not in map(type, value.values()):
        return value
    result: dict[str, Any] = {}
    for key, child in value.items():
        if isinstance(child, dict):
            result |= flat(child, f"{path}{key}.", arrays=arrays)
        elif arrays or not isinstance(child, list):
            result[path + key] = child
    return result
