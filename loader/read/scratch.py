"""Files of mdload's own in the system's temporary directory: readable by their owner only, without
a name there, gone when they are closed or the process ends."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from loader.errors import NoRoom


def scratch_file(buffering: int = -1) -> IO[bytes]:
    """
    Raises:
        NoRoom: there is no directory for it.
    """
    with room():
        return tempfile.TemporaryFile(prefix="mdload-", buffering=buffering)


def copy(stream: BinaryIO, file: IO[bytes]) -> None:
    """Writes all of `stream` to `file`.

    Raises:
        NoRoom: it does not fit. What the stream raises passes as it is.
    """
    while data := stream.read(1 << 20):
        with room():
            file.write(data)
    with room():
        file.flush()


@contextmanager
def room() -> Iterator[None]:
    """Goes around what writes to such a file.

    Raises:
        NoRoom: the disk is full, or has failed.
    """
    try:
        yield
    except OSError as exc:
        where = tempfile.tempdir or "the temporary directory"
        raise NoRoom(
            f"there is no room for what is set aside in {where}: {exc.strerror or exc}",
            hint="free space there, or name a directory that has more in TMPDIR",
        ) from exc
