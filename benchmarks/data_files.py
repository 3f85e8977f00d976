"""The input files: generated once, streamed, and named by their content."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from benchmarks.made_bars import Stretch


def file_name(stretch: Stretch, format: str) -> str:
    universe = stretch.universe
    parts = [f"bars-{universe.rows}x{universe.symbols}-seed{universe.seed}"]
    parts.append(f"{stretch.start}-{stretch.stop}")
    if stretch.restated:
        since = f"from{stretch.restated_from}" if stretch.restated_from else ""
        parts.append(f"restated{stretch.restated:g}{since}")
    if stretch.by_time:
        parts.append("by-time")
    if stretch.provider != "polygon":
        parts.append(stretch.provider)
    return f"{'-'.join(parts)}.{format}"


def made(stretch: Stretch, format: str, directory: Path) -> Path:
    """The file of a stretch in `directory`, written if missing."""
    path = directory / file_name(stretch, format)
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        (write_parquet if format == "parquet" else write_csv)(stretch.frames(), unfinished)
        unfinished.rename(path)
    return path


def write_parquet(frames: Iterable[pl.DataFrame], path: Path) -> None:
    """Writes row groups of `CHUNK` rows with zstd, Polars' defaults."""
    writer = None
    for frame in frames:
        table = frame.to_arrow()
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer
    writer.close()


def write_csv(frames: Iterable[pl.DataFrame], path: Path) -> None:
    """Writes a header, commas, ISO times with Z, and floats as their shortest exact digits."""
    with path.open("wb") as file:
        for number, frame in enumerate(frames):
            frame.write_csv(file, include_header=number == 0, datetime_format="%Y-%m-%dT%H:%M:%SZ")
