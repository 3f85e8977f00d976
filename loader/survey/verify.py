"""Stored bars beside the rollup that should come to the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from loader.db.rows import Session
from loader.errors import NothingStored
from loader.store.series import SeriesFilter
from loader.store.timescale.rollups import Rollup, rollups

#: What `Difference.stored` and `made` hold, in this order.
FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Difference:
    """A bar that is stored as one thing and rolled up as another. `differs` names fields, or says
    `not stored` or `not made`."""

    provider: str
    symbol: str
    ts: datetime
    differs: tuple[str, ...]
    stored: tuple[float | None, ...]
    made: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class RollupCheck:
    """`compared` bars of series that are stored and rolled up."""

    rollup: Rollup
    compared: int
    differences: tuple[Difference, ...]

    @property
    def by_field(self) -> Mapping[str, int]:
        return dict(Counter(name for each in self.differences for name in each.differs))


def check(session: Session, interval: str, asked: SeriesFilter, tolerance: float) -> RollupCheck:
    """Compares stored bars of `interval` with the rollup that has them; a share of `tolerance` is
    no difference.

    Raises:
        NothingStored: there is no such rollup.
    """
    made = [each for each in rollups(session) if each.target == interval]
    if not made:
        raise NothingStored(
            f"there is no rollup that has {interval} bars",
            hint=f"make one of 1m bars: mdload timescale rollup 1m {interval}",
        )
    symbols = list(asked.symbols) or None
    (statement,) = session.one("rollup_check_statement", made[0].name, interval, asked.provider,
                 asked.since, asked.until, symbols, max(tolerance, 1e-9))  # fmt: skip
    compared, differences = 0, []
    for found in session.composed(statement):
        compared = found.pop("compared")
        if not found["differs"]:
            break  # these come last
        lists = {name: tuple(found[name]) for name in ("differs", "stored", "made")}
        differences.append(Difference(**{**found, **lists}))
    return RollupCheck(made[0], compared, tuple(differences))
