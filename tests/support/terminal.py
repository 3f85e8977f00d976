"""The real executable on a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import environment

_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Shown:
    """What a terminal got, without what steers it, and how the command ended."""

    code: int
    text: str
    raw: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def end(self) -> list[str]:
        """The lines that came after the progress bar."""
        return _plain(self.raw.rpartition("\x1b[?25h")[2]).splitlines()


def _of_its_own() -> None:
    """Makes standard input the terminal that Ctrl-C comes from."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _plain(text: str) -> str:
    return re.sub(r"\r+\n", "\n", _STEERING.sub("", text)).replace("\r", "\n")


def on_terminal(
    home: Path,
    cwd: Path,
    *args: str | Path,
    columns: int = 80,
    env: Mapping[str, str] | None = None,
    answers: Mapping[str, str] | None = None,
    watch: Callable[[str, subprocess.Popen[bytes]], str | None] = lambda seen, process: None,
    timeout: float = 120,
) -> Shown:
    """Runs the command on a terminal of that many columns. It types each of the `answers` once its
    question is seen. `watch` is shown all that has been seen, again and again, and what it
    returns is typed: `\\x03` is Ctrl-C."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    around = {k: v for k, v in environment(home).items() if k not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        [sys.executable, "-m", "loader", *map(str, args)],
        cwd=cwd, env={**around, "TERM": "xterm", **(env or {})},
        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
        preexec_fn=_of_its_own,  # noqa: PLW1509
    )  # fmt: skip
    os.close(follower)
    seen, waiting, given_up = b"", dict(answers or {}), time.monotonic() + timeout
    try:
        while time.monotonic() < given_up:
            if select.select([leader], [], [], 0.05)[0]:
                try:
                    chunk = os.read(leader, 1 << 16)
                except OSError:  # Linux: the last writer is gone
                    break
                if not chunk:
                    break
                seen += chunk
            text = _plain(seen.decode(errors="replace"))
            for question in [each for each in waiting if each in text]:
                os.write(leader, f"{waiting.pop(question)}\n".encode())
            if typed := watch(text, process):
                os.write(leader, typed.encode())
        code = process.wait(timeout=max(given_up - time.monotonic(), 1))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(leader)
    assert not waiting, f"never asked: {[*waiting]}; seen: {seen.decode(errors='replace')}"
    text = seen.decode(errors="replace")
    return Shown(code, _plain(text), text)
