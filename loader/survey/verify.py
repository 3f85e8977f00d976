"""Compares stored bars with the rollup that should equal them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from loader.db.rows import Session
from loader.errors import NothingStored
from loader.lazy import dataclass
from loader.store.series import SeriesFilter
from loader.store.timescale.rollups import Rollup, rollups

#: The fields in `Difference.stored` and `made`, in this order.
FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored bar that differs from its rollup. `differs` names the fields, or is `not stored` or
    `not made`."""

    provider: str
    symbol: str
    ts: datetime
    differs: tuple[str, ...]
    stored: tuple[float | None, ...]
    made: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class RollupCheck:
    """The comparison of `compared` bars, of series that are both stored and rolled up."""

    rollup: Rollup
    compared: int
    differences: tuple[Difference, ...]

    @property
    def by_field(self) -> Mapping[str, int]:
        return dict(Counter(name for each in self.differences for name in each.differs))


def check(session: Session, interval: str, asked: SeriesFilter, tolerance: float) -> RollupCheck:
    """Compares stored bars of `interval` with their rollup. Values within the relative `tolerance`
    count as equal.

    Raises:
        NothingStored: no rollup makes bars of `interval`.
    """
    made = [each for each in rollups(session) if each.target == interval]
    if not made:
        raise NothingStored(
            f"no rollup makes {interval} bars",
            hint=f"to make them from 1m bars: mdload timescale rollup 1m {interval}",
        )
    symbols = list(asked.symbols) or None
    (statement,) = session.one("rollup_check_statement", made[0].name, interval, asked.provider,
                 asked.since, asked.until, symbols, max(tolerance, 1e-9))  # fmt: skip
    compared, differences = 0, []
    for found in session.composed(statement):
        compared = found.pop("compared")
        if not found["differs"]:
            break  # equal rows come last
        lists = {name: tuple(found[name]) for name in ("differs", "stored", "made")}
        differences.append(Difference(**{**found, **lists}))
    return RollupCheck(made[0], compared, tuple(differences))
