"""What a source asks of the path that it has."""

from __future__ import annotations

from typing import Any, Protocol, Self


class Place(Protocol):
    """Where bytes are and how they are had: a `pathlib.Path`, or what can do as much of one."""

    @property
    def name(self) -> str: ...

    def __hash__(self) -> int: ...

    def absolute(self) -> Self: ...

    def as_posix(self) -> str: ...

    def stat(self) -> Any:
        """Something with `st_size` and `st_mtime_ns`, as of now."""
        ...

    def open(self, mode: Any = ..., buffering: int = ...) -> Any:
        """The bytes, seekable; with `buffering=0` only the bytes asked for are read."""
        ...
