"""Folders that are tables of Delta Lake, Iceberg or Hudi: their current version is loaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import Ran, environment
from tests.support.sql import fetch
from tests.support.tables import Delta, bars, iceberg

Mdload = Callable[..., Ran]
HOW = ("--provider", "demo", "--interval", "1m")
STORED = (
    "SELECT symbol, CAST(extract(minute FROM ts) AS integer), close FROM bars_ohlcv ORDER BY 1, 2"
)
LEDGER = "SELECT path, state FROM job_run_files ORDER BY id"


@pytest.fixture
def load(forked: Mdload, database_url: str) -> Callable[..., Ran]:
    def run(*sources: str | Path, code: int = 0) -> Ran:
        env = {"MDLOAD_DATABASE_URL": database_url}
        ran = forked("backfill", *sources, *HOW, "--json", env=env)
        assert ran.code == code, ran.err
        return ran

    return run


def test_a_delta_table_is_its_current_version(
    load: Callable[..., Ran], forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    table = Delta(tmp_path / "bars")
    good = table.put(bars([0, 1], 10.0))
    bad = table.put(bars([0, 1], 99.0), instead_of=[good])  # sorts behind the others, and is stale
    table.put(bars([0, 1], 11.0), instead_of=[bad])
    seen = forked("inspect", "bars", *HOW)
    assert (seen.code, seen.out.splitlines()[0]) == (0, "bars@2")
    assert "99" not in seen.out
    load("bars")
    assert fetch(database_url, STORED) == [("AAA", 0, 11.0), ("AAA", 1, 11.0)]

    assert load("bars").json()["files"][0]["state"] == "known"
    table.put(bars([2], 12.0))
    (file,) = load("bars").json()["files"]
    assert (file["rows_read"], file["rows_inserted"], file["rows_unchanged"]) == (3, 1, 2)
    assert fetch(database_url, LEDGER) == [
        ("bars@2", "loaded"), ("bars@2", "known"), ("bars@3", "loaded")
    ]  # fmt: skip


def test_a_partition_is_a_column_and_a_table_among_files_is_one_source(
    load: Callable[..., Ran], database_url: str, tmp_path: Path
) -> None:
    table = Delta(tmp_path / "in" / "bars", ("symbol",))
    table.put(bars([0], 1.0, None), symbol="BBB")
    table.put(bars([0], 2.0, None), symbol="CCC")
    pq.write_table(bars([5], 3.0), tmp_path / "in" / "loose.parquet")
    assert [f["path"] for f in load("in").json()["files"]] == ["in/bars@1", "in/loose.parquet"]
    assert fetch(database_url, STORED) == [("AAA", 5, 3.0), ("BBB", 0, 1.0), ("CCC", 0, 2.0)]


def test_deleted_rows_are_not_loaded(
    load: Callable[..., Ran], database_url: str, tmp_path: Path
) -> None:
    table = Delta(tmp_path / "bars", features=("deletionVectors",))
    path = table.put(bars([0, 1, 2, 3], 10.0))
    table.delete(path, [1, 2], of=4)
    load("bars")
    assert fetch(database_url, STORED) == [("AAA", 0, 10.0), ("AAA", 3, 10.0)]


def test_a_table_with_a_missing_file_loads_nothing(
    load: Callable[..., Ran], database_url: str, tmp_path: Path
) -> None:
    table = Delta(tmp_path / "bars")
    table.put(bars([0], 1.0))
    (tmp_path / "bars" / table.put(bars([1], 2.0))).unlink()
    assert "bars@1 is a Delta table that cannot be read: " in load("bars", code=3).err
    assert fetch(database_url, STORED) == []
    (tmp_path / "bars" / "_delta_log" / f"{0:020d}.json").write_text('{"add": {"path"')
    assert "bars is a Delta table that cannot be read: " in load("bars", code=3).err
    shutil.rmtree(tmp_path / "bars" / "_delta_log")
    (tmp_path / "bars" / "_delta_log").mkdir()
    assert "bars is a Delta table that cannot be read: " in load("bars", code=3).err


@pytest.mark.parametrize("path", ["file:///etc/hostname", "/etc/hostname", "../other.parquet"])
def test_a_table_reads_nothing_outside_of_its_folder(
    load: Callable[..., Ran], tmp_path: Path, path: str
) -> None:
    table = Delta(tmp_path / "bars")
    own = table.put(bars([0], 1.0))
    log = tmp_path / "bars" / "_delta_log" / f"{0:020d}.json"
    log.write_text(log.read_text().replace(f'"{own}"', f'"{path}"'))
    assert "bars is a Delta table with files elsewhere: " in load("bars", code=3).err


@pytest.mark.parametrize("pattern", ["bars/part-00000.snappy.parquet", "bars/*.parquet", "b*/*"])
def test_files_of_a_table_are_not_loose(
    load: Callable[..., Ran], database_url: str, tmp_path: Path, pattern: str
) -> None:
    table = Delta(tmp_path / "bars")
    table.put(bars([0], 99.0))
    table.put(bars([0], 1.0), instead_of=["part-00000.snappy.parquet"])
    err = load(pattern, code=3).err
    assert "bars/part-00000.snappy.parquet is a file of a Delta table" in err
    assert f"hint: load the table: mdload backfill '{tmp_path}/bars'" in err
    assert fetch(database_url, STORED) == []
    shutil.copy(tmp_path / "bars" / "part-00001.snappy.parquet", tmp_path / "loose.parquet")
    load("loose.parquet")


def test_an_archive_with_a_table_is_refused(load: Callable[..., Ran], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr("t/_delta_log/00000000000000000000.json", "{}")
        zipped.writestr("t/a.csv", "ts,open,high,low,close\n2024-01-02,1,2,0.5,1.5\n")
    err = load("a.zip", code=3).err
    assert "a.zip holds a Delta table in its folder t/\nhint: unpack it, and load the folder" in err


def test_a_hudi_table_is_refused_by_name(load: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "bars" / ".hoodie").mkdir(parents=True)
    pq.write_table(bars([0], 99.0), tmp_path / "bars" / "a.parquet")
    err = load("bars", code=3).err
    assert "bars is a Hudi table, which mdload does not read" in err
    assert "hint: export its latest snapshot to Parquet" in err
    assert "bars/a.parquet is a file of a Hudi table" in load("bars/a.parquet", code=3).err


def test_an_iceberg_table_is_its_current_snapshot(
    load: Callable[..., Ran], database_url: str, tmp_path: Path
) -> None:
    folder = iceberg(tmp_path, bars([0, 1], 99.0), bars([0, 1], 10.0))
    (file,) = load(folder).json()["files"]
    assert file["rows_read"] == 2
    assert fetch(database_url, STORED) == [("AAA", 0, 10.0), ("AAA", 1, 10.0)]
    [(path, _)] = fetch(database_url, LEDGER)
    assert path.startswith(f"{folder}@")
    assert path.removeprefix(f"{folder}@").isdecimal()
    assert "is a file of an Iceberg table" in load(folder / "data" / "*.parquet", code=3).err

    newest = sorted((folder / "metadata").glob("*.metadata.json"))[-1]
    twin = newest.with_name(newest.name.split("-")[0] + "-other.metadata.json")
    shutil.copy(newest, twin)
    err = load(folder, code=3).err
    assert "is an Iceberg table with two newest versions: " in err
    assert "hint: name the metadata file that its catalog has" in err
    assert load(twin).json()["files"][0]["state"] == "known"

    moved = folder.rename(tmp_path / "moved")
    (moved / "metadata" / twin.name).unlink()
    assert "moved is an Iceberg table with files elsewhere: file:" in load("moved", code=3).err


@pytest.mark.parametrize(
    ("kind", "extra", "library"),
    [("a Delta", "delta", "deltalake"), ("an Iceberg", "iceberg", "pyiceberg")],
)
def test_a_table_without_its_extra(
    tmp_path: Path, home: Path, kind: str, extra: str, library: str
) -> None:
    if extra == "delta":
        Delta(tmp_path / "bars").put(bars([0], 1.0))
    else:
        iceberg(tmp_path, bars([0], 1.0)).rename(tmp_path / "bars")
    code = f"import sys; sys.modules[{library!r}] = None; from loader.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "inspect", "bars", *HOW],
        cwd=tmp_path, env=environment(home), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 3
    assert f"bars is {kind} table, which needs the extra {extra!r}" in ran.stderr
    assert f"hint: pip install 'mdload[{extra}]'" in ran.stderr
