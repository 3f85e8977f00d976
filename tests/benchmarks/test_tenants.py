"""Bars of a tenant beside plain ones: both cases run, and every load is counted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_both_cases_run() -> None:
    command = [sys.executable, "-m", "benchmarks.tenants", "--rows", "300", "--rounds", "1"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    cases = re.findall(r"^\| (\w+) \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \|$", ran.stdout, re.M)
    assert cases == ["new", "changed"]
