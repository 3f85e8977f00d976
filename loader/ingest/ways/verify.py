"""A file beside the store: which of its bars are stored, missing or different, and which stored
bars of its time it does not have. Nothing is written.

The file's bars are set aside by stretches of time of each series, so that memory stays flat; each
stretch is compared with what is stored there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from typing import Final

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.check.file import check_settings
from loader.check.guard.jumps import SIGN
from loader.check.spellings import refuse_collisions
from loader.check.unique import MayRepeat
from loader.db.arrow import Connection, connect
from loader.dialects.siblings import Siblings
from loader.ingest.pieces import unique_pieces
from loader.ingest.run import LoadMode, LoadRun
from loader.lazy import dataclass
from loader.read.formats import read
from loader.read.sources import Source
from loader.read.spool import Partitions, Spool
from loader.results import Note
from loader.settings import Settings
from loader.store.packed import unpacked, wanted_json
from loader.store.versions.diff import CHANGED, MEASURED, measured

#: What can be said of a bar: it is in both and equal, not stored, stored with other values, or
#: stored within the file's time of its series and not in the file.
KINDS: Final = ("equal", "missing", "different", "extra")
#: Bars of a series that a stretch has room for.
_ROOM: Final = 200_000
_PARTS: Final = 256
_SECONDS: Final = pl.col("interval").replace_strict(
    bars.INTERVAL_SECONDS, default=1, return_dtype=pl.Int64
)
_STRETCH: Final = pl.col("ts").dt.epoch("s") // (_SECONDS * _ROOM)


@dataclass(frozen=True, slots=True)
class Verified:
    """One file beside the store.

    Attributes:
        series: by provider, symbol and interval, how many bars of each of `KINDS` there are, and
            the `first` and `last` ts of the file's.
        rejected, skipped, duplicate: rows of the file that are no bars to compare.
        rejects: rejected rows by rule.
        read: rows in all.
    """

    path: str
    series: pl.DataFrame
    read: int = 0
    rejected: int = 0
    skipped: int = 0
    duplicate: int = 0
    rejects: Mapping[str, int] | None = None
    notes: tuple[Note, ...] = ()

    @property
    def differing(self) -> int:
        return int(self.series.select(pl.sum_horizontal(pl.sum(*KINDS[1:]))).item() or 0)


def verify(
    url: str, source: Source, settings: Settings, siblings: Siblings, rows: Spool
) -> Verified:
    """Compares a file with the store, and appends the bars that differ to `rows`, of `MEASURED`:
    `kind` is `missing`, `different` or `extra`, the old values are the stored ones, the new ones
    the file's.

    Raises:
        MdloadError: the file cannot be read as bars, or the server failed.
    """
    check_settings(settings)
    for partitioned in (False, True):
        with suppress(MayRepeat):
            return _verify(url, source, settings, siblings, rows, partitioned=partitioned)
    raise AssertionError("unreachable")


def _verify(
    url: str,
    source: Source,
    settings: Settings,
    siblings: Siblings,
    rows: Spool,
    *,
    partitioned: bool,
) -> Verified:
    counts: Counter[str] = Counter()
    rejects: Counter[str] = Counter()
    spans: list[pl.DataFrame] = []
    # Whether the file may be loaded was decided when it was.
    accept = (*settings.accept, SIGN)
    run = LoadRun(replace(settings, accept=accept), url, None, "", lambda event: None)
    run.siblings = siblings
    with ExitStack() as stack:
        stack.callback(run.close)
        reading = stack.enter_context(read(source, settings.piece_rows))
        aside = stack.enter_context(Partitions(dict(bars.SCHEMA)))
        checking = run.checking(reading, source)
        pieces = unique_pieces(run, source, LoadMode(partition=partitioned), reading, checking)
        for piece in stack.enter_context(closing(pieces)):
            if piece.spellings is not None:
                refuse_collisions(piece.spellings)
            bad = piece.bad.height if piece.bad is not None else 0
            counts.update(read=piece.read, skipped=piece.skipped, rejected=bad,
                          duplicate=piece.duplicate)  # fmt: skip
            rejects.update(piece.rejected)
            if piece.series.height:
                spans = [_joined([*spans, piece.series.select(*SERIES, "lo", "hi")])]
            for key, part in piece.bars.select(bars.COLUMNS).group_by(_part()):
                aside.append(key, part)
        spanned = spans[0] if spans else pl.DataFrame(schema=_SPANS)
        connection = stack.enter_context(connect(url, autocommit=True))
        series = _compared(connection, aside, spanned, rows)
        notes = (*checking.notes, *checking.late_notes)
    return Verified(source.name, series, rejects=rejects, notes=notes, **counts)


_SPANS: Final = {**{s: pl.String() for s in SERIES}, "lo": bars.TS, "hi": bars.TS}


def _part() -> pl.Expr:
    return (pl.struct(*SERIES, _STRETCH).hash(seed=0) % _PARTS).cast(pl.Int64).alias("part")


def _joined(spans: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(spans).group_by(SERIES).agg(pl.col("lo").min(), pl.col("hi").max())


def _compared(
    connection: Connection, aside: Partitions, spans: pl.DataFrame, rows: Spool
) -> pl.DataFrame:
    stretches = _stretches(spans)
    found: list[pl.DataFrame] = []
    seen: list[pl.DataFrame] = []
    for frame in aside.frames(1):
        own = frame.with_columns(stretch=_STRETCH)
        keys = own.select(*SERIES, "stretch").unique()
        seen.append(keys)
        here = stretches.join(keys, on=[*SERIES, "stretch"], how="semi")
        found.append(_beside(connection, own.drop("stretch"), here, rows))
    known = pl.concat(seen) if seen else stretches.select(*SERIES, "stretch").clear()
    rest = stretches.join(known, on=[*SERIES, "stretch"], how="anti")
    empty = pl.DataFrame(schema=bars.SCHEMA)
    for at in range(0, rest.height, 8):  # time of which the file has no bar
        found.append(_beside(connection, empty, rest[at : at + 8], rows))
    kinds = [pl.col(kind).sum() for kind in KINDS]
    none = pl.DataFrame(
        schema={**{s: pl.String() for s in SERIES}, **dict.fromkeys(KINDS, pl.Int64)}
    )
    counted = pl.concat([none, *found]).group_by(SERIES).agg(kinds)
    named = spans.rename({"lo": "first", "hi": "last"})
    return named.join(counted, on=SERIES, how="left").with_columns(
        pl.col(KINDS).fill_null(0)
    ).sort(SERIES)  # fmt: skip


def _stretches(spans: pl.DataFrame) -> pl.DataFrame:
    """The stretches of each series, from the first to the last bar of the file: `lo` and `hi`."""
    width = _SECONDS * _ROOM
    numbered = spans.with_columns(
        stretch=pl.int_ranges(
            pl.col("lo").dt.epoch("s") // width, pl.col("hi").dt.epoch("s") // width + 1
        )
    ).explode("stretch")
    begin = (pl.col("stretch") * width * 1_000_000).cast(bars.TS)
    end = ((pl.col("stretch") + 1) * width * 1_000_000 - 1).cast(bars.TS)
    return numbered.with_columns(lo=pl.max_horizontal("lo", begin), hi=pl.min_horizontal("hi", end))


def _beside(
    connection: Connection, own: pl.DataFrame, stretches: pl.DataFrame, rows: Spool
) -> pl.DataFrame:
    """Counts by series of the bars in these stretches; those that differ go to `rows`."""
    wanted = stretches.select(*SERIES, "lo", "hi").with_row_index("sid").cast({"sid": pl.Int32})
    stored = _stored(connection, wanted)
    left = stored.rename({v: f"old_{v}" for v in bars.VALUES}).with_columns(there=pl.lit(True))
    right = own.rename({v: f"new_{v}" for v in bars.VALUES}).with_columns(own=pl.lit(True))
    both = left.join(right, on=list(bars.KEY), how="full", coalesce=True)
    differs = pl.any_horizontal(
        pl.col(f"old_{v}").ne_missing(pl.col(f"new_{v}")) for v in bars.VALUES
    )
    kind = (
        pl.when(pl.col("there").is_null())
        .then(pl.lit("missing"))
        .when(pl.col("own").is_null())
        .then(pl.lit("extra"))
        .when(differs)
        .then(pl.lit("different"))
        .otherwise(pl.lit("equal"))
    )
    told = both.with_columns(kind=kind)
    odd = told.filter(pl.col("kind") != "equal").sort(bars.KEY)
    if odd.height:
        rows.append(measured(odd, "kind", CHANGED | {"different"}).select(list(MEASURED)))
    counts = [(pl.col("kind") == each).sum().cast(pl.Int64).alias(each) for each in KINDS]
    return told.group_by(SERIES).agg(counts)


def _stored(connection: Connection, wanted: pl.DataFrame) -> pl.DataFrame:
    none = pl.DataFrame(schema=bars.SCHEMA)
    if wanted.is_empty():
        return none
    connection.run("wanted_set", wanted_json(wanted))
    ends = wanted.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
    names = wanted.select("sid", *SERIES)
    return pl.concat([none, *_frames(connection, names, ends)])


def _frames(
    connection: Connection, names: pl.DataFrame, ends: tuple[object, ...]
) -> Iterator[pl.DataFrame]:
    for batch in connection.batches("stored_bars", *ends):  # type: ignore[arg-type]
        if batch.num_rows:
            frame = unpacked(batch).join(names, on="sid", maintain_order="left")
            yield frame.select(bars.COLUMNS).cast(pl.Schema(bars.SCHEMA))
