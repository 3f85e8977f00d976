"""Rejected rows set aside until the end of a file's merge, in the form that COPY sends.

They are made ready once, while the file is read. Reading them back as frames, to change them and
make Arrow of them again, took as long as encoding them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import polars as pl

from loader.check.validate import BAD
from loader.read.spool import Spool

#: `BAD` as COPY sends it: the driver sends text and bytes as they are, whatever the column's type.
SENT: Final[dict[str, pl.DataType]] = {**BAD, "rules": pl.Binary()}
#: The binary form of jsonb is a byte for its version before the text.
_VERSION: Final = "\x01"
#: The object identifier of the type text, on every server.
_TEXT: Final = 25
#: Rows to read back at once: more take new memory each time, which costs as much as reading them.
_AT_ONCE: Final = 10_000
#: Rows to make ready at once: their texts stay in the processor's cache.
_MADE_AT_ONCE: Final = 25_000
#: In the name of no rule.
_APART: Final = "\n"


class Waiting(Spool):
    """Append frames of `BAD`; they come back in the order they came, as `SENT`."""

    def __init__(self) -> None:
        super().__init__(SENT, _AT_ONCE)

    def append(self, frame: pl.DataFrame) -> None:
        for part in frame.iter_slices(_MADE_AT_ONCE):
            super().append(as_sent(part))


def as_sent(bad: pl.DataFrame) -> pl.DataFrame:
    """A frame of `BAD` as one of `SENT`."""
    names = bad["rules"].list.join(_APART).fill_null("")
    # Rows mostly break the same few rules together: each set of them is encoded once.
    sets = names.unique()
    encoded = pl.Series([array(each.split(_APART)) for each in sets], dtype=pl.Binary)
    rules = names.replace_strict(sets, encoded, return_dtype=pl.Binary)
    return bad.with_columns(rules=rules, raw=pl.lit(_VERSION) + pl.col("raw"))


def array(texts: Sequence[str]) -> bytes:
    """The binary form of a text[] of one dimension that begins with 1, without nulls."""
    parts = [struct.pack("!5i", 1, 0, _TEXT, len(texts), 1)]
    for text in texts:
        value = text.encode()
        parts += (struct.pack("!i", len(value)), value)
    return b"".join(parts)
