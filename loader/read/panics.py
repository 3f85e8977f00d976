"""Faults of Polars over the content of a file, as errors about that file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from loader.errors import UnreadableFile


@contextmanager
def panics(name: str) -> Iterator[None]:
    """Translates a panic of Polars, which is no `Exception` and would end the whole load.

    Raises:
        UnreadableFile: Polars fails over the file.
    """
    try:
        yield
    except pl.exceptions.PanicException as panic:
        why = next(iter(str(panic).splitlines()), "no reason given")
        raise UnreadableFile.of(
            name,
            f"cannot be read: Polars fails over its content: {why}",
            hint="write it again with the columns of the bars alone; please report this, with the "
            "file if you may",
        ) from panic
