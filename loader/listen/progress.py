"""Listeners for people who wait: a progress bar on a terminal, lines where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from loader.events import (
    Event,
    FileDone,
    FileOpened,
    FileStarted,
    Listener,
    RowsDone,
    RunStarted,
)
from loader.listen import log
from loader.listen.log import log_event
from loader.listen.notes import Notes
from loader.text import redact, visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@contextmanager
def listeners(verbosity: int, log_format: str) -> Iterator[list[Listener]]:
    """The listeners that fit stderr: JSON lines when asked for, a bar on a terminal, else notes.

    A bar needs a terminal; without one only messages for the person are printed.
    """
    if log_format == "json":
        yield [log_event]
    elif verbosity < 0:
        yield []
    elif sys.stderr.isatty():
        with _bar(verbose=verbosity > 0) as bar:
            yield [bar]
    else:
        yield [Lines(verbose=verbosity > 0)]


class Lines:
    """Notes as plain lines on stderr; with `verbose`, files as they begin and end too."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._notes = Notes(log.note, all=verbose)

    def __call__(self, event: Event) -> None:
        self._notes(event)
        match event:
            case FileStarted(path, size) if self._verbose:
                log.note(f"{path}: reading {size:,} bytes")
            case FileDone(result) if self._verbose:
                log.note(f"{result.path}: {result.state}, {result.counts.read:,} rows")


class Bar:
    """One line per file at work and one for all of them; notes above."""

    def __init__(self, progress: Progress, *, verbose: bool) -> None:
        self._notes = Notes(self._above, all=verbose)
        self._progress = progress
        self._files: dict[str, TaskID] = {}
        self._all: TaskID | None = None
        self._lock = Lock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._tell(event)

    def _above(self, note: str) -> None:
        self._progress.console.print(
            visible(redact(note), ""), style="dim", markup=False, highlight=False
        )

    def _tell(self, event: Event) -> None:
        self._notes(event)
        match event:
            case RunStarted(files=files) if files > 1:
                self._all = self._progress.add_task("files", total=files, unit="files")
            case FileStarted(path):
                name = _ending(redact(path), self._progress.console.width // 5)
                self._files[path] = self._progress.add_task(name, total=None, unit="rows")
            case FileOpened(path, rows):
                self._progress.update(self._files[path], total=rows)
            case RowsDone(path, rows):
                self._progress.advance(self._files[path], rows)
            case FileDone(result):
                self._progress.remove_task(self._files.pop(result.path))
                if self._all is not None:
                    self._progress.advance(self._all)


def _ending(path: str, width: int) -> str:
    """The end of a path, which tells files apart."""
    return path if len(path) <= width else f"…{path[1 - width :]}"


@contextmanager
def _bar(*, verbose: bool) -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class Done(ProgressColumn):
        def render(self, task: Task) -> Text:
            of = f"/{task.total:,.0f}" if task.total else ""
            speed = f"  {task.speed:,.0f}/s" if task.speed and task.fields["unit"] == "rows" else ""
            return Text(f"{task.completed:,.0f}{of} {task.fields['unit']}{speed}", "cyan")

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False), BarColumn(console.width // 6), Done(),
        TimeElapsedColumn(), console=console, transient=True,
    ) as progress:  # fmt: skip
        yield Bar(progress, verbose=verbose)
