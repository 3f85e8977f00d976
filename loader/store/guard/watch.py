"""Counts what the pieces of one file do to stored bars, and keeps the bars that show it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Lock
from typing import Final

import polars as pl

from loader import bars
from loader.bars import SERIES, TS
from loader.check.unique import UniqueBatch
from loader.db.arrow import Connection
from loader.lazy import dataclass
from loader.read.spool import Spool
from loader.store.compare import Diff, Met
from loader.store.guard.spans import Spans
from loader.store.packed import wanted_json

_VALUES: Final = (*bars.PRICES, "volume")
#: Bars that change, or are new between stored ones (`old_…` null then), of series of a piece in
#: which these are neighbours, or most: the evidence.
EVIDENCE: Final = {
    **{name: bars.SCHEMA[name] for name in (*bars.KEY, *_VALUES)},
    **{f"old_{name}": bars.SCHEMA[name] for name in _VALUES},
}
#: The counts of a series: its `bars` in the file, how many of them are `new` (in this part) or were
#: `found` in the store, and of those that are evidence how many follow another one in the file at
#: once (`adjacent`).
_COUNTS: Final = ("bars", "new", "found", "changed", "between", "adjacent", "gone")
_SERIES: Final = pl.Schema({
    **{name: pl.String() for name in SERIES}, "lo": TS, "hi": TS,
    **{name: pl.Int64() for name in _COUNTS}, "whole": pl.Boolean(),
})  # fmt: skip
_KEY: Final = {name: bars.SCHEMA[name] for name in bars.KEY}
_TOGETHER: Final = 64
#: So many bars that are gone are counted for each bar of a file that has few of its span: a patch
#: of a hundred bars does not read the years between them.
_GONE: Final = 8


_NOTHING: Final = pl.lit(0, pl.Int64)


@dataclass(frozen=True, slots=True)
class _Noted:
    """A piece as it was seen; most are never looked at again.

    Attributes:
        own: the piece's series with lo, hi and rows; or counts that were added up.
        series: those of the `Diff`.
        counts: by sid of these; None if there are none.
        is_new: whether none of the piece can be stored.
    """

    own: pl.DataFrame
    series: pl.DataFrame | None = None
    counts: pl.DataFrame | None = None
    is_new: bool = False

    def counted(self) -> pl.DataFrame:
        """In `_SERIES`."""
        if "bars" in self.own.columns:
            return self.own
        found = self.own.select(*SERIES, "lo", "hi", bars="rows")
        whole = pl.lit(value=True) if self.series is None else self.series["whole"]
        found = found.with_columns(whole=whole)
        if self.series is not None and self.counts is not None:
            found = found.with_columns(sid=self.series["sid"]).join(
                self.counts, on="sid", how="left", maintain_order="left"
            )
        elif self.is_new:
            found = found.with_columns(new="bars")
        missing = [name for name in _COUNTS if name not in found.columns]
        found = found.with_columns(_NOTHING.alias(name) for name in missing)
        found = found.with_columns(pl.col(_COUNTS).fill_null(0))
        if self.series is not None:
            found = found.with_columns(found=pl.col("bars") - pl.col("new"))
        return found.select(_SERIES.names()).cast(_SERIES)


class Watch:
    """Sees each piece of a file beside the stored bars. Memory grows with the series, not the bars.

    Args:
        session: opens a session that sees what is committed.
        scattered: whether a series comes in pieces that do not follow each other in time.
        keeps_keys: whether `keys` is wanted.

    Attributes:
        evidence: frames of `EVIDENCE` since `next_part`.
        keys: the keys of the file's bars, those of rejected rows included.
    """

    def __init__(
        self,
        session: Callable[[], AbstractContextManager[Connection]],
        *,
        scattered: bool,
        keeps_keys: bool = False,
    ) -> None:
        self._session = session
        self._scattered = scattered
        self._keeps_keys = keeps_keys
        self._noted: list[_Noted] = []
        self._has_seen = False
        self._spans = Spans(session)
        self._adding = Lock()  # pieces that are not compared are noted by the reading thread
        self.evidence = Spool(EVIDENCE)
        self.keys = Spool(_KEY)

    def close(self) -> None:
        self.evidence.close()
        self.keys.close()
        self._spans.close()

    @property
    def has_seen(self) -> bool:
        """Whether a bar changes or comes between others, or one is gone, or may be."""
        return self._has_seen

    def next_part(self) -> None:
        """Forgets the evidence of the part before, and how many of its bars were new: these are
        stored now."""
        self.evidence.close()
        self.evidence = Spool(EVIDENCE)
        with self._adding:
            self._noted = [_Noted(_together(self._noted).with_columns(new=_NOTHING))]

    def passed(self, unique: UniqueBatch) -> None:
        """Notes a piece that is not compared, because an earlier run loaded it."""
        self._add(_Noted(unique.series), unique)

    def see(self, diff: Diff) -> None:
        """Counts a piece. One of new series alone counts too: their bars are stored, and not gone,
        once a part with them is committed."""
        counts = self._counts(diff, diff.met) if diff.met is not None else None
        if diff.series is not None and not self._has_seen:
            self._has_seen = not diff.series["whole"].all()
        self._add(_Noted(diff.unique.series, diff.series, counts, diff.met is None), diff.unique)

    def series(self) -> pl.DataFrame:
        """Of each series that was stored before, its counts so far (`_SERIES`)."""
        with self._adding:
            found = _together(self._noted)
            self._noted = [_Noted(found)]
            return found

    def count_gone(self, *, all_of_them: bool) -> None:
        """Counts the stored bars that are absent from the file, of series that were not read whole.
        The file has been seen to its end, and what its last part adds is not committed.

        Unless `all_of_them` are wanted, at most `_GONE` for each bar of the file are counted of a
        series; one that may have more stays without `whole`.
        """
        series = self.series()
        asked = series.filter(~pl.col("whole")).with_row_index("sid").cast({"sid": pl.Int32})
        if asked.is_empty():
            return
        known, most = pl.col("bars") - pl.col("new"), _GONE * pl.col("bars")
        limit = pl.lit(None, pl.Int64) if all_of_them else known + most
        asked = asked.with_columns(most=limit)
        with self._session() as reader:
            reader.run("wanted_set", wanted_json(asked.select("sid", *SERIES, "lo", "hi", "most")))
            ends = asked.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
            found = list(reader.frames("stored_within", *ends))
        stored = (
            pl.concat(found)
            if found
            else pl.DataFrame(schema={"sid": pl.Int32(), "bars": pl.Int64()})
        )
        counted = asked.join(stored.rename({"bars": "stored"}), on="sid", how="left").with_columns(
            gone=pl.max_horizontal(pl.lit(0), pl.col("stored").fill_null(0) - known),
            whole=(pl.col("stored") < pl.col("most")).fill_null(True),
        )
        every = [series.filter("whole"), counted.select(_SERIES.names()).cast(_SERIES)]
        with self._adding:
            self._noted = [_Noted(pl.concat(every))]

    def _add(self, noted: _Noted, unique: UniqueBatch) -> None:
        with self._adding:
            self._noted.append(noted)
            if len(self._noted) > _TOGETHER:
                self._noted = [_Noted(_together(self._noted))]
            if self._keeps_keys:
                self.keys.append(unique.bars.select(bars.KEY))
                if unique.bad is not None:  # the file has a row for this bar, if a wrong one
                    self.keys.append(unique.bad.select(bars.KEY).drop_nulls())

    def _counts(self, diff: Diff, met: Met) -> pl.DataFrame | None:
        """Counts by sid; None if nothing changes, is new or is gone."""
        assert diff.series is not None
        sid = met.joined["sid"]
        changed = met.changed.arg_true() if diff.changed.height else _NONE
        new = (~met.found).arg_true() if diff.new.height else _NONE
        counts = _lengths(sid.gather(new), "new")
        between = new.filter(self._are_between(diff, met, new)) if new.len() else _NONE
        hits = pl.concat([changed, between]).sort()
        if hits.len():
            self._has_seen = True
            own = sid.gather(hits)
            is_new = ~met.found.gather(hits)
            follows = (hits.diff() == 1) & (own == own.shift())
            hit = pl.DataFrame({"sid": own, "is_new": is_new, "follows": follows.fill_null(False)})
            told = hit.group_by("sid").agg(
                changed=(~pl.col("is_new")).sum().cast(pl.Int64),
                between=pl.col("is_new").sum().cast(pl.Int64),
                adjacent=pl.col("follows").sum().cast(pl.Int64),
            )
            counts = counts.join(told, on="sid", how="full", coalesce=True)
            dense = told.join(diff.series.select("sid", "rows"), on="sid").filter(_is_dense())
            if dense.height:
                chosen = own.is_in(dense["sid"].implode())
                self._keep(met.joined, hits.filter(chosen))
        others = sum(int(frame["len"].sum()) for frame in met.others)
        if not self._scattered and met.stored.len() + others != met.found.len() - new.len():
            gone = self._gone(diff.series, met)
            self._has_seen |= gone.height > 0
            counts = counts.join(gone, on="sid", how="full", coalesce=True)
        return counts if counts.height else None

    def _are_between(self, diff: Diff, met: Met, new: pl.Series) -> pl.Series:
        assert diff.series is not None
        added = met.joined.select("sid", "ts")[new]
        spans = self._spans.of(diff.series, added, met)
        beside = added.join(spans, on="sid", how="left", maintain_order="left")
        inside = (pl.col("ts") > pl.col("stored_lo")) & (pl.col("ts") < pl.col("stored_hi"))
        return beside.select(inside.fill_null(False)).to_series()

    def _gone(self, series: pl.DataFrame, met: Met) -> pl.DataFrame:
        """Bars that were read and are not in the piece, by sid, of series that were read whole."""
        read = [met.stored.value_counts().rename({"count": "len"})]
        stored = pl.concat([frame.select("sid", pl.col("len").cast(pl.Int64))
                            for frame in (*read, *met.others)])  # fmt: skip
        stored = stored.group_by("sid").agg(pl.col("len").sum())
        found = _lengths(met.joined["sid"].filter(met.found), "found")
        gone = pl.col("len") - pl.col("found").fill_null(0)
        return (
            stored.join(series.filter("whole").select("sid"), on="sid", how="semi")
            .join(found, on="sid", how="left")
            .select("sid", gone=gone)
            .filter(pl.col("gone") > 0)
        )

    def _keep(self, joined: pl.DataFrame, hits: pl.Series) -> None:
        old = {f"old_{name}": pl.col(f"{name}_old") for name in _VALUES}
        self.evidence.append(joined.select(*bars.KEY, *_VALUES, **old)[hits])


def _is_dense() -> pl.Expr:
    """Whether half of the bars that change follow each other, or are half of the piece."""
    hits = pl.col("changed") + pl.col("between")
    return (2 * pl.col("adjacent") >= hits) | (2 * hits >= pl.col("rows"))


_NONE: Final = pl.Series([], dtype=pl.UInt32())


def _lengths(sids: pl.Series, name: str) -> pl.DataFrame:
    counted = sids.rename("sid").value_counts(name=name)
    return counted.cast({name: pl.Int64()})


def _together(noted: list[_Noted]) -> pl.DataFrame:
    if not noted:
        return pl.DataFrame(schema=_SERIES)
    return (
        pl.concat([each.counted() for each in noted])
        .group_by(SERIES)
        .agg(
            pl.col("lo").min(),
            pl.col("hi").max(),
            *(pl.col(name).sum() for name in _COUNTS),
            pl.col("whole").all(),
        )
        .select(_SERIES.names())
    )
