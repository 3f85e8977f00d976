"""The answer to a query: a table, JSON, CSV or a file. Only the table is held in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from loader.cli.views.table import Column, say, table
from loader.text import NOTHING, counted, visible, visible_json

if TYPE_CHECKING:
    import polars as pl

    from loader.survey.query import Answer

_NUMBERS: Final = ("int2", "int4", "int8", "oid", "float4", "float8", "numeric")
_BATCH: Final = 20_000


def show(found: Answer, limit: int) -> None:
    """At most `limit` rows as a table."""
    kinds = [field.type for field in found.fields]
    rows = [
        [_cell(kind, value) for kind, value in zip(kinds, row, strict=True)]
        for row in islice(found.rows, limit)
    ]
    more = next(found.rows, None) is not None
    columns = [
        Column(visible(field.name, ""), "number" if field.type in _NUMBERS else "text")
        for field in found.fields
    ]
    table(None, columns, rows)
    if more:
        say("and more rows: --limit N shows N; --json, --csv and --to FILE have all")
    elif not rows:
        say("no rows")


def print_json(found: Answer) -> None:
    """`{"columns": [{"name", "type"}], "rows": [{…}]}`, row by row."""
    columns = [{"name": field.name, "type": field.type} for field in found.fields]
    click.echo(visible_json(f'{{"columns": {json.dumps(columns, ensure_ascii=False)}, "rows": ['))
    names = [json.dumps(field.name, ensure_ascii=False) for field in found.fields]
    kinds = [field.type for field in found.fields]
    before = ""
    for row in found.rows:
        cells = map(_json, kinds, row)
        pairs = ", ".join(f"{name}: {cell}" for name, cell in zip(names, cells, strict=True))
        click.echo(f"{before}{{{visible_json(pairs)}}}", nl=False)
        before = ",\n"
    click.echo("\n]}" if before else "]}")


def write(found: Answer, path: str) -> None:
    """All rows to a .parquet or .csv file, which appears when it is complete; `-` is CSV on
    standard output.

    Raises:
        SettingsError: it cannot be written, or a column of the file cannot hold a value.
    """
    import polars as pl

    from loader.listen import log
    from loader.store.export.files import kind_of, writing_frames

    typed = kind_of(path) == "parquet"
    texts = {field.name: pl.String() for field in found.fields}
    types = {f.name: _dtype(f.type) if typed else pl.String() for f in found.fields}
    count = 0
    with writing_frames(path, types) as add:
        for rows in _batches(found):
            frame = pl.DataFrame(rows, texts, orient="row")
            add(_typed(frame, found) if typed else frame)
            count += frame.height
    if path != "-":
        log.note(f"{path}: {counted(count, 'row')}")
    rounded = [field.name for field in found.fields if field.type == "numeric"]
    if typed and rounded:
        log.note(f"note: {', '.join(rounded)}: numeric, written as the nearest float64")


def _batches(found: Answer) -> Iterator[list[tuple[str | None, ...]]]:
    kinds = [field.type for field in found.fields]
    while rows := [tuple(map(_plain, kinds, row)) for row in islice(found.rows, _BATCH)]:
        yield rows


def _dtype(kind: str) -> pl.DataType:
    import polars as pl

    from loader import bars

    return {
        "int2": pl.Int16(), "int4": pl.Int32(), "int8": pl.Int64(), "oid": pl.Int64(),
        "float4": pl.Float32(), "float8": pl.Float64(), "numeric": pl.Float64(),
        "bool": pl.Boolean(), "date": pl.Date(), "timestamptz": bars.TS,
        "timestamp": pl.Datetime("us"),
    }.get(kind, pl.String())  # fmt: skip


def _typed(frame: pl.DataFrame, found: Answer) -> pl.DataFrame:
    import polars as pl

    from loader.errors import SettingsError

    columns = []
    for field in found.fields:
        column = frame[field.name]
        try:
            columns.append(_cast(column, field.type))
        except pl.exceptions.PolarsError as error:
            raise SettingsError(
                f"column {field.name} ({field.type}) has a value that Parquet cannot hold as it is",
                hint=f'write it as text: "{field.name}"::text',
            ) from error
    return pl.DataFrame(columns)


def _cast(column: pl.Series, kind: str) -> pl.Series:
    import polars as pl

    dtype = _dtype(kind)
    if kind == "bool":
        return column == "t"
    if kind in ("timestamptz", "timestamp"):
        parsed = column.str.strip_suffix("Z").str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%.f", time_unit="us"
        )
        return parsed.dt.replace_time_zone("UTC") if kind == "timestamptz" else parsed
    if kind == "date":
        return column.str.to_date("%Y-%m-%d")
    return column.cast(dtype) if dtype != pl.String() else column


def _plain(kind: str, value: str | None) -> str | None:
    """The server's text, with times as ISO 8601 has them: `2024-03-04T14:30:00Z`."""
    if value is None or kind not in ("timestamptz", "timestamp"):
        return value
    return value.replace(" ", "T", 1).removesuffix("+00") + ("Z" if value.endswith("+00") else "")


def _cell(kind: str, value: str | None) -> str:
    if value is None:
        return NOTHING
    if kind == "bool":
        return "yes" if value == "t" else "no"
    if kind == "timestamptz":
        return value.removesuffix("+00") + ("Z" if value.endswith("+00") else "")
    return visible(value, "")


def _json(kind: str, value: str | None) -> str:
    if value is None:
        return "null"
    if kind == "bool":
        return "true" if value == "t" else "false"
    if kind in ("json", "jsonb"):
        return value
    if kind in _NUMBERS and value.lstrip("-")[:1].isdigit():  # not NaN, not Infinity
        return value
    return json.dumps(_plain(kind, value), ensure_ascii=False)
