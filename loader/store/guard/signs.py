"""What the evidence of a watch looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import polars as pl

from loader import bars
from loader.check.guard.differences import Differences, differences
from loader.check.guard.factors import Factors, factors
from loader.check.guard.lost import Lost, lost
from loader.check.guard.shift import Shift
from loader.db.arrow import Connection
from loader.lazy import dataclass
from loader.store.guard.sample import Group, Sample, sample
from loader.store.guard.search import Alike, alike, shifted

Sign = Factors | Differences | Shift | Alike | Lost


@dataclass(frozen=True, slots=True)
class Signs:
    """`seen` are the signs with their groups; `sample` is what they rest on."""

    seen: tuple[tuple[Group, Sign], ...]
    sample: Sample


def signs(
    series: pl.DataFrame,
    evidence: Iterable[pl.DataFrame],
    rows: int,
    session: Callable[[], AbstractContextManager[Connection]],
) -> Signs:
    """At most one sign for each dense group of series: factors or amounts, which need no look at
    the store, else the values of other times, else those of other series; and another one if most
    of its stored bars lose their volumes. Corrections here and there have none of them, and are not
    looked at.

    Args:
        series: as `Watch.series` gives them.
        evidence: frames of `EVIDENCE` that have so many `rows`.
        session: opens a session that sees what is committed.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    chosen = sample(series, evidence, rows)
    dense = {n for n, group in chosen.groups.items() if group.is_dense}
    seen: list[Sign] = []
    changed = pl.col("old_open").is_not_null() & pl.col("group").is_in(list(dense))
    told = chosen.rows.filter(changed)
    losses = [each for each in lost(told) if _is_most(chosen.groups[each.group])]
    seen += factors(told)
    dense = (dense - {sign.group for sign in seen}) & _moved(chosen.rows)
    if dense:
        seen += differences(told.filter(pl.col("group").is_in(list(dense))))
        dense -= {sign.group for sign in seen}
    if dense:
        with session() as reader:
            moved = chosen.rows.filter(pl.col("group").is_in(list(dense)))
            found = shifted(reader, moved.with_columns(file=pl.lit(0)))
            seen += found
            if rest := dense - {shift.group for shift in found}:
                seen += alike(reader, chosen, rest)
    ordered = sorted([*seen, *losses], key=lambda sign: sign.group)
    return Signs(tuple((chosen.groups[sign.group], sign) for sign in ordered), chosen)


def _moved(rows: pl.DataFrame) -> set[int]:
    """The groups in which a price changes or a bar is new: others have no values of elsewhere."""
    moved = pl.any_horizontal(pl.col(p).ne_missing(pl.col(f"old_{p}")) for p in bars.PRICES)
    return set(rows.filter(moved)["group"].unique())


def _is_most(group: Group) -> bool:
    return 2 * group.changed >= group.met
