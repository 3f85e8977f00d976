"""The command in a process that is forked from one with all imports done: to start Python and to
import takes longer than most commands work. What it does and prints is the same."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

#: Python and libraries read these when they start, which is too early for a command to set them.
EARLY = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC", "POLARS", "ARROW", "OMP_", "TZ")

#: It is the parent of each command, and hears by a descriptor of it that it has ended.
_PROGRAM = """
import contextlib, gc, importlib, importlib.readers, json, os, pkgutil, re, select, socket, sys
import adbc_driver_postgresql.dbapi, polars, psycopg, pyarrow.parquet, rich.table, rich.progress
import loader
from loader import lazy

lazy.regex, lazy._first = re.compile, lazy._init  # here, and not in each command
from loader.__main__ import main
from loader.db import queries
from loader.dialects.known import dialects

for module in pkgutil.walk_packages(loader.__path__, "loader."):
    if not module.name.endswith("__main__") and ".ways.workers" not in module.name:
        importlib.import_module(module.name)
dialects()
queries.query("planted")
queries._called()
gc.collect()
gc.freeze()

server = socket.socket(fileno=int(sys.argv[1]))


def served():
    # The next command's text and its streams, in the command's own process.
    found = select.poll()
    found.register(server, select.POLLIN)
    running = {}
    while True:
        for number, _ in found.poll():
            if number == server.fileno():
                asked, _ = server.accept()
                text, streams, _, _ = socket.recv_fds(asked, 1 << 18, 3)
                if not (pid := os.fork()):
                    for each in (server, asked, *(a for _, a in running.values())):
                        each.detach()
                    return text, streams
                for stream in streams:
                    os.close(stream)
                running[ended := os.pidfd_open(pid)] = pid, asked
                found.register(ended, select.POLLIN)
                said = pid
            else:
                found.unregister(number)
                os.close(number)
                pid, asked = running.pop(number)
                said = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            with contextlib.suppress(OSError):  # who asked may have given up
                asked.send(str(said).encode())


text, streams = served()
given = json.loads(text)
for number, stream in enumerate(streams):
    os.dup2(stream, number)
os.closerange(3, 1 << 16)
os.chdir(given["cwd"])
os.environ.clear()
os.environ.update(given["env"])
sys.argv[1:] = given["args"]
main()
"""


@dataclass(frozen=True)
class Forker:
    """A place that runs commands."""

    address: str

    def run(
        self, args: list[str], env: Mapping[str, str], cwd: Path, stdin: bytes, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """As `subprocess.run([sys.executable, "-m", "loader", *args], …)`, with all captured."""
        ours, theirs = zip(os.pipe()[::-1], os.pipe(), os.pipe(), strict=True)
        given = json.dumps({"args": args, "env": dict(env), "cwd": str(cwd)})
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked,
            ThreadPoolExecutor(3) as threads,
        ):
            asked.connect(self.address)
            socket.send_fds(asked, [given.encode()], list(theirs))
            for stream in theirs:
                os.close(stream)
            files = [
                os.fdopen(number, mode)
                for number, mode in zip(ours, ("wb", "rb", "rb"), strict=True)
            ]
            threads.submit(_write, files[0], stdin)
            out, err = (threads.submit(_read, file) for file in files[1:])
            asked.settimeout(timeout)
            pid = int(asked.recv(64))
            try:
                code = int(asked.recv(64))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
            return subprocess.CompletedProcess(args, code, out.result(), err.result())


def _write(file: IO[bytes], data: bytes) -> None:
    try:
        with file:
            file.write(data)
    except BrokenPipeError:  # as `subprocess.run` has it
        pass


def _read(file: IO[bytes]) -> bytes:
    with file:
        return file.read()


@contextmanager
def forking(env: Mapping[str, str]) -> Iterator[Forker]:
    """A process that forks, started with `env`."""
    with (
        tempfile.TemporaryDirectory(prefix="mdload-fork-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server,
    ):
        server.bind(f"{folder}/asked")
        server.listen(16)
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(server.fileno())], env=dict(env), cwd="/",
            pass_fds=[server.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        server.close()  # that of the process is left: where it dies, no command waits for it
        try:
            yield Forker(f"{folder}/asked")
        finally:
            process.kill()
            process.communicate()
