"""A plan: the bars that a load would write, kept in a Parquet file with a fingerprint of all that
was read in the store to make them, for a later `apply`."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import IO, Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from loader import __version__, bars
from loader.bars import SERIES
from loader.db.arrow import Connection
from loader.errors import Contended, SettingsError
from loader.ingest.mergers import DryMerger
from loader.ingest.tally import Tally
from loader.ingest.ways.digest import Digest, described, digest, seal
from loader.read.spool import Spool
from loader.results import FileResult
from loader.store import spellings
from loader.store.compare import Diff, Met, PendingDiff, compare
from loader.store.merge import Merged
from loader.store.packed import wanted_json

_META: Final = b"mdload.plan"
_SUM: Final = b"mdload.plan.sum"
_FORMAT: Final = 2
#: `kind` is `insert` or `update`; the old values are null for an insert.
ROWS: Final[dict[str, pl.DataType]] = {
    **bars.SCHEMA,
    "kind": pl.String(),
    **{f"old_{v}": bars.SCHEMA[v] for v in bars.VALUES},
}
SPANS: Final = {**{s: pl.String() for s in SERIES}, "lo": bars.TS, "hi": bars.TS}
_OLDEST: Final = pl.CompatLevel.oldest()


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan's file, without its rows.

    Attributes:
        path: of the file.
        id: its own, by which it is applied once.
        made_at: when (UTC).
        sources: of each file its `path`, `content_hash` and counts.
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
    def inserted(self) -> int:
        return int(self.series["inserted"].sum())

    @property
    def updated(self) -> int:
        return int(self.series["updated"].sum())


class PlanMerger(DryMerger):
    """Counts what a merge would do, and sets the bars aside that it would write."""

    def __init__(self, see: Callable[[Diff], None], rows: Spool) -> None:
        super().__init__(see)
        self.spans = pl.DataFrame(schema=SPANS)
        self.rows = rows

    def send(self, pieces: Iterable[PendingDiff]) -> None:
        inserted = updated = unchanged = 0
        for piece in pieces:
            diff = compare(piece)
            self.see(diff)
            inserted += diff.new.height
            updated += diff.changed.height
            unchanged += diff.unchanged
            self.rows.append(_rows(diff.new, "insert"))
            if diff.met is not None and diff.changed.height:
                self.rows.append(_with_old(diff.met))
            spans = piece.unique.series.select(*SERIES, "lo", "hi")
            self.spans = _joined(pl.concat([self.spans, spans.cast(pl.Schema(SPANS))]))
        self._merged = Merged(inserted, updated, unchanged)


class Planning:
    """Collects the plan of a load, file by file.

    Raises:
        SettingsError: two files have bars of one series and time, so that what the one writes
            depends on the other.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._lock = Lock()
        schema = pl.DataFrame(schema=ROWS).to_arrow(compat_level=_OLDEST).schema
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._digest = Digest(ROWS)
        self._spans: list[pl.DataFrame] = []
        self._spellings = pl.DataFrame(schema=spellings.SCHEMA)
        self._sources: list[dict[str, Any]] = []
        self._counts: list[pl.DataFrame] = []
        self.shared: str | None = None

    @contextmanager
    def merger(self, see: Callable[[Diff], None]) -> Iterator[PlanMerger]:
        with Spool(ROWS) as rows:
            yield PlanMerger(see, rows)

    def accept(self, result: FileResult, merger: PlanMerger, tally: Tally) -> None:
        """Adds a file that would be loaded."""
        with self._lock:
            met = [span.join(merger.spans, on=SERIES, suffix="_own") for span in self._spans]
            for both in met:
                over = both.filter(
                    (pl.col("lo") <= pl.col("hi_own")) & (pl.col("hi") >= pl.col("lo_own"))
                )
                if over.height:
                    self.shared = f"{result.path}: {over['symbol'][0]} {over['interval'][0]}"
            self._spans.append(merger.spans)
            for frame in merger.rows:
                self._writer.write_table(frame.to_arrow(compat_level=_OLDEST))
                self._digest.add(frame)
                self._counts.append(frame.group_by(*SERIES, "kind").agg(n=pl.len().cast(pl.Int64)))
            if tally.spellings is not None:
                self._spellings = pl.concat(
                    [self._spellings, tally.spellings.select(*spellings.SCHEMA)]
                ).unique()
            self._sources.append({
                "path": result.path, "content_hash": result.content_hash,
                "size_bytes": result.size_bytes, "dialect": result.dialect,
                **result.counts.as_columns(), "rejected": dict(result.rejected),
            })  # fmt: skip

    def finish(self, connection: Connection, since: int) -> None:
        """Writes what was read in the store into the file, and closes it. `since` is the newest
        load before the first of it was read.

        Raises:
            Contended: a load has changed some of it meanwhile.
            SettingsError: two files share bars.
        """
        if self.shared is not None:
            raise SettingsError(
                f"two files have bars of the same series and time ({self.shared}), so that what "
                "the one writes depends on the other",
                option="--plan", hint="plan and apply one of them, then the other",
            )  # fmt: skip
        none = pl.DataFrame(schema=SPANS)
        spans = _joined(pl.concat([none, *self._spans])).sort(SERIES)
        found = fingerprints(connection, spans)
        (newest,) = connection.one("load_newest")
        if newest != since:
            connection.run("wanted_set", _wanted(spans))
            if (met := connection.row("plan_met", since)) is not None:
                raise Contended(
                    f"another load changed bars of {met[0]} {met[1]} while the plan was made",
                    hint="run the same command again",
                )
        counted = pl.DataFrame(
            schema={**{s: pl.String() for s in SERIES}, "kind": pl.String(), "n": pl.Int64()}
        )
        counts = pl.concat([counted, *self._counts]).group_by(SERIES).agg(
            inserted=pl.col("n").filter(pl.col("kind") == "insert").sum(),
            updated=pl.col("n").filter(pl.col("kind") == "update").sum(),
        )  # fmt: skip
        series = found.join(counts, on=SERIES, how="left").with_columns(
            pl.col("inserted", "updated").fill_null(0)
        )
        about = {
            "format": _FORMAT, "id": str(uuid.uuid4()), "made_at": datetime.now(UTC).isoformat(),
            "mdload": __version__, "rows": self._digest.text, "sources": self._sources,
            "series": json.loads(wanted_json(series)),
            "spellings": self._spellings.to_dicts(),
        }  # fmt: skip
        text = json.dumps(about, ensure_ascii=False).encode()
        self._writer.add_key_value_metadata({_META: text, _SUM: seal(text)})
        self._writer.close()

    def close(self) -> None:
        """Lets go of a file that is not to be kept."""
        self._writer.close()


def fingerprints(connection: Connection, spans: pl.DataFrame) -> pl.DataFrame:
    """`spans` (`SPANS`) with how many `bars` (Int64) are stored there, and their `hash` (text)."""
    connection.run("wanted_set", _wanted(spans))
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
        about, summed = found.get(_META), found.get(_SUM)
    except (OSError, pa.ArrowException) as error:
        number = getattr(error, "errno", None)  # without what Arrow says around it
        raise SettingsError(
            f"{path} cannot be read as a plan: {os.strerror(number) if number else error}",
            hint="make one with: mdload backfill SOURCE --plan FILE",
        ) from error
    said = described(about)
    if said.get("format") != _FORMAT:
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


@contextmanager
def planned(file: IO[bytes]) -> Iterator[Planning]:
    """A plan that is written to `file`; whoever gets it finishes it."""
    planning = Planning(file)
    try:
        yield planning
    except BaseException:
        planning.close()
        raise


def _wanted(spans: pl.DataFrame) -> str:
    numbered = spans.with_row_index("sid").select("sid", *SERIES, "lo", "hi")
    return wanted_json(numbered)


def _joined(spans: pl.DataFrame) -> pl.DataFrame:
    return spans.group_by(SERIES).agg(pl.col("lo").min(), pl.col("hi").max())


def _rows(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    old = [pl.lit(None, ROWS[f"old_{v}"]).alias(f"old_{v}") for v in bars.VALUES]
    return frame.with_columns(kind=pl.lit(kind)).with_columns(old).select(list(ROWS))


def _with_old(met: Met) -> pl.DataFrame:
    both = met.joined.filter(met.changed).rename({f"{v}_old": f"old_{v}" for v in bars.VALUES})
    return both.with_columns(kind=pl.lit("update")).select(list(ROWS)).cast(pl.Schema(ROWS))
