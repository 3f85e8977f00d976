"""A process made by `fork()` inherits Polars without its threads, and would wait for them for ever.

The fork itself is seen here, and refused at the first use in the child.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from loader.errors import ForkedProcess
from loader.lazy import regex

#: Threads that Polars starts with its first query. Before that a fork does no harm.
_WORKERS: Final = regex(r"polars-\d+")


class _Fork:
    """What is known of the forks that led to this process."""

    def __init__(self) -> None:
        self.at_work = False
        self.spoiled = False

    def before(self) -> None:
        self.at_work = _has_workers()

    def in_child(self) -> None:
        self.spoiled |= self.at_work


_fork: Final = _Fork()
if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(before=_fork.before, after_in_child=_fork.in_child)


def refuse() -> None:
    """To be called before Polars is used.

    Raises:
        ForkedProcess: this process was forked from one in which Polars was at work.
    """
    if _fork.spoiled:
        raise ForkedProcess(
            f"this process ({os.getpid()}) was made by fork() after mdload had been used in its "
            "parent: the threads that mdload computes with are not in it",
            hint="start processes by spawn or forkserver, "
            'multiprocessing.set_start_method("spawn"), or use mdload in the children only',
        )


def _has_workers() -> bool:
    """Whether Polars' threads run. Where the system does not say, they may."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return True
    for task in tasks.iterdir():
        try:
            name = (task / "comm").read_text()
        except OSError:  # it has ended
            continue
        if _WORKERS.fullmatch(name.strip()):
            return True
    return False
