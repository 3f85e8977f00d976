"""What goes between the process of a command and those that load files for it: the brief, before
the first file; then questions and answers."""

from __future__ import annotations

import copyreg
import threading
from collections.abc import Callable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

from loader.dialects.filenames import wanted
from loader.dialects.siblings import Siblings
from loader.ingest.run import LoadRun
from loader.ingest.run.protocols import Others
from loader.lazy import dataclass
from loader.read.sources import Source
from loader.results import FileResult
from loader.results.events import Event
from loader.settings import Settings
from loader.store.timescale.chunks import HourCounts


def _view(plain: dict[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(plain)


def _plain(view: Mapping[Any, Any]) -> tuple[Callable[..., Any], tuple[dict[Any, Any]]]:
    return _view, (dict(view),)


copyreg.pickle(MappingProxyType, _plain)


@dataclass(frozen=True)
class Brief:
    """One load; all is as in `LoadRun`."""

    url: str = field(repr=False)
    settings: Settings = field(repr=False)
    run_id: int | None
    fingerprint: str
    paths: Mapping[str, str] = field(repr=False)
    earlier: Mapping[str, tuple[str, int]] = field(repr=False)
    defers_commits: bool
    began_empty: bool
    others: Others | None = field(repr=False)

    @classmethod
    def of(cls, run: LoadRun) -> Brief:
        """What another process has to know of `run`."""
        return cls(
            run.url, run.settings, run.run_id, run.fingerprint, dict(run.paths),
            dict(run.earlier), run.defers_commits, run.losses.began_empty, run.others,
        )  # fmt: skip

    def run(
        self, hear: Callable[[Event], None], hours: Hours, make: Callable[..., LoadRun] = LoadRun
    ) -> LoadRun:
        """The load in the process that has the brief."""
        run = make(self.settings, self.url, self.run_id, self.fingerprint, hear)
        run.paths, run.earlier, run.others = self.paths, self.earlier, self.others
        run.defers_commits = self.defers_commits
        run.losses.began_empty = self.began_empty
        run.siblings = Siblings(p for p in run.paths.values() if wanted(p, run.settings.where))
        run.upkeep = hours  # type: ignore[assignment]
        return run


@dataclass(frozen=True, slots=True)
class Asked:
    """Files to load: as many of the first as go `together`, or the only one. Those that are
    `coming` next may be read meanwhile."""

    together: bool
    sources: tuple[Source, ...]
    coming: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of them: the results of the first, what was emitted, and the bars that were
    written, by hour."""

    results: list[FileResult]
    events: list[Event]
    hours: list[HourCounts]


class Hours:
    """Takes the place of `LoadRun.upkeep` in a process that only loads files: chunks are looked
    after where the run is recorded. What a thread has written since `begin` is in `found`."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def begin(self) -> list[HourCounts]:
        """The list that takes what this thread writes from now on."""
        found: list[HourCounts] = []
        self._of_thread.found = found
        return found

    def committed(self, hours: HourCounts) -> None:
        self._of_thread.found.append(hours)
