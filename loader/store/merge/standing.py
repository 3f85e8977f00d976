"""How the series of several files stand beside the stored bars, before any of them is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from itertools import islice
from typing import Any, Final

import polars as pl

from loader import bars
from loader.db.arrow import Connection
from loader.lazy import dataclass
from loader.store.compare import Met, beside, meets
from loader.store.packed import few, near, repeated, unpacked, wanted_json

_COUNTS: Final = ("changed", "between")
_SYMBOL: Final = bars.SERIES.index("symbol")
#: What is known of a series beside the stored ones.
_BESIDE: Final = ("sid", "lo", "hi", "rows", "stored_lo", "stored_hi", "meets")
_UNTOUCHED: Final = pl.DataFrame(schema={
    **{name: pl.String() for name in bars.SERIES},
    **{name: pl.Int64() for name in (*_COUNTS, "gone")},
})  # fmt: skip


class Bar(IntEnum):
    """What a bar of a file is beside the stored ones."""

    SAME = 0
    NEW = 1
    CHANGED = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """How a series of a file stands beside the stored bars. The file has all bars of the series
    that are stored from its first to its last one.

    Attributes:
        rows: how many bars it has.
        new: how many of them are not stored.
        between: how many of the new ones come between stored ones.
        changed: how many are stored with other values.
    """

    rows: int
    new: int
    between: int = 0
    changed: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether all of it is new, or all of it is stored as it is."""
        return not self.changed and self.new in {0, self.rows}


@dataclass(frozen=True, slots=True)
class _Written:
    """A series that a file before has new or changed bars of, from `lo` to `hi`."""

    key: tuple[str, ...]
    lo: datetime
    hi: datetime
    changed: bool


def standings(
    session: Connection, files: Sequence[pl.DataFrame], found: pl.DataFrame
) -> tuple[list[list[Standing | None]], pl.Series]:
    """How each series of the `files` (`bars.SERIES`, lo, hi, rows) stands beside the stored ones,
    also if those before it are written first; None if it needs a longer look. And the `Bar` that
    each of the bars is (Int8). `found` has the bars, in the order of the series.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    series = pl.concat(files)
    wanted = series.with_row_index("sid").cast({"sid": pl.Int32})
    spans = session.frame("stored_spans", wanted.select("sid", *bars.SERIES).write_json())
    spans = spans.cast({"sid": pl.Int32, "stored_lo": bars.TS, "stored_hi": bars.TS})
    sided = wanted.join(spans, on="sid", how="left", maintain_order="left")
    sided = sided.with_columns(meets=meets().fill_null(False))
    asked = sided.filter(pl.col("meets") & near() & few())
    met: dict[int, Standing] = {}
    verdicts = pl.repeat(Bar.NEW, found.height, dtype=pl.Int8, eager=True)
    if asked.height:
        met, verdicts = _met(session, asked, found, series["rows"])
    keys, others = sided.select(bars.SERIES).rows(), sided.select(_BESIDE).rows()
    each_one = zip(keys, others, strict=True)
    written: dict[str, list[_Written]] = {}
    answers = [_beside_others(list(islice(each_one, file.height)), met, written) for file in files]
    return answers, verdicts


def _beside_others(
    series: Sequence[tuple[tuple[str, ...], tuple[Any, ...]]],
    met: Mapping[int, Standing],
    written: dict[str, list[_Written]],
) -> list[Standing | None]:
    """How the series of one file stand, each its `bars.SERIES` and `_BESIDE`, of which `met` are
    those among stored bars. Adds them to what is `written`, by symbol."""
    answers: list[Standing | None] = []
    added: list[_Written] = []
    is_mixed = [len(set(names)) > 1 for names in zip(*(key for key, _ in series), strict=True)]
    span = min(lo for _, (_, lo, *_) in series), max(hi for _, (_, _, hi, *_) in series)
    for key, (sid, lo, hi, rows, stored_lo, stored_hi, is_met) in series:
        others = written.setdefault(key[_SYMBOL], [])
        before = [each for each in others if each.key == key]
        own = met.get(sid) if is_met else Standing(rows, rows)
        ends = [(each.lo, each.hi) for each in before]
        if stored_lo is not None:
            ends.append((stored_lo, stored_hi))
        is_inside = any(first < lo for first, _ in ends) and any(last > hi for _, last in ends)
        if own is not None and own.new == rows and is_inside:
            own = Standing(rows, rows, between=rows)
        if own is not None and (
            any(_is_of(each, key, span, is_mixed) for each in others)
            or (before and not own.is_plain)
            # Its neighbours will not be as they are stored.
            or (own.between and any(each.changed for each in before))
        ):
            own = None
        answers.append(own)
        if own is not None and (own.new or own.changed):
            added.append(_Written(key, lo, hi, own.changed > 0))
    for each in added:
        written[each.key[_SYMBOL]].append(each)
    return answers


def _is_of(
    other: _Written,
    key: tuple[str, ...],
    span: tuple[datetime, datetime],
    is_mixed: Sequence[bool],
) -> bool:
    """Whether the ledger would count what was written among the bars of a file from the first of
    the `span` to the last, which has the series `key` of the same symbol, and several providers or
    intervals where that `is_mixed`."""
    lo, hi = span
    of_names = (
        mixed or own == its for own, its, mixed in zip(key, other.key, is_mixed, strict=True)
    )
    return lo <= other.hi and hi >= other.lo and all(of_names)


def written(
    found: pl.DataFrame, verdicts: pl.Series, own: Sequence[Standing]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of the bars of a file, which series stand as their `own` ones, the new and the changed."""
    new, changed = (sum(getattr(each, name) for each in own) for name in ("new", "changed"))
    if not changed and new in {0, found.height}:
        return found[:new], found[:0]
    return found.filter(verdicts == Bar.NEW), found.filter(verdicts == Bar.CHANGED)


def touched(series: pl.DataFrame, own: Sequence[Standing]) -> pl.DataFrame:
    """Those of the series (`bars.SERIES`) that change stored bars or have some between them, with
    how many (changed, between; gone, which is 0). `own` has how each one stands."""
    if not any(each.changed or each.between for each in own):
        return _UNTOUCHED
    counts = [pl.Series(name, [getattr(e, name) for e in own], pl.Int64()) for name in _COUNTS]
    gone = pl.lit(0, pl.Int64).alias("gone")
    return series.select(*bars.SERIES, *counts, gone).filter(pl.sum_horizontal(_COUNTS) > 0)


_ROW: Final = ("ts", *bars.VALUES)


def _met(
    session: Connection, asked: pl.DataFrame, found: pl.DataFrame, rows: pl.Series
) -> tuple[dict[int, Standing], pl.Series]:
    """How each series meets the stored bars of its span, by sid; left out are those that lack one.
    And what each bar is."""
    session.run("wanted_set", wanted_json(asked.select("sid", *bars.SERIES, "lo", "hi")))
    ends = asked.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
    stored = [unpacked(batch) for batch in session.batches("stored_bars", *ends)]
    every = {sid: Standing(height, height) for sid, height in asked.select("sid", "rows").rows()}
    if not stored:
        return every, pl.repeat(Bar.NEW, found.height, dtype=pl.Int8, eager=True)
    sid = repeated(range(len(rows)), rows).alias("sid")
    met = beside(found.select(_ROW).with_columns(sid), pl.concat(stored))
    is_same = bool(met.found.all()) and not met.changed.any()
    if is_same:
        every = {number: Standing(own.rows, 0) for number, own in every.items()}
    else:
        every |= _counted(asked, met)
    lacking = dict(met.stored.value_counts(name="len").rows())
    for number, own in list(every.items()):
        if lacking.get(number, 0) != own.rows - own.new:
            del every[number]
    if is_same:
        return every, pl.repeat(Bar.SAME, found.height, dtype=pl.Int8, eager=True)
    verdict = pl.when(~pl.col("found")).then(Bar.NEW).when("changed").then(Bar.CHANGED)
    marks = pl.DataFrame({"found": met.found, "changed": met.changed})
    return every, marks.select(verdict.otherwise(Bar.SAME).cast(pl.Int8)).to_series()


def _counted(asked: pl.DataFrame, met: Met) -> dict[int, Standing]:
    """Of the series that have stored bars, by sid, what theirs are."""
    marks = met.joined.select("sid", "ts", met.found.alias("found"), met.changed.alias("changed"))
    known = marks.filter("found")["sid"].unique()
    marks = marks.filter(pl.col("sid").is_in(known.implode()))
    marks = marks.join(asked.select("sid", "stored_lo", "stored_hi"), on="sid")
    inside = pl.col("ts").is_between("stored_lo", "stored_hi") & ~pl.col("found")
    counted = marks.group_by("sid").agg(
        rows=pl.len(), new=(~pl.col("found")).sum(), between=inside.sum(),
        changed=pl.col("changed").sum(),
    )  # fmt: skip
    return {sid: Standing(*counts) for sid, *counts in counted.iter_rows()}
