"""Files of rows that are not bars alone: rejects, differences. CSV, Parquet or lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Final

import polars as pl

from loader.errors import SettingsError
from loader.store.export.files import whole

_KINDS: Final = (".csv", ".parquet", ".pq", ".jsonl", ".ndjson")
_TIME: Final = "%Y-%m-%dT%H:%M:%S%.fZ"
Write = Callable[[pl.DataFrame], None]


def check_target(path: str) -> None:
    """
    Raises:
        SettingsError: the name says no kind of file that rows are written to.
    """
    if Path(path).suffix.lower() not in _KINDS:
        raise SettingsError(
            f"--to {path!r} is neither .csv nor .parquet nor .jsonl", hint="name the file so"
        )


@contextmanager
def whole_file(path: str) -> Iterator[IO[bytes]]:
    """A new file at `path`, which appears when the block ends.

    Raises:
        SettingsError: it cannot be written.
    """
    try:
        with whole(path) as file:
            yield file
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="free space or name another place; what stood there is as it was",
        ) from error


@contextmanager
def frames_writer(path: str, file: IO[bytes], schema: pl.Schema) -> Iterator[Write]:
    """A function that appends frames of `schema` to an open file, in the format of its name: text
    columns called `raw` hold JSON, which lines of JSON have as it is."""
    suffix = Path(path).suffix.lower()
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


def write_all(path: str, frames: Iterable[pl.DataFrame], schema: dict[str, pl.DataType]) -> None:
    """All `frames` of `schema` to a new file at `path`; raises as `whole_file`."""
    with whole_file(path) as file, frames_writer(path, file, pl.Schema(schema)) as add:
        add(pl.DataFrame(schema=schema))
        for frame in frames:
            add(frame)
