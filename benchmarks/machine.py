"""The environment of a measurement: machine and versions."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from typing import Any

_PACKAGES = (
    "mdload", "polars", "pyarrow", "adbc-driver-postgresql", "psycopg", "numpy", "pandas",
    "SQLAlchemy", "dlt", "duckdb", "sling-linux-amd64",
)  # fmt: skip


def described() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "commit": _said("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"),
        "versions": {**_packages(), **_programs()},
    }


def _cpu() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    if found:
        return found[1]
    if sys.platform == "darwin":
        return _said("sysctl", "-n", "machdep.cpu.brand_string")
    return platform.processor() or platform.machine()


def _packages() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _programs() -> dict[str, str]:
    said = re.search(r'"(.+)"', _said("pgloader", "--version"))
    return {"pgloader": said[1]} if said else {}


def _said(*command: str) -> str:
    if not which(command[0]):
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
