"""What `pip install` brings is whole: the wheel holds the SQL and the migrations, and runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import loader
from tests.conftest import ROOT

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


@dataclass(frozen=True)
class Installed:
    """A place of its own with nothing but mdload; what it requires comes from this one."""

    python: Path
    outside: Path

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Python with `args`, in a folder outside of the checkout."""
        env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        env["MDLOAD_HOME"] = str(self.outside)
        return subprocess.run(
            [str(self.python), "-P", *args],
            env=env, cwd=self.outside, capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [*PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True
    )
    (built,) = folder.glob("mdload-*.whl")
    return built


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Installed]:
    def into_a_new_place(*what: str) -> Installed:
        outside = tmp_path_factory.mktemp("outside")
        place = outside / "a place with blanks"
        venv.create(place, with_pip=False)
        python = place / "bin" / "python"
        subprocess.run(
            [*PIP, "--python", str(python), "install", "--quiet", "--no-deps", *what], check=True
        )
        # What mdload requires comes last on the path: this environment may have an mdload too.
        (own,) = place.glob("lib/python*/site-packages")
        site = next(path for path in map(Path, sys.path) if (path / "polars").is_dir())
        (own / "zz_requirements.pth").write_text(f"{site}\n")
        return Installed(python, outside)

    return into_a_new_place


@pytest.fixture(scope="module")
def installed(wheel: Path, install: Callable[..., Installed]) -> Installed:
    return install(str(wheel))


def test_the_wheel_has_its_sql_and_its_migrations(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    for kind in ("sql", "migrations"):
        here = {f"loader/{p.relative_to(ROOT)}" for p in (ROOT / kind).rglob("*") if p.is_file()}
        here = {name for name in here if "__pycache__" not in name}
        assert here
        assert here <= names


def test_the_readme_of_an_index_page_has_no_link_into_the_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (n for n in packed.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = packed.read(name).decode()
    text = metadata.partition("\n\n")[2]
    assert "Description-Content-Type: text/markdown" in metadata
    assert text.startswith("# mdload\n")
    assert [t for t in re.findall(r"\]\(([^)]+)\)", text) if not t.startswith("https://")] == []
    assert "see `docs/live.md`" in text.replace("See", "see").replace("\n", " ")


def test_every_module_is_in_the_wheel_once(wheel: Path) -> None:
    """The build moves the files that `force-include` names: a slip there loses a module."""
    here = {str(path.relative_to(ROOT)) for path in (ROOT / "loader").rglob("*.py")}
    placed = {re.sub("^loader/cli/mdload/", "mdload/", name) for name in here}
    with zipfile.ZipFile(wheel) as packed:
        names = [n for n in packed.namelist() if n.endswith(".py")]
    assert sorted(n for n in names if not re.match("loader/(sql|migrations)/", n)) == sorted(placed)


NAMED = (
    "examples/bars.parquet", "alembic.ini", "LICENSE", "SECURITY.md", "CONTRIBUTING.md",
    "docs/roles.sql", "docs/nightly.md", "tests/conftest.py", "justfile",
)  # fmt: skip


def test_the_source_distribution_has_what_the_docs_name_and_builds(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    subprocess.run([*PIP, "install", "--quiet", "--target", str(tools), "hatchling"], check=True)
    program = "from hatchling.build import build_sdist; import sys; print(build_sdist(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tools)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    with tarfile.open(tmp_path / built.stdout.split()[-1]) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # since 3.11.4
        packed.extractall(tmp_path, **safely)
    assert set(NAMED) <= names
    (unpacked,) = tmp_path.glob("mdload-*/")
    subprocess.run(
        [*PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(unpacked)],
        check=True,
    )
    (wheel,) = tmp_path.glob("mdload-*.whl")
    with zipfile.ZipFile(wheel) as packed_wheel:
        assert "loader/docs/roles.sql" in packed_wheel.namelist()


def test_it_runs_outside_the_checkout(installed: Installed) -> None:
    ran = installed.run("-m", "loader", "migrate", "--sql")
    assert ran.returncode == 0, ran.stderr
    assert "CREATE TABLE bars_ohlcv" in ran.stdout
    roles = installed.run("-m", "loader", "migrate", "--roles")
    assert roles.stdout == (ROOT / "docs" / "roles.sql").read_text()


SAME = """
import loader, mdload
assert mdload.__all__ == loader.__all__
for name in loader.__all__:
    assert getattr(mdload, name) is getattr(loader, name), name
print(mdload.__file__)
"""


def holds_mdload(installed: Installed) -> None:
    same = installed.run("-c", SAME)
    assert same.returncode == 0, same.stderr
    assert Path(same.stdout.strip()).is_relative_to(installed.outside)
    for package in ("mdload", "loader"):
        ran = installed.run("-m", package, "--version")
        assert (ran.returncode, ran.stdout) == (0, f"mdload, version {loader.__version__}\n")


def test_the_package_mdload_has_the_names_of_loader(installed: Installed) -> None:
    holds_mdload(installed)
    light = "import mdload, sys; print([m for m in ('polars', 'psycopg') if m in sys.modules])"
    assert installed.run("-c", light).stdout == "[]\n"


def test_an_editable_install_has_it_too(install: Callable[..., Installed]) -> None:
    holds_mdload(install("--editable", str(ROOT)))


PROGRAM = """
from loader import JobRunTracker, LoadResult, MdloadError, Settings, StoreClient, load
import mdload

reveal_type(StoreClient("").write_bars([]).inserted)
reveal_type(load("bars.csv", "", Settings(provider="p")).exit_code)
reveal_type(mdload.load("bars.csv", "").files[0].path)
reveal_type(mdload.__version__)
result: LoadResult = mdload.load("bars.csv", "")
Settings(provider=1)
mdload.StoreCleint
from loader import Nothing
"""


def test_a_program_is_checked_against_its_types(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(installed.python),
         "--cache-dir", str(tmp_path / "cache"), "program.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = re.findall(r'^program.py:(\d+): \w+: (?:Revealed type is )?"?(.*?)"?(?:  \[|$)',
                      ran.stdout, re.MULTILINE)  # fmt: skip
    assert told == [
        ("5", "int"), ("6", "int"), ("7", "str"), ("8", "str"),
        ("10", 'Argument "provider" to "Settings" has incompatible type "int"; '
               'expected "str | None'),
        ("11", 'Module has no attribute "StoreCleint"; maybe "StoreClient"?'),
        ("12", 'Module "loader" has no attribute "Nothing'),
    ]  # fmt: skip
