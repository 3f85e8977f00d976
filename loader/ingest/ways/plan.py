"""A plan: the bars that a load would write, kept in a Parquet file with a fingerprint of all that
was read in the store to make them, for a later `apply`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from loader import bars
from loader.bars import SERIES
from loader.db.arrow import Connection
from loader.errors import SettingsError
from loader.ingest.ways.digest import described, digest, seal
from loader.lazy import dataclass
from loader.store import spellings
from loader.store.packed import wanted_json

META: Final = b"mdload.plan"
SUM: Final = b"mdload.plan.sum"
FORMAT: Final = 2
#: `kind` is `insert` or `update`; the old values are null for an insert.
ROWS: Final[dict[str, pl.DataType]] = {
    **bars.SCHEMA,
    "kind": pl.String(),
    **{f"old_{v}": bars.SCHEMA[v] for v in bars.VALUES},
}
SPANS: Final = {**{s: pl.String() for s in SERIES}, "lo": bars.TS, "hi": bars.TS}


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan's file, without its rows.

    Attributes:
        path: of the file.
        id: its own, by which it is applied once.
        made_at: when (UTC).
        sources: of each file its `path`, `content_hash`, counts, and the `findings` of the guard.
        series: by provider, symbol and interval: `lo` and `hi` (the span that was read), how many
            bars it had then (`bars`) and their `hash`; `inserted` and `updated` are planned.
        spellings: of the symbols, see `loader.store.spellings`.
    """

    path: Path
    id: str
    made_at: datetime
    sources: tuple[Mapping[str, Any], ...]
    series: pl.DataFrame
    spellings: pl.DataFrame

    @property
    def findings(self) -> tuple[str, ...]:
        """What the files look like beside the bars that were stored, a sentence each."""
        found = (each for one in self.sources for each in one.get("findings", ()))
        return tuple(str(each["text"]) for each in found)

    @property
    def inserted(self) -> int:
        return int(self.series["inserted"].sum())

    @property
    def updated(self) -> int:
        return int(self.series["updated"].sum())


def fingerprints(connection: Connection, spans: pl.DataFrame) -> pl.DataFrame:
    """`spans` (`SPANS`) with how many `bars` (Int64) are stored there, and their `hash` (text)."""
    connection.run("wanted_set", wanted(spans))
    found = connection.frame("plan_fingerprints").cast({"sid": pl.Int32, "bars": pl.Int64})
    numbered = spans.with_row_index("sid").cast({"sid": pl.Int32})
    return numbered.join(found, on="sid", how="left", maintain_order="left").drop("sid")


def opened(path: str) -> Plan:
    """
    Raises:
        SettingsError: it is not a plan, one of another version of mdload, or not as it was made.
    """
    about = summed = None
    try:
        found = pq.read_metadata(path).metadata or {}
        about, summed = found.get(META), found.get(SUM)
    except (OSError, pa.ArrowException) as error:
        number = getattr(error, "errno", None)  # without what Arrow says around it
        raise SettingsError(
            f"{path} cannot be read as a plan: {os.strerror(number) if number else error}",
            hint="make one with: mdload backfill SOURCE --plan FILE",
        ) from error
    said = described(about)
    if said.get("format") != FORMAT:
        why = "was made by another version of mdload" if said else "is not a plan of mdload"
        raise SettingsError(f"{path} {why}", hint="make one: mdload backfill SOURCE --plan FILE")
    if about is None or summed != seal(about):
        raise _changed(path)
    schema = {**{s: pl.String() for s in SERIES}, "lo": pl.String(), "hi": pl.String(),
              "bars": pl.Int64(), "hash": pl.String(), "inserted": pl.Int64(),
              "updated": pl.Int64()}  # fmt: skip
    series = pl.DataFrame(said["series"], schema=schema).with_columns(
        pl.col("lo", "hi").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_zone="UTC", time_unit="us")
    )
    plan = Plan(
        Path(path), said["id"], datetime.fromisoformat(said["made_at"]), tuple(said["sources"]),
        series, pl.DataFrame(said["spellings"], schema=spellings.SCHEMA),
    )  # fmt: skip
    if said["rows"] != _digest(plan):
        raise _changed(path)
    return plan


def _digest(plan: Plan) -> str | None:
    """None if its rows cannot be read, or are not a plan's."""
    try:
        return digest(rows_of(plan), ROWS)
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError):
        return None


def _changed(path: str) -> SettingsError:
    return SettingsError(
        f"{path} is not as it was made: its rows or its description were changed since",
        hint="make a new one with: mdload backfill SOURCE --plan FILE",
    )


def rows_of(plan: Plan, kind: str | None = None, at_once: int = 100_000) -> Iterator[pl.DataFrame]:
    """The plan's rows (`ROWS`), of one kind or all, some at a time."""
    with pq.ParquetFile(plan.path) as file:
        for batch in file.iter_batches(at_once):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            frame = frame.cast(pl.Schema(ROWS))
            if kind is not None:
                frame = frame.filter(pl.col("kind") == kind)
            if frame.height:
                yield frame


def wanted(spans: pl.DataFrame) -> str:
    """`spans` (`SPANS`) with their numbers, as `wanted_set` takes them."""
    numbered = spans.with_row_index("sid").select("sid", *SERIES, "lo", "hi")
    return wanted_json(numbered)
