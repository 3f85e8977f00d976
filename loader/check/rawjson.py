"""Raw rows as JSON objects that PostgreSQL's jsonb takes and a person can read, losing nothing.

Every cell is text as the file has it (a typed cell in its shortest exact spelling) or null. jsonb
takes no NUL: it is written ␀, and a ␀ or ␛ that the file itself holds is written ␛␀ or ␛␛.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_ESCAPES: Final = {"␛": "␛␛", "␀": "␛␀", "\0": "␀"}
#: Polars ends the process over times far beyond the year 9999; their number is printed instead.
_MAX_SECONDS: Final = 253_402_300_800
_PER_SECOND: Final = {"ms": 10**3, "us": 10**6, "ns": 10**9}


def encode(rows: pl.DataFrame) -> pl.Series:
    """Each row as a JSON object (String, named `raw`) of its columns, in their order."""
    cells = [_visible(_as_text(column)).alias(_visible_name(column.name)) for column in rows]
    if not cells:
        return pl.repeat("{}", rows.height, dtype=pl.String, eager=True).alias("raw")
    return (
        pl.DataFrame(cells)
        .select(pl.struct(pl.all()).struct.json_encode().alias("raw"))
        .to_series()
    )


def _as_text(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if dtype.is_nested():
        text = _nested(column.to_physical() if "Date" in str(dtype) else column)
    elif isinstance(dtype, pl.Binary):
        text = column.bin.encode("hex")
    elif isinstance(dtype, pl.Date):
        text = _moments(column, _MAX_SECONDS // 86_400)
    elif isinstance(dtype, pl.Datetime):
        text = _moments(column, min(_MAX_SECONDS * _PER_SECOND[dtype.time_unit], 2**63 - 1))
    elif isinstance(dtype, pl.Time):
        text = column.dt.to_string("%H:%M:%S%.f")
    elif isinstance(dtype, pl.Duration):
        text = column.dt.to_string("iso")
    else:
        text = column.cast(pl.String)
    return text


def _moments(column: pl.Series, limit: int) -> pl.Series:
    number = column.to_physical()
    beyond = ~number.is_between(-limit, limit)
    return column.set(beyond, None).cast(pl.String).fill_null(number.cast(pl.String))


def _nested(column: pl.Series) -> pl.Series:
    """A list or struct as JSON itself; times in it are numbers."""
    value = pl.col("value")
    whole = pl.struct("value").struct.json_encode().str.strip_prefix('{"value":').str.head(-1)
    return column.to_frame("value").select(pl.when(value.is_not_null()).then(whole)).to_series()


def _visible(text: pl.Series) -> pl.Series:
    if not text.str.contains("[\0␀␛]").any():
        return text
    return text.str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))


def _visible_name(name: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in name)
