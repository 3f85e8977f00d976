"""How far a load has come, for the words on one that is interrupted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from loader.errors import Cancelled
from loader.results import Counts, FileResult, FileState, LoadResult
from loader.results.events import Committed, Event, FileDone, RunDone, RunStarted

if TYPE_CHECKING:
    from loader.read.sources import Source

_STOPPED = "interrupted: nothing more of it was kept"


class Course:
    """A listener that keeps what a load has committed.

    Attributes:
        result: of the load, once it has ended by itself.
    """

    def __init__(self, *, dry_run: bool) -> None:
        self.result: LoadResult | None = None
        self._dry_run = dry_run
        self._run_id: int | None = None
        self._sources: Sequence[Source] = ()
        self._files: dict[str, FileResult] = {}
        self._parts: dict[str, Counts] = {}
        self._began = time.monotonic()

    def expect(self, sources: Sequence[Source]) -> None:
        """These are the sources of the load."""
        self._sources = sources

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted(run_id=run_id):
                self._run_id = run_id
                self._foretell()
            case Committed(path, counts):
                self._parts[path] = self._parts.get(path, Counts()) + counts
            case FileDone(file) if not self._is_done(file.path):
                self._files[file.path] = file
            case RunDone(result):
                self.result = result

    def _is_done(self, path: str) -> bool:
        """Whether the file was loaded, and is perhaps loaded again."""
        return path in self._files and self._files[path].state in ("loaded", "known")

    def _foretell(self) -> None:
        """What is said if the load cannot end in order."""
        from loader.cli import interrupts

        if self._run_id is not None:
            interrupts.foretell(
                f"interrupted: run {self._run_id}; what is not committed is rolled back, and "
                "the same command loads it"
            )

    def interrupted(self) -> LoadResult:
        """The result of a load that does not go on."""
        files = tuple(self._file(source) for source in self._sources)
        elapsed = int((time.monotonic() - self._began) * 1000)
        return LoadResult(self._run_id, "cancelled", files, elapsed, None, self._dry_run)

    def _file(self, source: Source) -> FileResult:
        if (done := self._files.get(source.name)) is not None:
            return done
        counts = self._parts.get(source.name, Counts())
        state: FileState = "partial" if source.name in self._parts else "cancelled"
        code = Cancelled.exit_code
        return FileResult(source.name, state, counts, error=_STOPPED, exit_code=code)


def words(result: LoadResult) -> tuple[str, str]:
    """What an interrupted load has committed and what not, and what to type."""
    if result.dry_run:
        return "interrupted: a dry run writes nothing", "run the same command again"
    if result.run_id is None:
        return "interrupted before a run began: nothing was written", "run the same command again"
    states = Counter(file.state for file in result.files)
    counts, files = result.counts, len(result.files)
    done = states["loaded"] + states["known"]
    if files > 1:
        kept = f"{done or 'none':{',' if done else ''}} of {files:,} files"
        kept += f" {'are' if done > 1 else 'is'} committed"
        kept += f", {states['partial']:,} in part" if states["partial"] else ""
    else:
        part = " in part" if states["partial"] else ""
        kept = f"the file is committed{part}" if done or part else "nothing is committed"
    if counts.written:
        kept += f" ({counts.inserted:,} inserted, {counts.updated:,} updated)"
    again = "run the same command again: it skips what is loaded"
    if states["partial"]:
        again += ", and goes on after the parts that are"
    run = result.run_id
    what = f"interrupted: run {run} is recorded as cancelled; {kept}, and the rest was rolled back"
    return what, f"{again}; mdload job-runs inspect {run} shows this run"
