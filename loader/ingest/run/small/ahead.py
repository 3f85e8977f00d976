"""The next small files of a thread are read and checked while the server commits those before
them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import zip_longest
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from loader.errors import MdloadError
from loader.ingest.run.hashed import Hashed, hashed
from loader.ingest.run.small import checked
from loader.ingest.run.small.checked import Checked
from loader.read.panics import panics
from loader.read.sources import Source

if TYPE_CHECKING:
    from loader.ingest.run import LoadRun

T = TypeVar("T")


class Ahead:
    """What one thread has found in the files that it loads next. It holds as long as they are not
    changed, which their load asks: see `Hashed.identity`.

    Attributes:
        coming: gives the next files, once it hears how many load now; None if there are none.
    """

    def __init__(self, coming: Callable[[int], Sequence[Source]] | None = None) -> None:
        self.coming = coming
        self._asked = 0
        self._files: list[Hashed] = []
        self._checked: list[Checked] = []

    def _look(self, run: LoadRun, sources: Sequence[Source]) -> None:
        """Reads the files, and checks them. What goes wrong, their own turn meets again."""
        self._files, self._checked = [], []
        with suppress(MdloadError), panics("files that are alike"):
            files = hashed(run, sources)
            self._checked = list(checked.checked(run, files))
            self._files = files

    def hashed(self, run: LoadRun, sources: Sequence[Source]) -> list[Hashed]:
        """As `loader.ingest.run.hashed.hashed`."""
        self._asked = len(sources)
        pairs = zip_longest(self._files, sources)
        if all(file is not None and file.source == source for file, source in pairs):
            return self._files
        return hashed(run, sources)

    def checked(self, run: LoadRun, files: Sequence[Hashed]) -> list[Checked]:
        """As `loader.ingest.run.small.checked.checked`."""
        known, found = self._files[: len(files)], self._checked[: len(files)]
        self._files, self._checked = [], []
        if len(known) == len(files) and all(map(_is, known, files)):
            return found
        return list(checked.checked(run, files))

    def beside(self, run: LoadRun, loading: int, work: Callable[[], T]) -> T:
        """Returns or raises what `work` does, which waits for the server. Looks at the next files
        meanwhile, if all that were asked for are `loading`: then these are likely to be loaded too,
        and not known."""
        sources = self.coming(loading) if self.coming and loading == self._asked else ()
        if not sources:
            return work()
        done: Future[T] = Future()
        thread = Thread(target=_do, args=(work, done), name="mdload-commit")
        thread.start()
        try:
            self._look(run, sources)
        finally:
            thread.join()
        return done.result()


def _is(one: object, other: object) -> bool:
    return one is other


def _do(work: Callable[[], T], done: Future[T]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # carried over to the thread that waits
        done.set_exception(error)
