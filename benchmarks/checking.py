"""Measures normalising and validating: reading alone against reading and checking.

No database. Wall and processor time of this process, all threads; medians of interleaved rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.cases import base
from benchmarks.data_files import made
from benchmarks.made_bars import Universe
from loader.check.file import Checking
from loader.read.formats import read
from loader.read.sources import find
from loader.settings import Settings

_HEADS = ("file", "reading, s", "CPU s", "and checking, s", "CPU s", "checking alone, s")


def measured(universe: Universe, rounds: int, folder: Path) -> Iterator[str]:
    """Yields the lines of a Markdown table.

    Raises:
        AssertionError: not all rows were read, or were good.
    """
    yield f"| {' | '.join(_HEADS)} |"
    yield "|---|--:|--:|--:|--:|--:|"
    for format in ("parquet", "csv"):
        path = made(base(universe), format, folder)
        taken: dict[Callable[[Path], int], list[tuple[float, float]]] = {_read: [], _checked: []}
        for _ in range(rounds):
            for way, times in taken.items():
                wall, cpu = time.perf_counter(), time.process_time()
                if way(path) != universe.rows:
                    raise AssertionError(f"{path}: not every row came through")
                times.append((time.perf_counter() - wall, time.process_time() - cpu))
        alone, both = ([median(column) for column in zip(*t, strict=True)] for t in taken.values())
        figures = (*alone, *both, both[0] - alone[0])
        yield f"| {format} | {' | '.join(f'{seconds:.2f}' for seconds in figures)} |"


def _read(path: Path) -> int:
    with find([str(path)]) as (source,), read(source, Settings().batch_rows) as reading:
        return sum(batch.frame.height for batch in reading)


def _checked(path: Path) -> int:
    settings = Settings()
    with find([str(path)]) as (source,), read(source, settings.batch_rows) as reading:
        return sum(piece.good.height for piece in Checking(reading, source, settings).pieces())
