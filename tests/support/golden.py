"""Shared by the dialect tests: reading a file without a database, and bars of real files."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from loader import bars
from loader.check.file import Checking
from loader.check.validate import skip_notes
from loader.errors import MdloadError
from loader.read.formats import read
from loader.read.sources import find
from loader.settings import Settings

#: A row under `loader.bars.COLUMNS`.
Bar = tuple[Any, ...]
#: The other files in the folder of a golden case.
OWN = {"expected.csv", "case.toml"}


@dataclass
class Loaded:
    bars: list[Bar] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    dialect: str | None = None
    notes: list[str] = field(default_factory=list)


def taken_in(path: Path, settings: Settings, batch_rows: int) -> Loaded:
    """What the left half makes of a file, or of the files of a case, in batches of `batch_rows`."""
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    paths = [each for each in found if each.is_file() and each.name not in OWN]
    loaded = Loaded()
    with find([str(each) for each in paths]) as sources:
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
                    loaded.notes += [note.text for note in checking.layout.notes]
                    loaded.notes += skip_notes(loaded.skipped, checking.layout.skip)
    return loaded


def written(name: str, data: bytes | str, batch_rows: int, **options: Any) -> Loaded:
    """What is made of a file of that name, with folders as it has them, that holds `data`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return taken_in(path, Settings(**options), batch_rows)


def bar(key: tuple[str, str, str], ts: datetime, *values: Any, count: Any = None) -> Bar:
    """`values` are open, high, low, close, and what is known of volume and vwap."""
    numbers = [None if value in (None, "") else float(value) for value in values]
    numbers += [None] * (6 - len(numbers))
    return (*key, ts, *numbers, None if count is None else int(count))


@dataclass(frozen=True)
class Sample:
    """A real file: its rows, and the bars that `by_hand` reads from it without the package.

    `dialect` is as the file's folder is called, up to `_`, where it is not said.
    """

    path: str
    rows: int
    by_hand: Callable[[Path], list[Bar]]
    options: dict[str, Any] = field(default_factory=dict)
    dialect: str = ""
    skipped: int = 0
    rejected: dict[str, int] = field(default_factory=dict)

    def check(self, samples: Path) -> None:
        path = samples / self.path
        loaded = taken_in(path, Settings(**self.options), 5_000)
        expected = self.by_hand(path)
        assert loaded.bars == expected
        named = self.dialect or self.path.partition("/")[0].partition("_")[0]
        assert loaded.dialect == (named if self.rows else None)
        assert (loaded.skipped, dict(loaded.rejected)) == (self.skipped, self.rejected)
        assert len(expected) + self.skipped + sum(self.rejected.values()) == self.rows


@dataclass(frozen=True)
class Unsaid:
    """A real file that does not say all, and so is refused by a sentence with `message` and a hint
    with `hint`."""

    path: str
    message: str
    hint: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def check(self, samples: Path) -> None:
        with pytest.raises(MdloadError) as refused:
            taken_in(samples / self.path, Settings(**self.options), 5_000)
        assert self.message in str(refused.value)
        assert refused.value.hint
        assert self.hint in refused.value.hint
