"""Bars in folders by their key, as Hive names them: `symbol=SPY/date=2024-03-04/bars.parquet`."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import polars as pl

from loader import bars
from loader.errors import SettingsError
from loader.read.spool import Partitions
from loader.store.export.files import Write, writing

#: What folders can be named by. Days, months and years are those of `ts` in UTC.
KEYS: Final[Mapping[str, pl.Expr]] = {
    **{name: pl.col(name) for name in bars.SERIES},
    "year": pl.col("ts").dt.to_string("%Y"),
    "month": pl.col("ts").dt.to_string("%m"),
    "date": pl.col("ts").dt.to_string("%Y-%m-%d"),
}
#: A name that readers take for null.
_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
#: Bytes of a name that file systems take.
_LONGEST: Final = 255
_FILE: Final = "bars.parquet"


def check(path: str) -> None:
    """
    Raises:
        SettingsError: `path` is not a new or an empty folder.
    """
    there = Path(path)
    try:
        is_free = not there.exists() or (there.is_dir() and not any(there.iterdir()))
    except OSError as error:
        raise _unwritable(path, error) from error
    if path == "-" or not is_free:
        what = "standard output" if path == "-" else f"{path!r}, where something stands already"
        raise SettingsError(
            f"folders cannot be written to {what}", option="--to", hint="name a new folder"
        )


@contextmanager
def writing_folders(
    path: str, columns: Sequence[str], keys: Sequence[str]
) -> Iterator[tuple[Write, Callable[[], int]]]:
    """A function that takes frames of `bars.SCHEMA`, and one that gives how many files there are
    once the block has ended.

    Files have `columns`, and are in folders of the `KEYS`, in their order; rows keep theirs. The
    folder at `path` appears when the block ends, with all files, or not at all.

    Raises:
        SettingsError: it is not free, or cannot be written.
    """
    check(path)
    there = Path(path).resolve()
    beside = there.with_name(f".{there.name}.{secrets.token_hex(4)}.part")
    files = 0
    with ExitStack() as stack, Partitions(bars.SCHEMA) as partitions:
        stack.callback(shutil.rmtree, beside, ignore_errors=True)

        def write(frame: pl.DataFrame) -> None:
            named = frame.group_by((KEYS[key].alias(key) for key in keys), maintain_order=True)
            for values, rows in named:
                partitions.append(values, rows.select(bars.COLUMNS))

        yield write, lambda: files
        try:
            beside.mkdir()
            for values in partitions:
                _write(beside / folder(keys, values), columns, partitions.pieces(values))
                files += 1
            os.sync()
            beside.replace(there)
        except OSError as error:
            raise _unwritable(path, error) from error


def folder(keys: Sequence[str], values: Sequence[Any]) -> Path:
    """The folders of one file. All but letters, digits and `_.-~` is written as in a URL, so that
    no value leads elsewhere.

    Raises:
        SettingsError: a name is longer than file systems take.
    """
    names = []
    for key, value in zip(keys, values, strict=True):
        text = quote(str(value), safe="")
        if text == _NULL:
            text = text.replace("_", "%5F")
        name = f"{key}={text}"
        if len(name) > _LONGEST:
            raise SettingsError(
                f"a folder cannot be named by the {key} {str(value)[:40]!r}…: its name would have "
                f"{len(name)} bytes, and file systems take {_LONGEST}",
                option="--partition-by",
            )  # fmt: skip
        names.append(name)
    return Path(*names)


def _write(place: Path, columns: Sequence[str], frames: Iterator[pl.DataFrame]) -> None:
    place.mkdir(parents=True)
    with writing(str(place / _FILE), columns, durable=False) as write:
        for frame in frames:
            write(frame.select(columns))


def _unwritable(path: str, error: OSError) -> SettingsError:
    return SettingsError(
        f"{path} cannot be written: {error.strerror or error}",
        hint="free space or name another place; nothing was left there",
    )
