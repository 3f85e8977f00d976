"""Each golden folder: a small file in a provider's format, and its bars worked out by hand.

`golden/<dialect>/<case>/` holds the file (the only one not named below, in subfolders if the format
needs them) and `expected.csv` with its bars in the order of the file. An
optional `case.toml` says more: `options` (fields of `Settings`), `skipped` (rows), `rejected`
(rule = rows), `error` (a part of the sentence that refuses the file), `notes` (parts of notes).
"""

from __future__ import annotations

import csv
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from loader import bars
from loader.bars.columns import TYPES
from loader.dialects.known import dialects
from loader.errors import MdloadError
from loader.settings import Settings
from tests.support.golden import taken_in

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.relative_to(GOLDEN).as_posix() for path in GOLDEN.glob("*/*"))


def expected(folder: Path) -> list[tuple[Any, ...]]:
    with (folder / "expected.csv").open(newline="") as file:
        return [_bar(row) for row in csv.DictReader(file)]


def _bar(row: dict[str, str]) -> tuple[Any, ...]:
    def cell(name: str) -> Any:
        text = row.get(name, "")  # a column that is newer than the case
        if name == "ts":
            return datetime.fromisoformat(text)
        if name in bars.KEY:
            return text
        return None if text == "" else int(text) if TYPES[name] == "bigint" else float(text)

    return tuple(cell(name) for name in bars.COLUMNS)


@pytest.mark.parametrize("batch_rows", [1_000, 1], ids=["whole", "row-by-row"])
@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, batch_rows: int) -> None:
    folder = GOLDEN / case
    said: dict[str, Any] = {}
    if (folder / "case.toml").exists():
        said = tomllib.loads((folder / "case.toml").read_text())
    if unknown := set(said) - {"options", "skipped", "rejected", "error", "notes", "dialect"}:
        raise AssertionError(f"case.toml of {case} says {unknown}")
    settings = Settings(**said.get("options", {}))
    if "error" in said:
        with pytest.raises(MdloadError) as refused:
            taken_in(folder, settings, batch_rows)
        assert said["error"] in str(refused.value)
        assert refused.value.hint
        return
    loaded = taken_in(folder, settings, batch_rows)
    assert loaded.bars == expected(folder)
    assert loaded.dialect == said.get("dialect", case.split("/", maxsplit=1)[0])
    assert dict(loaded.rejected) == said.get("rejected", {})
    assert loaded.skipped == said.get("skipped", 0)
    for part in said.get("notes", []):
        assert any(part in note for note in loaded.notes), loaded.notes


def test_every_dialect_has_golden_cases() -> None:
    covered = {case.split("/")[0] for case in CASES}
    assert covered >= set(dialects()) - {"canonical"}


def test_every_dialect_is_documented_by_its_declaration() -> None:
    for name, dialect in dialects().items():
        assert dialect.title, name
        assert dialect.source, name
        if dialect.shapes:
            assert dialect.volume, name
            assert dialect.adjusted, name
            assert dialect.traps, name


def test_golden_files_are_of_ours() -> None:
    """Golden inputs are small and written for the test, never copies of vendor files."""
    for path in GOLDEN.rglob("*"):
        assert path.is_dir() or path.stat().st_size < 20_000, path
