"""Each golden folder: a small file in a provider's format, and its bars as worked out by hand.

`golden/<dialect>/<case>/` holds the file (the only one that is not named below, in folders of its
own where the format wants them) and `expected.csv` with its bars in the order of the file. An
optional `case.toml` says more: `options` (fields of `Settings`), `skipped` (rows), `rejected`
(rule = rows), `error` (a part of the sentence that refuses the file), `notes` (parts of notes).
"""

from __future__ import annotations

import csv
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from loader import bars
from loader.checking import Checking
from loader.errors import MdloadError
from loader.providers import dialects
from loader.readers import read
from loader.settings import Settings
from loader.sources import find

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.relative_to(GOLDEN).as_posix() for path in GOLDEN.glob("*/*"))
OWN = {"expected.csv", "case.toml"}


@dataclass
class Loaded:
    bars: list[tuple[Any, ...]] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    dialect: str | None = None
    notes: list[str] = field(default_factory=list)


def taken_in(folder: Path, settings: Settings, batch_rows: int) -> Loaded:
    """What the left half makes of a file, or of the files of a case, in batches of `batch_rows`."""
    found = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    paths = [path for path in found if path.is_file() and path.name not in OWN]
    loaded = Loaded()
    with find([str(path) for path in paths]) as sources:
        for source in sources:
            with read(source, batch_rows) as reading:
                checking = Checking(reading, source, settings)
                for piece in checking.pieces():
                    assert piece.good.drop("row_number").schema == bars.SCHEMA
                    loaded.bars += piece.good.select(bars.COLUMNS).rows()
                    loaded.rejected.update(piece.rejected)
                    loaded.skipped += piece.skipped
                if checking.layout is not None:
                    loaded.dialect = checking.layout.dialect.name
                    loaded.notes += checking.layout.notes
    return loaded


def expected(folder: Path) -> list[tuple[Any, ...]]:
    with (folder / "expected.csv").open(newline="") as file:
        return [_bar(row) for row in csv.DictReader(file)]


def _bar(row: dict[str, str]) -> tuple[Any, ...]:
    def cell(name: str) -> Any:
        text = row[name]
        if name == "ts":
            return datetime.fromisoformat(text)
        if name in bars.KEY:
            return text
        return None if text == "" else int(text) if name == "trade_count" else float(text)

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
    """No golden input is a copy of a vendor's file: they are small, and written for the test."""
    for path in GOLDEN.rglob("*"):
        assert path.is_dir() or path.stat().st_size < 20_000, path
