"""The names at the root: there, cheap until they are used, and the same under `mdload`."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import loader
from tests.conftest import ROOT

#: The module that each public name is also in.
NAMES = {
    "AsyncStoreClient": "loader.client.aio",
    "Bar": "loader.client.bar",
    "Dialect": "loader.dialects.dialect",
    "JobRunTracker": "loader.store.runs.tracker",
    "LoadResult": "loader.results",
    "MdloadError": "loader.errors",
    "Metrics": "loader.listen.metrics.run",
    "Settings": "loader.settings",
    "Shape": "loader.dialects.dialect",
    "StoreClient": "loader.client.client",
    "TenantClient": "loader.client.tenant",
    "WriteResult": "loader.client.result",
    "compute_config_fingerprint": "loader.store.runs.fingerprint",
    "load": "loader.ingest.api",
}
HEAVY = ["polars", "pyarrow", "psycopg", "adbc_driver_manager", "adbc_driver_postgresql", "rich"]


def run(code: str) -> str:
    """What `code` prints in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_the_thing_itself(name: str) -> None:
    thing = getattr(loader, name)
    assert callable(thing)
    assert thing is getattr(importlib.import_module(NAMES[name]), name)


@pytest.mark.parametrize(
    "first",
    ["", "import loader.ingest.pipeline", "import loader.client", "from loader import StoreClient"],
)
def test_load_is_the_function_whatever_was_imported_before(first: str) -> None:
    code = f"{first}\nimport loader\nfrom loader import load\nprint(load is loader.load, load)"
    assert run(code).startswith("True <function load at ")
    code = f"from loader import load\n{first}\nimport loader\nprint(load is loader.load, load)"
    assert run(code).startswith("True <function load at ")


def test_no_room_has_the_name_of_something_public() -> None:
    """Importing a module of such a room would put the room in the place of the public name."""
    rooms = {path.stem for path in (ROOT / "loader").iterdir()}
    assert not rooms & {*loader.__all__}


def test_every_public_name_is_listed_and_no_other() -> None:
    assert set(loader.__all__) == {*NAMES, "__version__"}
    assert set(loader.__all__) <= set(dir(loader))
    with pytest.raises(AttributeError, match="module 'loader' has no attribute 'StoreCleint'"):
        _ = loader.StoreCleint  # type: ignore[attr-defined]


def test_the_version_is_that_of_the_distribution() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert run("import loader; print(loader.__version__)") == project["version"]


@pytest.mark.parametrize("use", ["import loader", "from loader import MdloadError"])
def test_importing_the_package_imports_nothing_heavy(use: str) -> None:
    heavy = [*HEAVY, "importlib.metadata", "click", "loader.client", "loader.db"]
    assert run(f"{use}\nimport sys; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_the_command_line_imports_nothing_heavy_for_its_help() -> None:
    heavy = [*HEAVY, "alembic", "logging", "loader.settings"]
    code = (
        "import sys; from loader.cli import root; root(['--help'], standalone_mode=False); "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    assert run(code).splitlines()[-1] == "[]"


def test_the_package_mdload_has_the_same_names() -> None:
    """Its source; test_wheel.py checks it where it is installed."""
    mdload = importlib.import_module("loader.cli.mdload")
    assert mdload.__all__ == loader.__all__
    for name in loader.__all__:
        assert getattr(mdload, name) is getattr(loader, name)
    assert set(loader.__all__) <= set(dir(mdload))
    with pytest.raises(AttributeError, match="has no attribute 'StoreCleint'"):
        _ = mdload.StoreCleint


def test_readme_and_docs_use_the_root_names() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in (page for page in pages if page.is_file()):
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith("from loader.") and "import" in line:
                imported = line.partition(" import ")[2].replace(",", " ").split()
                assert not {*imported} & {*NAMES}, f"{page.name}: {line}"


def test_a_checkout_has_no_entry_named_mdload() -> None:
    assert not (Path(ROOT) / "mdload").exists()
