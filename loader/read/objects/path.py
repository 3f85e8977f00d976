"""An object as a path: as much of a `pathlib.Path` as a source asks of one."""

from __future__ import annotations

import io
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import field
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, Protocol, cast

from loader.lazy import dataclass

#: Bytes asked for at a time where an object is read from its start to its end.
BLOCK: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """What a store says of an object.

    Attributes:
        st_size: its bytes.
        st_mtime_ns: when it was last written; 0 where the store does not say.
        tag: changes whenever its content does; empty where the store has none.
        ranges: whether parts of it can be had; if not it is to be kept, like what a pipe brings.
    """

    st_size: int
    st_mtime_ns: int = 0
    tag: str = ""
    ranges: bool = True


class Remote(Protocol):
    """How an object is asked for. Every method raises UnreadableFile when it cannot be had."""

    def head(self) -> Head: ...

    def fetch(self, start: int, end: int, of: Head) -> bytes:
        """Bytes `start` up to `end` (exclusive, at least one) of what `of` told of.

        Raises:
            Unfinished: it has been replaced since.
        """
        ...

    def whole(self) -> AbstractContextManager[BinaryIO]:
        """All of it, once, from its start."""
        ...


@dataclass(frozen=True)
class ObjectPath:
    """One object.

    Attributes:
        url: how people know it, without user or password or whatever else gives access.
        key: its folders and name, without the query of a URL: `/bucket/2024/AAPL.csv`.
        identity: tells it from others that look alike without what gives access to them.
        head: what the store said when it was found.
    """

    url: str
    key: PurePosixPath
    identity: str = field(repr=False)
    head: Head = field(compare=False)
    remote: Remote = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        return self.key.name

    def absolute(self) -> ObjectPath:
        return self

    def as_posix(self) -> str:
        return str(self.key)

    def stat(self) -> Head:
        """What the store says of it now."""
        return self.remote.head()

    def open(self, mode: str = "rb", buffering: int = -1) -> BinaryIO:
        """To be read from its start on, some megabytes ahead; with `buffering=0` exactly what is
        asked for and where, for formats that know where they want to read. It can be moved in
        either way.

        Reading raises Unfinished where the object was replaced after it was found.
        """
        assert mode == "rb"
        if buffering == 0:
            return cast(BinaryIO, _Ranges(self.remote, self.head))
        blocks: Any = _Blocks(self.remote, self.head)
        return io.BufferedReader(blocks, 1 << 16)


class _Ranges(io.RawIOBase):
    """One request for each read."""

    def __init__(self, remote: Remote, head: Head) -> None:
        self._remote = remote
        self._head = head
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._head.st_size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        left = self._head.st_size - self._at
        if left <= 0 or not buffer:
            return 0
        data = self._some(min(len(buffer), left))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _some(self, count: int) -> bytes | memoryview:
        return self._remote.fetch(self._at, self._at + count, self._head)


class _Blocks(_Ranges):
    """A block for each request, and the next one under way as soon as two were read in turn."""

    def __init__(self, remote: Remote, head: Head) -> None:
        super().__init__(remote, head)
        self._number = -1
        self._block = b""
        self._ahead: tuple[int, Future[bytes]] | None = None
        self._pool: ThreadPoolExecutor | None = None

    def _some(self, count: int) -> memoryview:
        number, offset = divmod(self._at, BLOCK)
        if number != self._number:
            self._turn_to(number)
        return memoryview(self._block)[offset : offset + count]

    def _turn_to(self, number: int) -> None:
        in_turn = 0 < number == self._number + 1
        ahead, self._ahead = self._ahead, None
        self._block = ahead[1].result() if ahead and ahead[0] == number else self._fetch(number)
        self._number = number
        if in_turn and (number + 1) * BLOCK < self._head.st_size:
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="mdload-object")
            self._ahead = number + 1, self._pool.submit(self._fetch, number + 1)

    def _fetch(self, number: int) -> bytes:
        end = min((number + 1) * BLOCK, self._head.st_size)
        return self._remote.fetch(number * BLOCK, end, self._head)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        super().close()
