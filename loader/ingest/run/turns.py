"""The sources of a run, given out in their order to the threads that load them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from loader.errors import Cancelled, DatabaseError, UnreadableFile
from loader.ingest.run import recognised, together
from loader.ingest.run.hashed import hashed
from loader.lazy import dataclass
from loader.read.panics import panics
from loader.read.sources import Source
from loader.results import FileResult

if TYPE_CHECKING:
    from loader.ingest.run import LoadRun

#: If none of some files could be loaded together, the next ones load one by one before it is tried
#: again: 4 at first, four times as many each time, at most 256.
_ALONE, _MOST_ALONE = 4, 256
#: Of what is left, one of several workers takes this part of its own share at most, or a few.
_SHARE, _FEW = 2, 8
#: So many times as many files are taken together as before, as long as that goes.
_MORE = 4


class Turns:
    """
    Attributes:
        results: of the sources that were loaded, by their numbers.
    """

    def __init__(self, sources: Sequence[Source], workers: int = 1) -> None:
        self.results: dict[int, FileResult] = {}
        self._workers = workers
        self._left = deque(enumerate(sources))
        self._ended = False
        self._lock = Lock()

    def take(self, most: int) -> list[tuple[int, Source]]:
        """The next sources, `most` at a time, with their numbers; none if all were given out.
        Towards the end each of several workers gets fewer, so that none waits long for another."""
        with self._lock:
            left = len(self._left)
            if self._workers > 1:
                most = min(most, max(_FEW, left // (_SHARE * self._workers)))
            return [self._left.popleft() for _ in range(min(most, left))]

    def give_back(self, sources: Sequence[tuple[int, Source]]) -> None:
        """Puts back sources that were taken and not loaded: they are the next ones."""
        with self._lock:
            if not self._ended:
                self._left.extendleft(reversed(sources))

    def end(self) -> None:
        """Gives out no more, also not what is given back."""
        with self._lock:
            self._ended = True
            self._left.clear()

    @property
    def are_over(self) -> bool:
        """Whether there is none to take, unless one is given back."""
        return not self._left

    @property
    def all_results(self) -> list[FileResult]:
        """The results in the order of the sources, once all of them were loaded."""
        return [result for _, result in sorted(self.results.items())]


@dataclass(frozen=True, slots=True)
class Way:
    """How a thread loads the sources that it takes.

    Attributes:
        load_file: loads one of them.
        together: loads the first of some, see `first_together`; None for that one.
        begin: called before the first of them; whether there is anything for it to load by then.
    """

    load_file: Callable[[LoadRun, Source], FileResult]
    together: Callable[[LoadRun, Sequence[Source]], list[FileResult]] | None = None
    begin: Callable[[Turns], bool] = lambda turns: True


def load_in_turn(run: LoadRun, turns: Turns, way: Way) -> None:
    """Loads sources as long as there are some, one by one; after a file that was loaded or
    recognised, the next ones together with others, each time more, as far as that goes."""
    if not way.begin(turns):
        return
    together_first = way.together or first_together
    most, alone, failed = 1, 0, 0
    while taken := turns.take(most):
        done = together_first(run, [source for _, source in taken]) if most > 1 else []
        turns.results.update((at, result) for (at, _), result in zip(taken, done, strict=False))
        if most > 1:
            failed = 0 if done else failed + 1
            alone = min(_ALONE**failed, _MOST_ALONE) if not done else 0
        new = bool(done) and done[-1].state == "loaded"
        left = taken[len(done) :]
        if not left or (new and len(done) == together.MOST):
            turns.give_back(left)
            most = min(_MORE * most, together.MOST if new else recognised.MOST)
            continue
        (at, source), *rest = left
        turns.give_back(rest)
        turns.results[at] = result = way.load_file(run, source)
        alone -= 1
        more = result.state == "known" or (
            result.state == "loaded" and together.may_load_together(run)
        )
        most = max(len(done), 2) if more and alone < 0 else 1


def first_together(run: LoadRun, sources: Sequence[Source]) -> list[FileResult]:
    """The results of the first of the sources, as far as they could be recognised or loaded
    together."""
    settings = run.settings
    asks = not (settings.force or settings.delete_gone or run.others or run.run_id is None)
    loads = together.may_load_together(run)
    if not (asks or loads):
        return []
    files = hashed(run, sources)
    # One by one, they are tried several times, and their errors are reported.
    with suppress(DatabaseError, UnreadableFile, Cancelled), panics("files that are alike"):
        known, unknown = recognised.recognised(run, files) if asks else ([], len(files))
        if known or not loads or not unknown:
            return known
        return together.loaded_together(run, files[:unknown])
    return []
