"""Raw rows as JSON objects that PostgreSQL's jsonb takes and a person can read.

Every cell is text as the file has it (a typed cell in its shortest exact spelling) or null. jsonb
takes no NUL: it is written ␀, and a ␀ or ␛ that the file itself holds is written ␛␀ or ␛␛. Of a
cell that is far longer than any of a bar the start is kept, then ␛… and how many characters more
there were: a file of one long cell per row would fill the server's disk.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import Final

import polars as pl
from polars.datatypes import DataTypeClass

#: What JSON text escapes.
_ESCAPED: Final = r'["\\\x00-\x1f]'
#: These and the marks; one look for both is enough for most columns.
_SPECIAL: Final = r'["\\\x00-\x1f␀␛]'
_ESCAPES: Final = {"␛": "␛␛", "␀": "␛␀", "\0": "␀"}
#: Polars ends the process over times far beyond the year 9999; their number is printed instead.
_MAX_SECONDS: Final = 253_402_300_800
#: Characters that a row keeps, shared by its cells; what a cell keeps at most, and at least. More
#: than a symbol may have (`reasons.LONGEST_KEY`): one that was cut is rejected again in a replay.
_ROW, _MOST, _LEAST = 8_000, 2_000, 200
#: Times that moments have to be repeated, so that looking them up is quicker than writing them.
_REPEATED: Final = 3
_PER_SECOND: Final = {"ms": 10**3, "us": 10**6, "ns": 10**9}


def encode(rows: pl.DataFrame, *, for_server: bool = False) -> pl.Series:
    """Each row as a JSON object (String, named `raw`) of its columns, in their order, or in the
    order in which jsonb keeps them: the server need not sort them then."""
    kept = min(_MOST, max(_LEAST, _ROW // max(rows.width, 1)))
    columns = [(_name(column.name, number), column) for number, column in enumerate(rows, 1)]
    if for_server:
        columns.sort(key=lambda each: _place(each[0]))
    parts: list[pl.Series | str] = []
    for name, column in columns:
        key = json.dumps(name, ensure_ascii=False)
        parts += [f"{',' if parts else '{'}{key}:", *_value(column, kept)]
    if not parts:
        return pl.repeat("{}", rows.height, dtype=pl.String, eager=True).alias("raw")
    return _joined([*parts, "}"], rows.height)


def _place(name: str) -> tuple[int, bytes]:
    """A sort key as that of jsonb: the length in bytes, then the bytes."""
    written = name.encode()
    return len(written), written


def _value(column: pl.Series, kept: int) -> tuple[pl.Series | str, ...]:
    """The cells as JSON, in parts: strings, or null."""
    text, dtype = as_text(column), column.dtype
    if not (dtype.is_numeric() or dtype.is_temporal() or dtype == pl.Boolean):
        special = text.str.contains(_SPECIAL).any()
        if special or (text.str.len_bytes() > kept).any():
            text = _cell(text, kept)
        if special and text.str.contains(_ESCAPED).any():
            encoded = pl.struct("text").struct.json_encode().str.strip_prefix('{"text":')
            return (text.to_frame("text").select(encoded.str.head(-1)).to_series(),)
    if not text.null_count():
        return '"', text, '"'
    quoted = pl.concat_str(pl.lit('"'), "text", pl.lit('"')).fill_null("null")
    return (text.to_frame("text").select(quoted).to_series(),)


def _joined(parts: list[pl.Series | str], height: int) -> pl.Series:
    """Text that is the same in all rows, and columns of texts, one after the other."""
    columns = {str(place): part for place, part in enumerate(parts) if isinstance(part, pl.Series)}
    pieces: list[pl.Expr] = []
    for alike, group in groupby(enumerate(parts), lambda part: isinstance(part[1], str)):
        if alike:
            pieces.append(pl.lit("".join(str(part) for _, part in group)))
        else:
            pieces += [pl.col(str(place)) for place, _ in group]
    return (
        pl.DataFrame(columns, height=height).select(pl.concat_str(pieces).alias("raw")).to_series()
    )


def as_text(column: pl.Series) -> pl.Series:
    """The cells of a column of any dtype as text (String); bytes are in hexadecimal."""
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
    """Each moment is written once: series share their moments, and writing one takes a while."""
    number = column.to_physical()
    once = number.unique()
    if once.len() * _REPEATED >= number.len():
        return _written(column, limit)
    texts = _written(once.cast(column.dtype), limit)
    return number.replace_strict(once, texts, return_dtype=pl.String)


def _written(column: pl.Series, limit: int) -> pl.Series:
    number = column.to_physical()
    beyond = ~number.is_between(-limit, limit)
    return column.set(beyond, None).cast(pl.String).fill_null(number.cast(pl.String))


def _nested(column: pl.Series) -> pl.Series:
    """A list, map or struct as JSON itself; times in it are numbers, bytes hexadecimal."""
    value = pl.col("value")
    column = column.to_frame("value").select(_writable(value, column.dtype)).to_series()
    whole = pl.struct("value").struct.json_encode().str.strip_prefix('{"value":').str.head(-1)
    return column.to_frame("value").select(pl.when(value.is_not_null()).then(whole)).to_series()


def _writable(value: pl.Expr, dtype: pl.DataType | DataTypeClass) -> pl.Expr:
    """`value` of `dtype` as Polars can write it to JSON: it ends the process over bytes, and over
    maps with other keys than text."""
    if isinstance(dtype, pl.Binary):
        return value.bin.encode("hex")
    if isinstance(dtype, pl.Map) and (dtype.key != pl.String() or "Binary" in str(dtype.value)):
        fields = [pl.Field("key", dtype.key), pl.Field("value", dtype.value)]
        entries = pl.List(pl.Struct(fields))
        return _writable(value.cast(entries), entries)
    if isinstance(dtype, pl.List):
        return value.list.eval(_writable(pl.element(), dtype.inner))
    if isinstance(dtype, pl.Array):
        return value.arr.eval(_writable(pl.element(), dtype.inner))
    if isinstance(dtype, pl.Struct):
        inner = (_writable(value.struct.field(f.name), f.dtype).alias(f.name) for f in dtype.fields)
        return value.struct.with_fields(*inner) if dtype.fields else value
    return value


def _cell(text: pl.Series, kept: int) -> pl.Series:
    """The text made visible, and cut to `kept` characters."""
    if not (text.str.len_bytes() > kept).any():
        return _visible(text)
    more = (text.str.len_chars().cast(pl.Int64) - kept).clip(0).fill_null(0)
    mark = pl.concat_str(pl.lit("␛… "), pl.col("more"), pl.lit(" more characters"))
    cut = pl.DataFrame({"text": _visible(text.str.head(kept)), "more": more})
    return cut.select(
        pl.when(pl.col("more") > 0).then(pl.concat_str("text", mark)).otherwise("text")
    ).to_series()


def _visible(text: pl.Series) -> pl.Series:
    if not text.str.contains("[\0␀␛]").any():
        return text
    return text.str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))


def _name(name: str, number: int) -> str:
    """The name of a column, made visible; a long one is cut, and tells the column's number."""
    if len(name) <= _LEAST:
        return _visible_name(name)
    return f"{_visible_name(name[:_LEAST])}␛… column {number}"


def _visible_name(name: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in name)
