"""Columns of types that no bar has do not stop a look at a file or a load with rejects."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

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
    mdload: Callable[..., Ran], database_url: str, tmp_path: Path
) -> None:
    made(tmp_path / "a.parquet")
    args = ("a.parquet", "--provider", "p", "--interval", "1m", "--max-rejects", "1")
    seen = mdload("inspect", *args, "--json")
    assert seen.code == 0, seen.err
    loaded = mdload("--database", database_url, "backfill", *args)
    assert loaded.code == 0, loaded.err
    [(raw,)] = fetch(database_url, "SELECT raw::text FROM bars_rejected")
    cells = json.loads(raw)
    assert {name: cells[name] for name, *_ in EXTRA} == {name: text for name, *_, text in EXTRA}


def test_bytes_as_prices_are_refused_and_shown(mdload: Callable[..., Ran], tmp_path: Path) -> None:
    made(tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    odd = pa.array([b"\xff"] * ROWS, pa.binary(1))
    pq.write_table(table.set_column(2, "open", odd), tmp_path / "a.parquet")
    seen = mdload("inspect", "a.parquet", "--provider", "p", "--interval", "1m")
    assert seen.code == 3
    assert "column 'open' is of type Binary, which cannot be the open of a bar" in seen.err
