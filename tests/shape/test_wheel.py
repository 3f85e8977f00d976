"""What `pip install` brings is whole: the wheel holds the SQL and the migrations, and runs."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from tests.conftest import ROOT


def test_the_wheel_has_its_sql_and_runs_outside_the_checkout(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)],
        check=True,
    )
    (wheel,) = tmp_path.glob("mdload-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    for kind in ("sql", "migrations"):
        here = {f"loader/{p.relative_to(ROOT)}" for p in (ROOT / kind).rglob("*") if p.is_file()}
        here = {name for name in here if "__pycache__" not in name}
        assert here
        assert here <= names

    place = tmp_path / "a place with blanks"
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    subprocess.run(
        [*pip, "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)], check=True
    )
    site = next(path for path in map(Path, sys.path) if (path / "polars").is_dir())
    outside = {**os.environ, "PYTHONPATH": str(site), "MDLOAD_HOME": str(tmp_path)}
    ran = subprocess.run(
        [str(python), "-P", "-m", "loader", "migrate", "--sql"],
        env=outside, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "CREATE TABLE bars_ohlcv" in ran.stdout
