"""The sources of a run, given out in their order to the threads that load them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from threading import Lock
from typing import TYPE_CHECKING

from loader.errors import Cancelled, DatabaseError, UnreadableFile
from loader.ingest.run import recognised, together
from loader.ingest.run.apart import taken_over
from loader.ingest.run.hashed import Hashed
from loader.ingest.run.small.ahead import Ahead
from loader.lazy import dataclass
from loader.read.panics import panics
from loader.read.sources import Source
from loader.results import FileResult, Note
from loader.results.events import FileDone, FileStarted

if TYPE_CHECKING:
    from loader.db.arrow import Connection
    from loader.ingest.run import LoadRun
    from loader.ingest.run.order import Order

#: If none of some files could be loaded together, the next ones load one by one before it is tried
#: again: 4 at first, four times as many each time, at most 256.
_ALONE, _MOST_ALONE = 4, 256
#: Of what is left, one of several workers takes its own share at most, or a few.
FEW = 8
#: So many times as many files are taken together as before, as long as that goes.
_MORE = 4


class Turns:
    """
    Attributes:
        results: of the sources that were loaded, by their numbers.
    """

    def __init__(
        self,
        sources: Iterable[tuple[int, Source]],
        workers: int = 1,
        order: Order | None = None,
    ) -> None:
        self.results: dict[int, FileResult] = {}
        self._workers = workers
        self._order = order
        self._left = deque(sources)
        self._ended = False
        self._lock = Lock()

    def take(self, most: int) -> list[tuple[int, Source]]:
        """The next sources, `most` at a time, with their numbers; none if all were given out.
        Towards the end each of several workers gets fewer, so that none waits long for another."""
        return self.begin(self._next(most))

    def reserve(self, most: int) -> list[tuple[int, Source]]:
        """As `take`, for sources that do not `begin` yet."""
        return self._next(most)

    def _next(self, most: int) -> list[tuple[int, Source]]:
        with self._lock:
            left = len(self._left)
            if self._workers > 1:
                most = min(most, max(FEW, left // self._workers))
            return [self._left.popleft() for _ in range(min(most, left))]

    def begin(self, reserved: list[tuple[int, Source]]) -> list[tuple[int, Source]]:
        """The sources, which are to be loaded now; none once the turns have ended."""
        with self._lock:
            if self._ended:
                return []
            if self._order is not None:
                self._order.begin(number for number, _ in reserved)
            return reserved

    def done(self, results: Mapping[int, FileResult]) -> None:
        """Keeps results, by the numbers of their sources."""
        self.results.update(results)
        if self._order is not None:
            self._order.end(results)

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


@dataclass(slots=True)
class Pace:
    """How the last sources went in a thread that loads them.

    Attributes:
        most: how many of the next it takes together.
        alone: how many of the next it loads one by one.
        failed: how often in a row none of several could be loaded together.
    """

    most: int = 1
    alone: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """How a thread loads the sources that it takes.

    Attributes:
        load_file: loads one of them.
        together: loads the first of some, see `first_together`; None for that one.
        begin: called before the first of them; whether there is anything for it to load by then.
        most: how many of the first it takes together.
    """

    load_file: Callable[[LoadRun, Source], FileResult]
    together: Callable[[LoadRun, Sequence[Source], Ahead], list[FileResult]] | None = None
    begin: Callable[[Turns], bool] = lambda turns: True
    most: int = 1


def load_in_turn(run: LoadRun, turns: Turns, way: Way, pace: Pace | None = None) -> None:
    """Loads sources as long as there are some, one by one; after a file that was loaded or
    recognised, the next ones together with others, each time more, as far as that goes. With the
    `pace` of others before them, the first ones too."""
    if not way.begin(turns):
        return
    pace, reserved = pace or Pace(way.most), list[tuple[int, Source]]()

    def coming(loading: int) -> list[Source]:
        reserved[:] = turns.reserve(min(_MORE * loading, together.MOST))
        return [source for _, source in reserved]

    together_first, ahead = way.together or first_together, Ahead(coming)
    while taken := turns.begin(reserved) or turns.take(pace.most):
        reserved = []
        own = [source for _, source in taken]
        done = together_first(run, own, ahead) if pace.most > 1 else []
        turns.done({at: result for (at, _), result in zip(taken, done, strict=False)})
        if pace.most > 1:
            pace.failed = 0 if done else pace.failed + 1
            pace.alone = min(_ALONE**pace.failed, _MOST_ALONE) if not done else 0
        new = bool(done) and done[-1].state == "loaded"
        left = taken[len(done) :]
        if left:
            turns.give_back(reserved)
            reserved = []
        if not left or (new and len(done) == together.MOST):
            turns.give_back(left)
            pace.most = min(_MORE * pace.most, together.MOST if new else recognised.MOST)
            continue
        (at, source), *rest = left
        turns.give_back(rest)
        result = way.load_file(run, source)
        turns.done({at: result})
        pace.alone -= 1
        more = result.state == "known" or (
            result.state == "loaded" and together.may_load_together(run)
        )
        pace.most = max(len(done), 2) if more and pace.alone < 0 else 1


def first_together(
    run: LoadRun, sources: Sequence[Source], ahead: Ahead | None = None
) -> list[FileResult]:
    """The results of the first of the sources, as far as the run has them already, or they could be
    recognised or loaded together. `ahead` looks at the next ones meanwhile."""
    ahead = ahead or Ahead()
    files = ahead.hashed(run, sources) if may_go_together(run) else []
    if not files:
        return []
    # One by one, they are tried several times, and their errors are reported.
    with (
        suppress(DatabaseError, UnreadableFile, Cancelled),
        panics("files that are alike"),
        run.connection(autocommit=True) as session,
        run.alone([(file.source, file.asked.content_hash) for file in files], session) as found,
    ):
        done = [each for each in takewhile(lambda each: each is not None, found) if each]
        if done:
            return [_told(run, file.source, each) for file, each in zip(files, done, strict=False)]
        others = takewhile(lambda at: at[1] is None, zip(files, found, strict=True))
        return _first_together(run, session, [file for file, _ in others], ahead)
    return []


def _first_together(
    run: LoadRun, session: Connection, files: Sequence[Hashed], ahead: Ahead
) -> list[FileResult]:
    most, again = 0, dict[str, tuple[Note, ...]]()
    if together.may_load_together(run):
        most = together.MOST
    if _asks_ledger(run):
        known, to_load = recognised.recognised(run, session, files, most)
        if known:
            return known
        most = min(most, len(to_load))
        again = {each.source.name: notes for each, notes in zip(files, to_load, strict=False)}
    if not most:
        return []
    return together.loaded_together(run, session, files[:most], again, ahead)


def may_go_together(run: LoadRun) -> bool:
    """Whether files of the run can be recognised or loaded together at all."""
    return _asks_ledger(run) or together.may_load_together(run)


def _asks_ledger(run: LoadRun) -> bool:
    return run.asks_ledger and not (run.settings.delete_gone or run.others or run.run_id is None)


def _told(run: LoadRun, source: Source, done: FileResult) -> FileResult:
    run.emit(FileStarted(source.name, source.size_bytes))
    run.emit(FileDone(taken_over(run, source, done)))
    return done
