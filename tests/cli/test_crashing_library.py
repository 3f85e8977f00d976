"""A library that crashes or hangs over a damaged file, through the real executable."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.conftest import ROOT, Ran, environment
from tests.support.jobs import bars
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
KIND = [(name, "<u8") for name in ("datetime", "openPrice", "highPrice", "lowPrice", "closePrice",
                                   "transCount")]  # fmt: skip
#: In the place of h5py; it leaves its process's id beside the file.
STAND_IN = """
import os
from pathlib import Path
Path(os.environ["HOME"], "pid").write_text(str(os.getpid()))
class File:
    def __init__(self, *args, **options):
        {}
"""


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = tmp_path / "sh_1min.h5"
    with h5py.File(path, "w") as file:
        file["data/SH600000"] = np.array([(202401020931, 1, 2, 1, 1, 5)], dtype=KIND)
    return path


def variables(tmp_path: Path, does: str) -> dict[str, str]:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/h5py.py").write_text(STAND_IN.format(does))
    return {"PYTHONPATH": f"{tmp_path / 'modules'}:{ROOT}", "HOME": str(tmp_path)}


def test_a_crash_is_one_sentence_about_one_file(
    mdload: Mdload, database_url: str, tmp_path: Path, damaged: Path
) -> None:
    path = bars(tmp_path / "b.csv", 5)
    env = variables(tmp_path, "os.abort()") | {"MDLOAD_DATABASE_URL": database_url}
    ran = mdload("backfill", damaged, path, "--provider", "p", "--interval", "1m", env=env)
    assert ran.code == 3
    assert f"{damaged} is damaged: the library that reads it crashes (SIGABRT)" in ran.err
    assert "Traceback" not in ran.err
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(5,)]


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_library_that_hangs_can_be_stopped(
    home: Path, database_url: str, tmp_path: Path, damaged: Path, sig: signal.Signals,
    ended: Callable[..., bool],
) -> None:  # fmt: skip
    """And its process is gone with its parent."""
    env = variables(tmp_path, "while True: pass") | {"MDLOAD_DATABASE_URL": database_url}
    process = subprocess.Popen(
        [sys.executable, "-m", "loader", "backfill", damaged, "--provider", "p"],
        env=environment(home, env), cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    mark = tmp_path / "pid"
    try:
        for _ in range(3000):
            if mark.exists() and mark.read_text():
                break
            time.sleep(0.02)
        time.sleep(0.5)
        process.send_signal(sig)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert err.startswith(
        "error: interrupted: run 1 is recorded as cancelled; nothing is committed"
    )
    assert ended(int(mark.read_text()))
    assert fetch(database_url, "SELECT status FROM job_runs") == [("cancelled",)]
