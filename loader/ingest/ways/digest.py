"""Digests of a plan. That of its rows depends on their values and order, and neither on how they
are cut into frames nor on how a file encodes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl


class Digest:
    """Of rows with the columns of `schema`: text, numbers and times."""

    def __init__(self, schema: Mapping[str, pl.DataType]) -> None:
        self._columns = {name: [hashlib.blake2b() for _ in range(3)] for name in schema}

    def add(self, frame: pl.DataFrame) -> None:
        for name, (values, lengths, nulls) in self._columns.items():
            column = frame[name]
            nulls.update(column.is_null().cast(pl.UInt8).to_numpy().tobytes())
            if column.dtype == pl.String():
                text = column.fill_null("")
                lengths.update(text.str.len_bytes().cast(pl.UInt32).to_numpy().tobytes())
                values.update("".join(text).encode())
            else:
                values.update(column.to_physical().fill_null(0).to_numpy().tobytes())

    @property
    def text(self) -> str:
        """Of all rows so far, in hexadecimal digits."""
        whole = hashlib.blake2b(digest_size=16)
        for name, parts in self._columns.items():
            whole.update(name.encode() + b"".join(part.digest() for part in parts))
        return whole.hexdigest()


def digest(frames: Iterable[pl.DataFrame], schema: Mapping[str, pl.DataType]) -> str:
    """The digest of all rows of `frames`."""
    found = Digest(schema)
    for frame in frames:
        found.add(frame)
    return found.text


def seal(text: bytes) -> bytes:
    """The digest of a description, to stand beside it."""
    return hashlib.blake2b(text, digest_size=16).hexdigest().encode()


def described(text: bytes | None) -> dict[str, Any]:
    """The JSON object that `text` is; an empty one if it is none."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
