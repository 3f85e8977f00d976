"""Processes to kill during a load, and the load itself: the real executable, watched."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from loader.db.embedded import start
from tests.conftest import environment
from tests.support.crashing import Size


class Backfill:
    """`mdload backfill` as a process, and what it tells as it goes."""

    def __init__(
        self, size: Size, url: str, path: Path, *, in_parts: bool, most_bytes: int | None = None
    ) -> None:
        """`most_bytes` is how long a file the process may write: a full temporary directory."""
        parts = size.commit_every(in_parts)
        command = [
            sys.executable, "-m", "loader", "-vv", "--log-format", "json", "--database", url,
            "backfill", str(path), "--max-rejects", "50%", "--batch-rows", str(size.batch_rows),
            *(("--commit-every", str(parts)) if parts else ()), "--json",
        ]  # fmt: skip
        self._rows = size.rows
        self._events: list[dict[str, Any]] = []
        self._told = threading.Condition()
        self.process = subprocess.Popen(
            command, env=environment(path.parent / "no home"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if most_bytes is not None:
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._told:
                with suppress(json.JSONDecodeError):  # cut off, or of libpq: it tells stderr of a
                    self._events.append(json.loads(line))  # server's end where nobody asked it
                self._told.notify_all()

    def wait_until_told(self, events: int) -> None:
        """Waits until it has printed that many lines, or has ended."""
        with self._told:
            self._told.wait_for(
                lambda: len(self._events) >= events or not self._listening.is_alive(), timeout=60
            )

    def end(self) -> tuple[int, str]:
        """Waits for its end; its exit code and stdout."""
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        code = self.process.wait()
        self._listening.join()
        self.process.stdout.close()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code, out

    @property
    def said(self) -> list[str]:
        return [event["message"] for event in self._events]

    @property
    def phase(self) -> str:
        """What it was about, by what it told last."""
        names = [event.get("event") for event in self._events]
        last = names[-1] if names else None
        if last == "rows_done":
            sent = sum(e["rows"] for e in self._events if e.get("event") == "rows_done")
            return "rows under way" if sent < self._rows else "all rows sent, no commit yet"
        return {
            None: "starting up",
            "run_started": "run begun",
            "file_started": "hash and ledger",
            "file_note": "starting over, or going on",
            "bars_written": "just committed",
            "committed": "just committed",
            "file_done": "ending the run",
            "run_done": "ended",
        }.get(last, "being told of an error")


class Server:
    """The embedded server of a home: its processes, as one that kills them sees them."""

    def __init__(self, home: Path) -> None:
        self._home = home

        (data,) = home.glob("pg*")
        self.pid_file = data / "postmaster.pid"

    @property
    def processes(self) -> list[int]:
        """The postmaster's pid, and those of its children."""
        postmaster = self.pid_file.read_text().split()[0]
        found = [int(postmaster)]
        for stat in Path("/proc").glob("[0-9]*/stat"):
            _, _, rest = _text(stat).rpartition(") ")  # its state, and its parent
            if rest.split()[1:2] == [postmaster]:
                found.append(int(stat.parent.name))
        return found

    def kill(self, how: signal.Signals, *, children: bool) -> None:
        """Sends the postmaster a signal, and its `children` too; waits until it is gone.

        All of them stop before the first dies, as in a crash of the machine. A backend that sees
        the postmaster's death drops its temporary tables, and the commit of that flushes the log.
        """
        processes = self.processes
        postmaster = Path(f"/proc/{processes[0]}/stat")
        for signum in (signal.SIGSTOP, how) if children else (how,):
            for pid in processes[: None if children else 1]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signum)
        while self.pid_file.exists() and _text(postmaster) and ") Z " not in _text(postmaster):
            time.sleep(0.01)

    def start(self) -> None:
        """As a person does who wants it to answer: one that hangs in its recovery (a full disk can
        do that) is killed, and started anew."""
        for seconds in (10, 60):
            url = start(self._home)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                with suppress(psycopg.OperationalError), psycopg.connect(url):
                    return
                time.sleep(0.05)
            self.kill(signal.SIGKILL, children=True)
        raise AssertionError("the server does not come back")

    @contextmanager
    def full(self, most_bytes: int) -> Iterator[None]:
        """No file of the server, its log included, can grow beyond that: the disk is full. It takes
        no right that the owner of the server lacks; a file system that is really full takes root's.
        """
        self._limit(most_bytes)
        try:
            yield
        finally:
            self._limit(None)

    def _limit(self, most_bytes: int | None) -> None:
        """As the server's own account, which may always do this."""
        limit = "unlimited" if most_bytes is None else most_bytes
        with suppress(FileNotFoundError):  # the server may be down by now, or a process of it
            at = self.pid_file.stat()
            account: dict[str, Any] = {"user": at.st_uid, "group": at.st_gid, "extra_groups": []}
            for _ in range(2):  # again for who was started with the old limit meanwhile
                for pid in self.processes:
                    ran = subprocess.run(
                        ["prlimit", f"--pid={pid}", f"--fsize={limit}:unlimited"],
                        capture_output=True, check=False, **account if os.geteuid() == 0 else {},
                    )  # fmt: skip
                    assert b"not permitted" not in ran.stderr


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextmanager
def small_disk(size: int, uid: int, gid: int) -> Iterator[Path | None]:
    """A file system of `size` bytes; None where this user may mount none."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        where = f"size={size},uid={uid},gid={gid},mode=0700"
        mount = ["mount", "-t", "tmpfs", "-o", where, "tmpfs", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def enlarge(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)


def a_moment(seed: random.Random, events: int, takes: float) -> tuple[int, float]:
    """So many things told, and so many seconds more. Three of four moments are counted in what is
    told, so that what takes little time is hit too."""
    if seed.random() < 0.75:
        return seed.randint(0, events), seed.uniform(0, 0.03)
    return 0, seed.uniform(0, 1.05) * takes
