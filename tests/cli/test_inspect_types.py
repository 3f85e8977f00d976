"""Columns of types that no bar has do not stop a look at a file or a load with rejects."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loader.cli.views.inspection import print_json_looks, print_looks
from loader.errors import TooManyRejects
from loader.ingest.ways.inspection import Inspection, inspect_source
from loader.read.sources import find
from loader.settings import Settings
from tests.conftest import Ran
from tests.support.sql import fetch

ROWS = 12
#: Name, type, value, and how a rejected row shows it.
EXTRA = (
    ("id", pa.binary(3), b"\xff\xfe\x00", "fffe00"),
    ("tags", pa.list_(pa.binary()), [b"\xff"], '["ff"]'),
    ("pair", pa.list_(pa.binary(), 1), [b"a"], '["61"]'),
    ("legs", pa.list_(pa.struct([("a", pa.binary())])), [{"a": b"\xff"}], '[{"a":"ff"}]'),
    ("more", pa.map_(pa.string(), pa.binary()), [("k", b"\0")], '[{"key":"k","value":"00"}]'),
    ("deep", pa.list_(pa.list_(pa.string())), [["x"]], '[["x"]]'),
)


def made(path: Path) -> None:
    """Bars of which the first has a high below its low, and a column of each type."""
    start = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    bars = {
        "symbol": ["A"] * ROWS,
        "ts": [start + timedelta(minutes=i) for i in range(ROWS)],
        "open": [1.0] * ROWS,
        "high": [0.1] + [2.0] * (ROWS - 1),
        "low": [0.5] * ROWS,
        "close": [1.5] * ROWS,
        "volume": [1] * ROWS,
    }
    extra = {name: pa.array([value] * ROWS, kind) for name, kind, value, _ in EXTRA}
    pq.write_table(pa.table({**bars, **extra}), path)


def test_bytes_lists_and_maps(
    forked: Callable[..., Ran], database_url: str, tmp_path: Path
) -> None:
    made(tmp_path / "a.parquet")
    args = ("a.parquet", "--provider", "p", "--interval", "1m", "--max-rejects", "1")
    seen = forked("inspect", *args, "--json")
    assert seen.code == 0, seen.err
    loaded = forked("--database", database_url, "backfill", *args)
    assert loaded.code == 0, loaded.err
    [(raw,)] = fetch(database_url, "SELECT raw::text FROM bars_rejected")
    cells = json.loads(raw)
    assert {name: cells[name] for name, *_ in EXTRA} == {name: text for name, *_, text in EXTRA}


def test_bytes_as_prices_are_refused_and_shown(forked: Callable[..., Ran], tmp_path: Path) -> None:
    made(tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    odd = pa.array([b"\xff"] * ROWS, pa.binary(1))
    pq.write_table(table.set_column(2, "open", odd), tmp_path / "a.parquet")
    seen = forked("inspect", "a.parquet", "--provider", "p", "--interval", "1m")
    assert seen.code == 3
    assert "column 'open' is of type Binary, which cannot be the open of a bar" in seen.err


def test_files_are_shown_one_by_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Looks at 10,000 files do not fill the memory with their first batches."""
    names = ["a.parquet", "b.parquet", "c.parquet"]
    made(tmp_path / names[0])
    for name in names[1:]:
        shutil.copy(tmp_path / names[0], tmp_path / name)
    shown: list[str] = []

    def looks() -> Iterator[Inspection]:
        with find([str(tmp_path)]) as sources:
            for source in sources:
                shown.append(capsys.readouterr().out)
                yield inspect_source(source, Settings(provider="p", interval="1m"))

    refused = TooManyRejects.exit_code  # one row of twelve is
    assert print_looks(looks(), 1) == refused
    before, *others = [*shown, capsys.readouterr().out]
    assert not before
    assert [[name for name in names if name in text] for text in others] == [[n] for n in names]
    shown.clear()
    assert print_json_looks(looks(), 1, several=True) == refused
    files = json.loads("".join([*shown, capsys.readouterr().out]))["files"]
    assert [Path(look["path"]).name for look in files] == names


def test_a_draft_of_a_dialect_looks_at_one_file(forked: Callable[..., Ran], tmp_path: Path) -> None:
    made(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").symlink_to(tmp_path / "nowhere")
    drafted = forked("inspect", "a.parquet", "--emit")
    assert drafted.code == 0
    both = forked("inspect", ".", "--emit")
    assert (both.code, both.out) == (0, drafted.out)
