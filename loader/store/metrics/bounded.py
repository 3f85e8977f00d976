"""Label values in bounded number: each distinct one is a time series for ever."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Final

OTHER: Final = "other"
_MOST: Final = 50
_LONGEST: Final = 120


class Bounded:
    """Lets the first `most` distinct values through and calls all further ones `other`."""

    def __init__(self, seen: Iterable[str] = (), most: int = _MOST) -> None:
        self._seen = set(seen)
        self._most = most
        self._lock = Lock()

    def know(self, values: Iterable[str]) -> None:
        """Lets these values through from now on, however many there are."""
        with self._lock:
            self._seen.update(values)

    def __call__(self, value: str) -> str:
        value = value[:_LONGEST]
        with self._lock:
            if value not in self._seen and len(self._seen) >= self._most:
                return OTHER
            self._seen.add(value)
        return value
