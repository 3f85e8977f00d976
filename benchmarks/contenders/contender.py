"""A contender, as the harness sees it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a contender's process must not import the harness's dependencies
    from benchmarks.cases import Case


@dataclass(frozen=True)
class Job:
    """One load. `directory` belongs to the contender: a copy of the one that `prepare` filled.
    `files` are all that there are to load, of which `file` is the first."""

    url: str
    file: Path
    directory: Path
    more: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.file, *self.more)


@dataclass(frozen=True)
class Contender:
    """A way to load a file of bars into the table, run as a separate process.

    Attributes:
        name: as in `--contenders` and in the results.
        title: as in the report.
        command: the process for a job; it must exit with 0.
        environment: variables that it needs.
        modules: required Python packages, by import name.
        program: a required executable.
        merges: whether it can meet stored bars.
        formats: the file formats that it reads, best first.
        cases: the only cases it takes part in; empty means all.
        table: the table that receives the bars.
        help: the command for its help text, if that is timed.
        many: the process for a job of many files, see benchmarks/small_files.py.
        many_title: its title there, with what it commits at once.
        prepare: prepares a database if the common way does not suit: takes the URL of a database
            with mdload's empty tables, the file to load beforehand or None, and the directory.
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
    many: Callable[[Job], list[str]] | None = None
    many_title: str = ""
    prepare: Callable[[str, Path | None, Path], None] | None = None

    def takes_part_in(self, case: Case) -> bool:
        return (self.merges or not case.merges) and (not self.cases or case.name in self.cases)

    def missing(self) -> str | None:
        """The missing package or program that it needs, or None."""
        absent = [name for name in self.modules if importlib.util.find_spec(name) is None]
        if absent:
            return f"not installed: {', '.join(absent)}"
        if self.program and not shutil.which(self.program):
            return f"not installed: {self.program}"
        return None


def script(module: str, *arguments: str) -> Callable[[Job], list[str]]:
    """A command: `python -m MODULE URL FILES …`."""
    return lambda job: [sys.executable, "-m", module, job.url, *map(str, job.files), *arguments]
