"""One row per key and file: the one that the dialect prefers, else the last one in the file. All
others are counted as duplicates.

Within a batch that is a frame operation. Across batches, a key cannot repeat if each series only
moves forward or only backward in time (files sorted by symbol, by time, or newest first). One span
per series proves that, in memory that does not grow with the file. Any other file is first split
by key into partitions on local disk, each small enough to be held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import field, replace
from itertools import pairwise

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.bars.words import changes
from loader.check.instruments.apart import EXAMINED
from loader.check.instruments.restarts import Restarts, SeriesSeen
from loader.check.validate import CheckedBatch
from loader.lazy import dataclass
from loader.read.spool import Partitions

BARS_AND_ROW = {**bars.SCHEMA, "row_number": pl.Int64()}
_MET = {name: BARS_AND_ROW[name] for name in (*bars.KEY, "row_number")}
#: Conflicting keys that a message names; all are counted.
LISTED = 20
#: About 100 MB in memory while one partition is made unique; flat up to a hundred million rows.
_PARTITION_ROWS = 250_000
_FEWEST, _MOST = 8, 512
#: Parts into which a week is split.
_LANES = 16
#: Up to so many, as in a feed's batch, Python is quicker than to start a query.
_FEW_SERIES = 200


class MayRepeat(Exception):
    """A key of this batch may have been in an earlier one; the file must be partitioned."""


@dataclass(frozen=True, slots=True)
class UniqueBatch:
    """Bars of one piece of a file, one row per key, and what was found on the way.

    `met` are the first rows (`bars.KEY`, `row_number`) of keys that have several, which differ.
    `bars` has `BARS_AND_ROW` and is sorted by key; `series` has, in that order, provider, symbol,
    interval, lo and hi (first and last ts), and how many `rows` of `bars` are its own.
    `read` counts raw rows; `bad`, `rejected`, `spellings`, `rounded`, `outside` and `unread` are
    those of validation;
    `last_row` is how far this piece and all before it reach: the last raw row of the source, or,
    where pieces come out of partitions, their number; `seen` is then how many rows of the source
    were read to come there.
    """

    bars: pl.DataFrame
    series: pl.DataFrame
    read: int = 0
    skipped: int = 0
    last_row: int = 0
    seen: int = 0
    bad: pl.DataFrame | None = None
    rejected: Mapping[str, int] = field(default_factory=dict)
    spellings: pl.DataFrame | None = None
    duplicate: int = 0
    conflicting: int = 0
    conflicts: tuple[str, ...] = ()
    met: pl.DataFrame | None = None
    rounded: int = 0
    outside: int = 0
    unread: int = 0


def in_order(pieces: Iterable[CheckedBatch]) -> Generator[UniqueBatch, None, None]:
    """Each piece made unique, as long as no key can repeat across pieces.

    Raises:
        MayRepeat: a series goes back into a stretch of time that was read before.
        ColumnMismatch: series begin again with other prices, as the last piece shows.
    """
    found, restarts = SeriesSeen(), None
    seen: pl.DataFrame | None = None
    for piece in pieces:
        unique = made_unique(piece)
        if seen is None:  # most files have one piece, which needs no query
            seen = unique.series
        else:
            seen = _spans(seen)
            if _overlap(seen, unique.series):
                raise MayRepeat
            seen = pl.concat([seen, unique.series.select(seen.columns)])
        _see(found, unique, piece.good)
        restarts = piece.restarts
        del piece
        yield unique
        del unique
    found.refuse(restarts)


def partitioned(
    pieces: Iterable[CheckedBatch],
    rows: int,
    piece_rows: int,
    examine: Callable[[pl.DataFrame], None],
    *,
    by_time: bool = False,
    at_once: bool = False,
) -> Generator[UniqueBatch, None, None]:
    """The same for files in any order: the whole file is read first and comes back by partition, in
    pieces of `piece_rows`. The expected number of `rows` decides how many partitions there are;
    with `by_time` a partition is a week. `examine` gets the `met` of all partitions at the end;
    with `at_once` also those of the first partition that has some, before it is given out.

    Raises:
        ColumnMismatch: series begin again with other prices, or what `examine` raises.
    """
    count = min(max(rows // _PARTITION_ROWS, _FEWEST), _MOST)
    key = [_week(), _lane(_LANES)] if by_time else [_partition(count)]
    none = pl.DataFrame(schema=BARS_AND_ROW)
    prefers: tuple[pl.Expr, ...] = ()
    restarts: Restarts | None = None
    with Partitions(BARS_AND_ROW) as partitions:
        number = seen = 0
        for number, piece in enumerate(pieces, 1):
            prefers, restarts = piece.prefers, piece.restarts
            for partition, rows_of_it in piece.good.group_by(key):
                partitions.append(partition, rows_of_it)
            # Good rows are counted as read when they come back.
            set_aside = made_unique(replace(piece, good=none))
            seen += piece.good.height + set_aside.read
            yield replace(set_aside, last_row=number, seen=seen)
        met = pl.DataFrame(schema=_MET)
        found = SeriesSeen()
        for frame in partitions.frames(piece_rows):
            unique = _unique(frame, prefers)
            if unique.met is not None:
                if at_once and met.is_empty():
                    examine(unique.met)
                met = pl.concat([met, unique.met]).head(EXAMINED)
            _see(found, unique, frame)
            if at_once:
                found.refuse(restarts)
            for part in _in_pieces(replace(unique, met=None), piece_rows):
                number += 1
                yield replace(part, last_row=number, seen=seen)
        if met.height:
            examine(met)
        found.refuse(restarts)


def _see(found: SeriesSeen, unique: UniqueBatch, rows: pl.DataFrame) -> None:
    if unique.conflicting:
        found.add_restated(rows)
    else:
        found.add(unique.series)


def _in_pieces(unique: UniqueBatch, piece_rows: int) -> Generator[UniqueBatch, None, None]:
    """Duplicates are counted with the first one."""
    for at in range(0, unique.bars.height, piece_rows):
        frame = unique.bars[at : at + piece_rows]
        part = UniqueBatch(frame, _series(frame, _opens(frame)), read=frame.height)
        yield (
            part
            if at
            else replace(
                unique, bars=frame, series=part.series, read=frame.height + unique.duplicate
            )
        )


def _partition(count: int) -> pl.Expr:
    """Puts rows of one series that are close in time into one partition, so that stored bars are
    read in stretches. A key always has the same partition."""
    return (pl.struct(*SERIES, pl.col("ts").dt.truncate("30d")).hash(seed=0) % count).alias("part")


def _week() -> pl.Expr:
    """As chunks are counted: of seven days since 1970-01-01."""
    return (pl.col("ts").dt.epoch("d") // 7).cast(pl.Int64).alias("week")


def _lane(count: int) -> pl.Expr:
    return (pl.struct(*SERIES).hash(seed=0) % count).cast(pl.Int64).alias("lane")


def _unique(good: pl.DataFrame, prefers: tuple[pl.Expr, ...] = ()) -> UniqueBatch:
    opens = _opens(good)
    series = _series(good, opens)
    if _in_order(good["ts"], opens, series):  # as files mostly are; to sort takes four times longer
        return UniqueBatch(bars=good, series=series)
    frame = good.sort(*bars.KEY, *prefers, maintain_order=True)
    opens = _opens(frame)
    repeats = (~opens & (frame["ts"] == frame["ts"].shift())).shift(-1, fill_value=False)
    duplicate = int(repeats.sum())
    if not duplicate:
        return UniqueBatch(bars=frame, series=_series(frame, opens))
    kept, lost = frame.filter(~repeats), frame.filter(repeats)
    found = UniqueBatch(bars=kept, series=_series(kept, _opens(kept)))
    differing = lost.join(kept, on=list(bars.KEY), suffix="_kept").filter(
        pl.any_horizontal(pl.col(v).ne_missing(pl.col(f"{v}_kept")) for v in bars.VALUES)
    )
    listed = differing.head(LISTED).select(
        pl.format("{} {} {} (row {}, row {} kept)", "symbol", "interval",
                  pl.col("ts").dt.to_string("%Y-%m-%d %H:%M:%SZ"), "row_number", "row_number_kept")
    )  # fmt: skip
    return replace(
        found,
        duplicate=duplicate,
        conflicting=differing.height,
        conflicts=tuple(listed.to_series()),
        met=_met(frame, differing) if differing.height else None,
    )


def _met(frame: pl.DataFrame, differing: pl.DataFrame) -> pl.DataFrame:
    keys = differing.select(bars.KEY).unique(maintain_order=True).head(EXAMINED // 2)
    return frame.join(keys, on=list(bars.KEY), how="semi").select(list(_MET)).head(EXAMINED)


def _in_order(ts: pl.Series, opens: pl.Series, series: pl.DataFrame) -> bool:
    """Whether each row's key is greater than the one before it: of each series the times rise, and
    the series themselves."""
    if not (opens[1:] | (ts[1:] > ts[:-1])).all():
        return False
    if series.height <= _FEW_SERIES:
        keys = series[list(SERIES)].rows()
        return all(before < key for before, key in pairwise(keys))
    return bool(series.select(_RISE).item())


def _rise() -> pl.Expr:
    greater = pl.lit(False)
    for name in reversed(SERIES):
        key, before = pl.col(name), pl.col(name).shift()
        greater = (key > before) | ((key == before) & greater)
    return greater.fill_null(True).all()


#: Whether each series is greater than the one before it.
_RISE = _rise()


def _opens(frame: pl.DataFrame) -> pl.Series:
    """Whether a row is of another series than the one before it."""
    return changes([frame[name] for name in SERIES])


def _series(frame: pl.DataFrame, opens: pl.Series) -> pl.DataFrame:
    return runs(frame[[*SERIES, "ts"]], opens)


def runs(frame: pl.DataFrame, opens: pl.Series) -> pl.DataFrame:
    """Each run of rows that starts where `opens`: its first row, and in place of `ts` its first and
    last one (lo, hi), and how many `rows` it has."""
    first = opens.arg_true().cast(pl.Int64)
    end = pl.concat([first[1:], pl.Series([frame.height] if frame.height else [], dtype=pl.Int64)])
    last = frame["ts"].gather(end - 1).alias("hi")
    found = frame[first].hstack([last, (end - first).alias("rows")])
    found.columns = ["lo" if name == "ts" else name for name in found.columns]
    return found


def _overlap(seen: pl.DataFrame, series: pl.DataFrame) -> bool:
    """Whether a series goes back into the stretch of time that was seen of it."""
    both = series.join(seen, on=SERIES, suffix="_seen")
    again = (pl.col("lo") <= pl.col("hi_seen")) & (pl.col("hi") >= pl.col("lo_seen"))
    return both.filter(again).height > 0


def _spans(series: pl.DataFrame) -> pl.DataFrame:
    return series.group_by(SERIES).agg(pl.col("lo").min(), pl.col("hi").max())


def made_unique(piece: CheckedBatch) -> UniqueBatch:
    """One row per key of one piece: the one that is preferred, else the last one.

    Raises:
        ColumnMismatch: another column of the file tells rows of one key apart.
    """
    unique = _unique(piece.good, piece.prefers)
    if unique.met is not None and piece.others is not None:
        piece.others.refuse(unique.met)
    return replace(
        unique,
        met=None,
        read=piece.good.height + piece.bad.height + piece.skipped,
        skipped=piece.skipped,
        last_row=piece.last_row,
        bad=piece.bad,
        rejected=piece.rejected,
        spellings=piece.spellings,
        rounded=piece.rounded,
        outside=piece.outside,
        unread=piece.unread,
    )
