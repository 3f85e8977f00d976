"""A container is a module with a FORMAT: what forgets to say something fails when it is found."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from loader.dialects import known
from loader.dialects.dialect import Dialect, Shape
from loader.dialects.own import TableError, from_table
from loader.errors import SettingsError
from loader.read.formats import containers
from loader.read.formats.known import container_names, discovered, formats, suffixes

Package = Callable[[dict[str, str]], ModuleType]
HEAD = "from loader.read.formats.format import Format\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A package of these modules, each with its text."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def of(modules: dict[str, str]) -> ModuleType:
        name = f"made_{tmp_path.name.replace('-', '_')}"
        (tmp_path / name).mkdir()
        for module, text in {"__init__": "", **modules}.items():
            (tmp_path / name / f"{module}.py").write_text(text)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    return of


def declared(name: str, **more: object) -> str:
    said = {"names": (name,), "suffixes": (f".{name}",), "magic": (name.encode(),), **more}
    words = ", ".join(f"{key}={value!r}" for key, value in said.items())
    return f"{HEAD}FORMAT = Format(read=print, {words})"


def test_each_module_is_found(package: Package) -> None:
    found = discovered(package({"one": declared("one"), "two": declared("two")}))
    assert [each.names for each in found] == [("one",), ("two",)]


@pytest.mark.parametrize(
    ("modules", "complaint"),
    [
        ({"one": declared("one"), "two": "x = 1"}, "two has no FORMAT"),
        ({"one": "FORMAT = 'one'"}, "one has no FORMAT"),
        ({"one": declared("one", magic=())}, "one: nothing says how to know its files"),
        (
            {"one": declared("one"), "two": declared("two", names=("one",))},
            "one and two share the name 'one'",
        ),
        (
            {"one": declared("one"), "two": declared("two", suffixes=(".two", ".one"))},
            "one and two share the suffix '.one'",
        ),
        (
            {"one": declared("one"), "two": declared("two", magic=(b"onely",))},
            "one and two share the mark b'onely'",
        ),
        (
            {"one": declared("one", magic=(b"twofold",)), "two": declared("two")},
            "two and one share the mark b'twofold'",
        ),
    ],
    ids=["none", "another kind", "unknowable", "name", "suffix", "mark", "mark the other way"],
)
def test_what_is_forgotten_or_said_twice_fails(
    package: Package, modules: dict[str, str], complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        discovered(package(modules))


def test_every_container_of_ours_is_one_module_with_a_format() -> None:
    folder = Path(containers.__path__[0])
    modules = {path.stem for path in folder.iterdir() if not path.stem.startswith("__")}
    assert modules == {
        "arrow", "bi5", "dbn", "delta", "hdf5", "hst", "iceberg", "json", "parquet", "scid", "tdx",
        "text",
    }  # fmt: skip
    assert len(formats()) == len(modules)
    assert container_names() == {
        "arrow", "bi5", "csv", "dbn", "delta", "hdf5", "hst", "iceberg", "json", "ndjson",
        "parquet", "scid", "tdx",
    }  # fmt: skip
    assert suffixes() == {
        ".parquet", ".pq", ".parq", ".arrow", ".feather", ".ipc", ".csv", ".tsv", ".tab", ".psv",
        ".txt", ".json", ".ndjson", ".jsonl", ".bi5", ".day", ".scid", ".hst", ".dbn", ".h5",
        ".hdf5",
    }  # fmt: skip


SHAPED = Dialect(name="x", title="X", columns={}, shapes=(Shape(containers=("csv", "xlsx")),))
SHAPE = """
from loader.dialects.dialect import Dialect, Shape
DIALECT = Dialect(name="x", title="X", columns={}, shapes=(Shape(containers=("xlsx",)),))
"""


def test_a_shape_in_an_unknown_container_fails(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "providers", package({"x": SHAPE}))
    with pytest.raises(TypeError, match=r"\.x has a shape in 'xlsx'"):
        known.dialects.__wrapped__()


def test_a_shape_of_another_package_in_an_unknown_container_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    announced = SimpleNamespace(load=lambda: SHAPED, value="p:X", name="x", dist=None)
    monkeypatch.setattr(known, "_announced", lambda: [announced])
    with pytest.raises(SettingsError, match="has a shape in 'xlsx', which no container is called"):
        known.dialects.__wrapped__()


def test_a_dialect_of_one_s_own_in_an_unknown_container_fails() -> None:
    table = {"containers": ["cvs"], "header": ["t"], "columns": {"ts": "t"}}
    with pytest.raises(
        TableError, match=r"dialects.mine.containers 'cvs' is not a known"
    ) as caught:
        from_table("mine", table)
    assert caught.value.path == ("dialects", "mine", "containers")
    assert caught.value.hint == "did you mean csv?"


def test_a_text_is_read_without_the_libraries_of_other_containers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Date,Open\n2024-01-02,1\n2024-01-03,2\n")
    code = (
        "import sys\n"
        "from loader.read.formats import read\n"
        "from loader.read.sources import find\n"
        "with find([sys.argv[1]]) as [source], read(source) as reading:\n"
        "    assert sum(batch.frame.height for batch in reading) == 2\n"
        "heavy = {'pyarrow.parquet', 'pyarrow.dataset', 'pyarrow.compute', 'h5py',\n"
        "         'databento_dbn', 'pandas'}\n"
        "sys.exit(' '.join(heavy & {*sys.modules}) or 0)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
