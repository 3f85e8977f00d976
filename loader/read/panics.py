"""Faults of libraries written in Rust over the content of a file, as errors about that file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loader.errors import UnreadableFile


@contextmanager
def panics(name: str) -> Iterator[None]:
    """Translates a panic, which only derives from `BaseException` and would end the whole load.
    Polars, deltalake and databento_dbn have a class for it each, of one name.

    Raises:
        UnreadableFile: such a library fails over the file.
    """
    try:
        yield
    except BaseException as panic:
        if type(panic).__name__ != "PanicException":
            raise
        why = next(iter(str(panic).splitlines()), "no reason given")
        raise UnreadableFile.of(
            name,
            f"cannot be read: the library for it fails over its content: {why}",
            hint="write it again with the columns of the bars alone; please report this, with the "
            "file if you may",
        ) from panic
