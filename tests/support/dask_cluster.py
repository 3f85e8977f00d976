"""A Dask scheduler and its workers, each a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT


class Cluster:
    """What is started here ends with it; `outputs` are the logs of all."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.outputs: list[Path] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        told = self._start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0",
                           "--dashboard-address", "127.0.0.1:0")  # fmt: skip
        self.address = self._found(told, r"tcp://(127\.0\.0\.1:\d+)")
        self.pages = self._found(told, r"dashboard at:\s+http://(\S+?)/status")

    @property
    def place(self) -> str:
        return f"dask://{self.address}"

    def start_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        before = len(self.processes)
        self._start(f"worker{before}", "worker", f"tcp://{self.address}", "--no-nanny",
                    "--nthreads", "1", "--no-dashboard", "--local-directory", str(self._folder),
                    environment=environment)  # fmt: skip
        self.workers.append(self.processes[-1])
        return self.processes[-1]

    def _start(self, name: str, *words: str, environment: Mapping[str, str] | None = None) -> Path:
        told = self._folder / f"{name}.log"
        with told.open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "dask", *words],
                    stdout=log, stderr=subprocess.STDOUT, cwd=self._folder,
                    env=self._environment | {"PYTHONPATH": str(ROOT)} | dict(environment or {}),
                )
            )  # fmt: skip
        self.outputs.append(told)
        return told

    def _found(self, told: Path, pattern: str) -> str:
        for _ in range(600):
            if match := re.search(pattern, told.read_text()):
                return match[1]
            assert self.processes[-1].poll() is None, told.read_text()
            time.sleep(0.1)
        raise AssertionError(told.read_text())

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def dask_cluster(folder: Path, environment: Mapping[str, str], workers: int) -> Iterator[Cluster]:
    cluster = Cluster(folder, environment)
    try:
        for _ in range(workers):
            cluster.start_worker()
        yield cluster
    finally:
        cluster.close()
