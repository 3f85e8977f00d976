"""Jobs for tests: a file of bars, an mdload.toml beside it, and runs that go on meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.conftest import environment


def bars(path: Path, rows: int, day: str = "2024-03-05", *, close: float = 10.0) -> Path:
    """`rows` one-minute bars of AAA from midnight UTC of `day`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stamps = (f"{day}T{n // 60:02}:{n % 60:02}:00Z" for n in range(rows))
    lines = [f"{stamp},AAA,10,20,5,{close},100" for stamp in stamps]
    path.write_text("\n".join(["ts,symbol,open,high,low,close,volume", *lines]) + "\n")
    return path


def config(folder: Path, url: str, *jobs: str, defaults: str = "") -> Path:
    """mdload.toml in `folder` with `jobs`; what was just written counts as whole."""
    path = folder / "mdload.toml"
    head = f'[database]\nurl = "{url}"\n[defaults]\nprovider = "p"\ninterval = "1m"\n'
    settle = "" if "settle" in defaults else "settle = 0\n"
    path.write_text("\n".join([head + settle + defaults, *jobs]) + "\n")
    return path


@contextmanager
def running(home: Path, folder: Path, *args: str) -> Iterator[subprocess.Popen[str]]:
    """`mdload run` with `args` in `folder`, which goes on while the block does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "loader", "run", *args], cwd=folder, text=True,
        env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def stalled(url: str) -> Iterator[psycopg.Connection[Any]]:
    """No load can write a bar before the block ends, or its transaction is rolled back."""
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE bars_ohlcv IN EXCLUSIVE MODE")
        yield connection
        connection.rollback()


STALLED = """
    SELECT job_runs.id FROM job_runs JOIN pg_stat_activity ON wait_event_type = 'Lock'
     WHERE datname = current_database() AND status = 'running'
"""
