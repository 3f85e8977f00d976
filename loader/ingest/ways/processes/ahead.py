"""Whether processes pay for a load, and their start before it: while the command still imports what
a load needs. So this module imports little."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from loader.ingest.ways.processes.process import Process

#: Bytes of a file that may be small.
SMALL: Final = 4 << 20
#: Files that pay for the start of a process.
FILES: Final = 150
#: Options of loads that are a matter of this process.
_BY_ITSELF: Final = ("dry_run", "tenant", "commit_every", "known_at_from", "on")


def most(option: Callable[[str], Any]) -> int:
    """How many threads and processes may load the files, if many and small; 0 where only threads
    can. `option` gives the value of an option of the load."""
    by_itself = any(map(option, _BY_ITSELF))
    # A program that has Python built in is not one that takes Python's arguments.
    starts = os.name == "posix" and sys.executable and not getattr(sys, "frozen", False)
    return 0 if by_itself or not starts else min(option("workers"), processors())


def processors() -> int:
    """How many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start(option: Callable[[str], Any], patterns: Sequence[str]) -> list[Process]:
    """Processes for the files that `patterns` seem to name: as many as will load them, or none. The
    caller closes them."""
    started: list[Process] = []
    if (workers := most(option)) > 1:
        names = list(islice(_named(patterns), workers * FILES))
        with suppress(OSError):  # the load reports it
            if all(os.stat(name).st_size <= SMALL for name in names):
                for _ in range(len(names) // FILES - 1):
                    started.append(Process())
    return started


def _named(patterns: Sequence[str]) -> Iterator[str]:
    for pattern in patterns:
        path = os.path.expanduser(pattern)
        if os.path.isdir(path):
            for folder, _, names in os.walk(path):
                yield from (os.path.join(folder, name) for name in names)
        elif glob.has_magic(path):
            yield from glob.iglob(path, recursive=True)
        else:
            yield path
