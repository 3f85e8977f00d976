"""Rejected rows into a file: with all that is known of them, or as their own file had them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Final

import polars as pl

from loader.check.rawrows import decoded, is_text
from loader.db.arrow import Connection
from loader.errors import NothingStored, SettingsError
from loader.store.export_files import whole
from loader.store.quarantine.found import RejectFilter, rows

_KINDS: Final = (".csv", ".parquet", ".pq", ".jsonl", ".ndjson")
_TIME: Final = "%Y-%m-%dT%H:%M:%S%.fZ"
_Write = Callable[[pl.DataFrame], None]


def check_target(path: str) -> None:
    """
    Raises:
        SettingsError: the name says no kind of file that rejects are written to.
    """
    if Path(path).suffix.lower() not in _KINDS:
        raise SettingsError(
            f"--to {path!r} is neither .csv nor .parquet nor .jsonl", hint="name the file so"
        )


def write(connection: Connection, asked: RejectFilter, path: str, *, own_columns: bool) -> int:
    """Writes the rejects to a new file at `path`; returns how many. Memory is flat.

    Raises:
        NothingStored: there are none.
        SettingsError: the file cannot be written; or with `own_columns`, the rows have different
            columns.
    """
    written = 0
    try:
        with whole(path) as file:
            frames = rows(connection, asked)
            parts = _own(frames) if own_columns else map(_described, frames)
            first = next(parts, None)
            if first is None:
                raise NothingStored("no such rows were rejected", hint="see: mdload rejects list")
            with _writer(Path(path).suffix.lower(), file, first.schema) as add:
                add(first)
                written += first.height
                for part in parts:
                    add(part)
                    written += part.height
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="free space or name another place; what stood there is as it was",
        ) from error
    return written


def _described(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.rename({"path": "file", "row_number": "row"}).drop("id", "file_id")


def _own(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    names: tuple[str, ...] | None = None
    for frame in frames:
        cells = [decoded(raw) for raw in frame["raw"]]
        cells = [row for row in cells if not is_text(row)]
        for row in cells:
            names = names or tuple(row)
            if set(row) != set(names):
                raise SettingsError(
                    "these rows are of several tables, with different columns",
                    option="--own-columns", hint="choose those of one file: --file PATH",
                )  # fmt: skip
        if cells and names:
            columns = {name: [row[name] for row in cells] for name in names}
            yield pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String()))


@contextmanager
def _writer(suffix: str, file: IO[bytes], schema: pl.Schema) -> Iterator[_Write]:
    if suffix in (".parquet", ".pq"):
        import pyarrow.parquet as pq  # noqa: PLC0415

        oldest = pl.CompatLevel.oldest()
        with pq.ParquetWriter(file, schema.to_frame().to_arrow(compat_level=oldest).schema) as made:
            yield lambda frame: made.write_table(frame.to_arrow(compat_level=oldest))
        return
    if suffix == ".csv":
        header = True

        def csv(frame: pl.DataFrame) -> None:
            nonlocal header
            text = BytesIO()
            _flat(frame).write_csv(text, include_header=header)
            header = False
            file.write(text.getbuffer())

        yield csv
        return

    def lines(frame: pl.DataFrame) -> None:
        for row in frame.iter_rows(named=True):
            plain = {
                name: json.loads(value) if name == "raw" else value for name, value in row.items()
            }
            file.write(json.dumps(plain, ensure_ascii=False, default=_iso).encode() + b"\n")

    yield lines


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    times = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    return frame.with_columns(
        pl.col(times).dt.to_string(_TIME), pl.col(lists).list.join(" ")
    )  # fmt: skip


def _iso(value: object) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
