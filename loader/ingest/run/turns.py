"""The sources of a run, given out in their order to the threads that load them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock

from loader.read.sources import Source
from loader.results import FileResult


class Turns:
    """
    Attributes:
        results: of the sources that were loaded, by their numbers.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.results: dict[int, FileResult] = {}
        self._left = deque(enumerate(sources))
        self._lock = Lock()

    def take(self, most: int) -> list[tuple[int, Source]]:
        """The next sources, `most` at a time, with their numbers; none if all were given out."""
        with self._lock:
            return [self._left.popleft() for _ in range(min(most, len(self._left)))]

    def give_back(self, sources: Sequence[tuple[int, Source]]) -> None:
        """Puts back sources that were taken and not loaded: they are the next ones."""
        with self._lock:
            self._left.extendleft(reversed(sources))

    def end(self) -> None:
        """Gives out no more."""
        with self._lock:
            self._left.clear()

    @property
    def all_results(self) -> list[FileResult]:
        """The results in the order of the sources, once all of them were loaded."""
        return [result for _, result in sorted(self.results.items())]
