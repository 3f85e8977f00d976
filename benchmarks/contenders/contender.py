"""What the harness has to know of a contender."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a contender's own process must not load what the harness needs
    from benchmarks.cases import Case


@dataclass(frozen=True)
class Job:
    """One load. `directory` is the contender's own: a copy of what `prepare` left there."""

    url: str
    file: Path
    directory: Path


@dataclass(frozen=True)
class Contender:
    """A way to bring a file of bars into the table, run as a process of its own.

    Attributes:
        name: as in `--contenders` and in the results.
        title: as in the report.
        command: the process that does a job; it must exit with 0.
        environment: variables that it needs.
        modules: Python packages that must be there, by the names that import them.
        program: an executable that must be there.
        merges: whether it may meet stored bars.
        formats: the files that it reads, the best one first.
        cases: the only cases it is for; none named: all.
        table: where the bars end up.
        help: the command that shows its help, where that is to be timed.
        prepare: makes a database ready that common loading does not: gets the URL of a database
            with mdload's empty tables, the file to hold already or None, and the directory.
    """

    name: str
    title: str
    command: Callable[[Job], list[str]]
    environment: Callable[[Job], Mapping[str, str]] = lambda job: {}
    modules: tuple[str, ...] = ()
    program: str | None = None
    merges: bool = True
    formats: tuple[str, ...] = ("parquet", "csv")
    cases: frozenset[str] = field(default_factory=frozenset)
    table: str = "bars_ohlcv"
    help: tuple[str, ...] = ()
    prepare: Callable[[str, Path | None, Path], None] | None = None

    def takes_part_in(self, case: Case) -> bool:
        return (self.merges or not case.merges) and (not self.cases or case.name in self.cases)

    def missing(self) -> str | None:
        """What has to be installed before it can run, or None."""
        absent = [name for name in self.modules if importlib.util.find_spec(name) is None]
        if absent:
            return f"not installed: {', '.join(absent)}"
        if self.program and not shutil.which(self.program):
            return f"not installed: {self.program}"
        return None


def script(module: str, *arguments: str) -> Callable[[Job], list[str]]:
    """A command: `python -m MODULE URL FILE …`."""
    return lambda job: [sys.executable, "-m", module, job.url, str(job.file), *arguments]
