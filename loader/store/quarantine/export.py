"""Rejected rows into a file: with all that is known of them, or as their own file had them."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from loader.check.rawrows import is_text, tables
from loader.db.arrow import Connection
from loader.errors import NothingStored, SettingsError
from loader.store.export.rows import frames_writer, whole_file
from loader.store.quarantine.found import RejectFilter, rows


def write(connection: Connection, asked: RejectFilter, path: str, *, own_columns: bool) -> int:
    """Writes the rejects to a new file at `path`; returns how many. Memory is flat.

    Raises:
        NothingStored: there are none.
        SettingsError: the file cannot be written; or with `own_columns`, the rows have different
            columns.
    """
    written = 0
    with whole_file(path) as file:
        frames = rows(connection, asked)
        parts = _own(frames) if own_columns else map(_described, frames)
        first = next(parts, None)
        if first is None:
            raise NothingStored("no such rows were rejected", hint="see: mdload rejects list")
        with frames_writer(path, file, first.schema) as add:
            add(first)
            written += first.height
            for part in parts:
                add(part)
                written += part.height
    return written


def _described(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.rename({"path": "file", "row_number": "row"}).drop("id", "file_id")


def _own(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    names: list[str] | None = None
    for frame in frames:
        for _, cells in tables(frame["raw"]):
            if is_text(cells.columns):
                continue
            names = names or cells.columns
            if set(cells.columns) != set(names):
                raise SettingsError(
                    "these rows are of several tables, with different columns",
                    option="--own-columns", hint="choose those of one file: --file PATH",
                )  # fmt: skip
            yield cells.select(names)
