"""The progress bar's sums."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.progress import Progress

from loader.listen.progress import Bar
from loader.results import FileResult
from loader.results.events import FileDone, FileStarted, MoreFiles, RowsDone, RunStarted


def test_files_that_are_loaded_again_are_more_to_do() -> None:
    with Progress(console=Console(file=StringIO())) as progress:
        bar = Bar(progress, verbose=False)
        bar(RunStarted(1, 2, "job", None, "backfill", 300))
        for path, size in (("a", 100), ("b", 200)):
            bar(FileStarted(path, size))
            bar(RowsDone(path, 7, size))
            bar(FileDone(FileResult(path, "loaded")))
        (every,) = progress.tasks
        assert (every.percentage, every.fields["ended"], every.fields["files"]) == (100, 2, 2)
        bar(MoreFiles(1, 100))
        assert (every.percentage, every.fields["ended"], every.fields["files"]) == (75, 2, 3)
        bar(FileStarted("a", 100))
        bar(RowsDone("a", 7, 60))
        bar(FileDone(FileResult("a", "loaded")))
        assert (every.percentage, every.fields["ended"], every.fields["rows"]) == (100, 3, 21)
