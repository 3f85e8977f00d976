"""Many small files beside COPY by hand: every case runs, and the table is counted after each."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_case_runs() -> None:
    command = [sys.executable, "-m", "benchmarks.small_files", "--files", "3", "--rows", "20"]
    ran = subprocess.run(
        [*command, "--rounds", "1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    names = re.findall(r"^\| ([a-z, ]+) \| [\d.]+ \| [\d.]+ \| [\d.]+ \|$", ran.stdout, re.M)
    assert names == ["by hand, fresh", "fresh", "recognised", "compared"]
