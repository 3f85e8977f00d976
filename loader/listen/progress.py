"""Listeners for people who wait: a progress bar on a terminal, lines where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final

from loader.listen import log
from loader.listen.log import log_event
from loader.listen.notes import Notes
from loader.results.events import (
    Event,
    FileDone,
    FileStarted,
    Listener,
    MoreFiles,
    RowsDone,
    RunStarted,
)
from loader.text import redact, shortened, visible

#: Columns of a terminal on which the rows have room beside the percent.
_WIDE: Final = 80

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
    """One line per file at work and one for all of them, by bytes; notes above."""

    def __init__(self, progress: Progress, *, verbose: bool) -> None:
        self._notes = Notes(self._above, all=verbose)
        self._progress = progress
        self._files: dict[str, TaskID] = {}
        self._left: dict[str, int] = {}
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
            case RunStarted(files=files, size_bytes=size) if files > 1:
                self._all = self._task(f"{files:,} files", size, files=files)
            case MoreFiles(files, size) if self._all is not None:
                self._extend(self._all, files, size)
            case FileStarted(path, size):
                name = shortened(redact(path), self._progress.console.width // 4)
                self._files[path] = self._task(name, size)
                self._left[path] = size
            case RowsDone(path, rows, size):
                self._left[path] -= size
                self._advance(self._files[path], rows, size)
                if self._all is not None:
                    self._advance(self._all, rows, size)
            case FileDone(result):
                self._progress.remove_task(self._files.pop(result.path))
                left = self._left.pop(result.path)
                if self._all is not None:
                    self._advance(self._all, 0, left, files=1)

    def _task(self, name: str, size: int, files: int = 0) -> TaskID:
        return self._progress.add_task(name, total=size or None, rows=0, files=files, ended=0)

    def _extend(self, task: TaskID, files: int, size: int) -> None:
        (now,) = [each for each in self._progress.tasks if each.id == task]
        total = (now.total or 0) + size
        self._progress.update(task, total=total or None, files=now.fields["files"] + files)

    def _advance(self, task: TaskID, rows: int, size: int, files: int = 0) -> None:
        fields = next(each.fields for each in self._progress.tasks if each.id == task)
        self._progress.update(
            task, advance=size, rows=fields["rows"] + rows, ended=fields["ended"] + files
        )


@contextmanager
def _bar(*, verbose: bool) -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    console = Console(stderr=True)
    wide = console.width >= _WIDE

    class Done(ProgressColumn):
        """`42 %`, and where there is room, rows; of several files how many have ended."""

        def render(self, task: Task) -> Text:
            share = f"{task.percentage:3.0f} %" if task.total else ""
            if task.fields["files"]:
                done = f"{task.fields['ended']:,} of {task.fields['files']:,} files"
            else:
                done = f"{task.fields['rows']:,} rows"
            return Text(f"{share}  {done}" if wide or not share else share, "cyan")

    class Times(ProgressColumn):
        """`elapsed 0:12, left 1:05`."""

        def render(self, task: Task) -> Text:
            left = task.time_remaining
            ahead = f", left {_clock(left)}" if left is not None and task.total else ""
            return Text(f"elapsed {_clock(task.elapsed or 0)}{ahead}", "dim")

    with Progress(
        TextColumn("{task.description}", markup=False), BarColumn(console.width // 8), Done(),
        Times(), console=console, transient=True,
    ) as progress:  # fmt: skip
        yield Bar(progress, verbose=verbose)


def _clock(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:30`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
