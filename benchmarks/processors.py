"""Splits processor time between the server and the rest of the machine. Linux only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Spent:
    """Seconds of processor time since the server's or the machine's start."""

    server: float
    machine: float


def spent(postmaster: int) -> Spent | None:
    """The time so far of the server (including ended sessions) and of the whole machine."""
    if not (_PROC / "stat").exists():
        return None
    tick = os.sysconf("SC_CLK_TCK")
    server = 0
    for directory in _PROC.iterdir():
        if not directory.name.isdigit():
            continue
        try:
            # After the command's name, which may hold anything: state, ppid, …; proc(5).
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(directory.name) == postmaster:
            server += sum(map(int, fields[11:15]))  # including waited-for children
        elif int(fields[1]) == postmaster:
            server += sum(map(int, fields[11:13]))
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, (_PROC / "stat").read_text().split(maxsplit=9)[1:9]
    )
    machine = user + nice + system + irq + softirq + steal
    return Spent(server / tick, machine / tick)


def busy(run: Callable[[], object], postmaster: int) -> tuple[float, float]:
    """Seconds of `run` on the wall, and of processor time of this process and the server."""

    def processors() -> float:
        server = spent(postmaster)
        return time.process_time() + (server.server if server else 0.0)

    began, before = time.perf_counter(), processors()
    run()
    return time.perf_counter() - began, processors() - before
