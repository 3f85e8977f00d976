"""A running `mdload live` under test: its standard input, signals and output."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.conftest import Ran, environment
from tests.support.sql import fetch

COUNT = "SELECT count(*) FROM bars_ohlcv"
RUN = (
    "SELECT job_name, mode, status, rows_read, rows_inserted, rows_updated, rows_unchanged, "
    "rows_failed FROM job_runs ORDER BY id DESC LIMIT 1"
)


def line(n: int, **values: Any) -> bytes:
    bar = {"symbol": "AA", "ts": 1709562600 + 60 * n, "open": 10, "high": 11, "low": 9,
           "close": 10.5, "volume": 100}  # fmt: skip
    return json.dumps(bar | values).encode() + b"\n"


def lines(start: int, stop: int, **values: Any) -> bytes:
    return b"".join(line(n, **values) for n in range(start, stop))


class Feed:
    """A running `mdload live`, and its standard input."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._err: list[str] = []
        assert process.stderr is not None
        self._reading = threading.Thread(target=self._read, args=[process.stderr], daemon=True)
        self._reading.start()

    def _read(self, stderr: Any) -> None:
        for raw in stderr:
            self._err.append(raw.decode())

    @property
    def err(self) -> str:
        return "".join(self._err)

    def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def send(self, sig: signal.Signals) -> None:
        self._process.send_signal(sig)

    def end(self) -> Ran:
        """Closes standard input, and waits for the end."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        return self.ended()

    def ended(self) -> Ran:
        assert self._process.stdout is not None
        out = self._process.stdout.read().decode()
        code = self._process.wait(timeout=60)
        self._reading.join(10)
        return Ran(code, out, self.err)

    def until_said(self, text: str) -> None:
        wait_until(lambda: text in self.err, lambda: f"{text!r} in {self.err!r}")


@contextmanager
def feeding(url: str, *args: str | Path, home: Path) -> Iterator[Feed]:
    command = [sys.executable, "-m", "loader", "--database", url, "live", "--provider", "p",
               "--interval", "1m", "--flush-ms", "30"]  # fmt: skip
    process = subprocess.Popen(
        [*command, *map(str, args)],
        env=environment(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Where the tests run in the background SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    try:
        yield Feed(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def wait_until(true: Callable[[], object], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)


def until_stored(url: str, count: int) -> None:
    wait_until(lambda: fetch(url, COUNT) == [(count,)], lambda: str(fetch(url, COUNT)))
