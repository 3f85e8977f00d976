"""Files for bars: Parquet, CSV, or CSV on standard output. A file appears once it is complete."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Final

import polars as pl

from loader import bars
from loader.errors import SettingsError

Write = Callable[[pl.DataFrame], object]
#: Rows of a Parquet row group: readers skip by them, and the writer holds one in memory.
_ROW_GROUP: Final = 250_000
#: Seconds have decimals only where they are not zero.
_TIME: Final = "%Y-%m-%dT%H:%M:%S%.fZ"
_OLDEST: Final = pl.CompatLevel.oldest()


def kind_of(path: str) -> str:
    """`parquet` or `csv`, by the suffix; `-` is CSV.

    Raises:
        SettingsError: it is neither.
    """
    suffix = "csv" if path == "-" else Path(path).suffix.lower().removeprefix(".")
    if suffix in ("pq", "parquet"):
        return "parquet"
    if suffix != "csv":
        raise SettingsError(
            f"--to {path!r} is neither .parquet nor .csv",
            hint="name the file so, or write - for CSV on standard output",
        )
    return suffix


@contextmanager
def writing(path: str, columns: Sequence[str], *, durable: bool = True) -> Iterator[Write]:
    """`writing_frames` for bars: frames of `columns` of `bars.SCHEMA`."""
    schema = {name: bars.SCHEMA[name] for name in columns}
    with writing_frames(path, schema, durable=durable) as write:
        yield write


@contextmanager
def writing_frames(
    path: str, schema: Mapping[str, pl.DataType], *, durable: bool = True
) -> Iterator[Write]:
    """A function that appends frames of exactly `schema` to a new file at `path`.

    An existing file is replaced when the block ends, and stays as it was if the block raises. A
    pipe or a device is written to directly. A file that is not `durable` may still have to reach
    the disk.

    Raises:
        SettingsError: the suffix is not that of a known format, or the file cannot be written.
    """
    writer = _parquet if kind_of(path) == "parquet" else _csv
    try:
        with whole(path, durable=durable) as file, writer(file, schema) as write:
            yield write
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="free space or name another place; what stood there is as it was",
        ) from error


@contextmanager
def whole(path: str, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """The file to write to: a new one beside `path`, which is renamed at the end."""
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    there = Path(path).resolve()  # a link stays one
    if there.exists() and not there.is_file():
        with there.open("wb") as special:
            yield special
        return
    beside = there.with_name(f".{there.name}.{secrets.token_hex(4)}.part")
    with ExitStack() as stack:
        stack.callback(_remove, beside)
        with beside.open("xb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if there.exists():
            shutil.copymode(there, beside)
        beside.replace(there)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()


@contextmanager
def _csv(file: IO[bytes], schema: Mapping[str, pl.DataType]) -> Iterator[Write]:
    """Floats in the shortest form that reads back as the same number, nulls empty."""

    def write(frame: pl.DataFrame, *, header: bool = False) -> None:
        if schema.get("ts") == bars.TS:
            frame = frame.with_columns(pl.col("ts").dt.to_string(_TIME))
        text = BytesIO()  # Polars does not say why a file cannot be written
        frame.write_csv(text, include_header=header)
        file.write(text.getbuffer())

    write(pl.DataFrame(schema=schema), header=True)
    yield write


@contextmanager
def _parquet(file: IO[bytes], schema: Mapping[str, pl.DataType]) -> Iterator[Write]:
    import pyarrow.parquet as pq  # noqa: PLC0415

    texts = [name for name, dtype in schema.items() if dtype == pl.String()]
    writer = pq.ParquetWriter(
        file,
        pl.DataFrame(schema=schema).to_arrow(compat_level=_OLDEST).schema,
        compression="zstd",
        use_dictionary=texts,
        # Times on a grid are all the same distance apart: next to nothing.
        column_encoding={"ts": "DELTA_BINARY_PACKED"} if schema.get("ts") == bars.TS else None,
    )
    waiting: list[pl.DataFrame] = []

    def flush() -> None:
        if waiting:
            writer.write_table(pl.concat(waiting).to_arrow(compat_level=_OLDEST))
            waiting.clear()

    def write(frame: pl.DataFrame) -> None:
        waiting.append(frame)
        if sum(f.height for f in waiting) >= _ROW_GROUP:
            flush()

    try:
        yield write
        flush()
    except BaseException:
        with suppress(Exception):  # or it complains when it is garbage collected
            writer.close()
        raise
    writer.close()
