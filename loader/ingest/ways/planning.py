"""Makes a plan: collects what a load would write, file by file."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import IO, Any, Final

import polars as pl
import pyarrow.parquet as pq

from loader import __version__, bars
from loader.bars import SERIES
from loader.db.arrow import Connection
from loader.errors import Contended, SettingsError
from loader.ingest.mergers import DryMerger
from loader.ingest.tally import Tally
from loader.ingest.ways.digest import Digest, seal
from loader.ingest.ways.plan import FORMAT, META, ROWS, SPANS, SUM, fingerprints, wanted
from loader.read.spool import Spool
from loader.results import FileResult
from loader.store import spellings
from loader.store.compare import Diff, Met, PendingDiff, compare
from loader.store.merge import Merged
from loader.store.packed import wanted_json

_OLDEST: Final = pl.CompatLevel.oldest()


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
                "findings": [finding.as_object() for finding in result.findings],
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
            connection.run("wanted_set", wanted(spans))
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
            "format": FORMAT, "id": str(uuid.uuid4()), "made_at": datetime.now(UTC).isoformat(),
            "mdload": __version__, "rows": self._digest.text, "sources": self._sources,
            "series": json.loads(wanted_json(series)),
            "spellings": self._spellings.to_dicts(),
        }  # fmt: skip
        text = json.dumps(about, ensure_ascii=False).encode()
        self._writer.add_key_value_metadata({META: text, SUM: seal(text)})
        self._writer.close()

    def close(self) -> None:
        """Lets go of a file that is not to be kept."""
        self._writer.close()


@contextmanager
def planned(file: IO[bytes]) -> Iterator[Planning]:
    """A plan that is written to `file`; whoever gets it finishes it."""
    planning = Planning(file)
    try:
        yield planning
    except BaseException:
        planning.close()
        raise


def _joined(spans: pl.DataFrame) -> pl.DataFrame:
    return spans.group_by(SERIES).agg(pl.col("lo").min(), pl.col("hi").max())


def _rows(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    old = [pl.lit(None, ROWS[f"old_{v}"]).alias(f"old_{v}") for v in bars.VALUES]
    return frame.with_columns(kind=pl.lit(kind)).with_columns(old).select(list(ROWS))


def _with_old(met: Met) -> pl.DataFrame:
    both = met.joined.filter(met.changed).rename({f"{v}_old": f"old_{v}" for v in bars.VALUES})
    return both.with_columns(kind=pl.lit("update")).select(list(ROWS)).cast(pl.Schema(ROWS))
