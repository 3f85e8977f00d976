"""What a load of another kind brings along: rejected rows, a plan, files that are not bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from loader.results import FileResult

if TYPE_CHECKING:
    from loader.check.file import Checking
    from loader.ingest.mergers import DryMerger, Keeper
    from loader.ingest.run import LoadMode, LoadRun
    from loader.ingest.tally import Tally
    from loader.read.formats import Reading
    from loader.read.sources import Source
    from loader.settings import Settings
    from loader.store.compare import Diff


class Replaying(Protocol):
    """Rejected rows as sources."""

    def checking(self, reading: Reading, source: Source, settings: Settings) -> Checking:
        """The checks of one of them."""

    def keeper(self, source: Source) -> Keeper:
        """Marks the rows that got in, and keeps no others: they are kept already."""


class Plans(Protocol):
    """What a dry run would write, kept."""

    def merger(self, see: Callable[[Diff], None]) -> AbstractContextManager[DryMerger]:
        """For one file."""

    def accept(self, result: FileResult, merger: Any, tally: Tally, /) -> None:
        """Adds a file that would be loaded."""


class Work(Protocol):
    """One attempt at a file, see `loader.ingest.file.FileWork`."""

    done: FileResult
    covered: int
    ended: bool

    def load(self) -> None: ...

    def forget_progress(self) -> None: ...

    def settle(self) -> None: ...


class Others(Protocol):
    """Files of another dataset than the bars."""

    @property
    def meaning(self) -> Mapping[str, object]:
        """What else decides which rows a file turns into: a part of the fingerprint."""

    def attempt(
        self, run: LoadRun, source: Source, as_hashed: tuple[int, int], done: FileResult,
        mode: LoadMode, /,
    ) -> Work:  # fmt: skip
        """An attempt at one of them."""

    def changed_since(self, run: LoadRun, before: int, /) -> bool:
        """Whether rows were changed since the run with the id `before` loaded its files."""
