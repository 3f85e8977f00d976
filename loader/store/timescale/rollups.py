"""Bars of longer intervals as continuous aggregates: `bars_1h_of_1m` has hours made of minutes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from loader import bars
from loader.db.rows import Session
from loader.errors import SettingsError
from loader.lazy import dataclass, regex
from loader.store.timescale.session import extension

_NAME: Final = regex(r"bars_(\w+)_of_(\w+)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks",
                 "mo": "months", "y": "years"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rollup:
    """Bars of interval `target` made of bars of interval `source`."""

    source: str
    target: str

    @property
    def name(self) -> str:
        return f"bars_{self.target}_of_{self.source}"

    @property
    def bucket(self) -> str:
        """The target as PostgreSQL's interval."""
        number, unit = re.fullmatch(r"(\d+)(\w+)", self.target).groups()  # type: ignore[union-attr]
        return f"{number} {_UNITS[unit]}"


def rollup(source: str, target: str) -> Rollup:
    """The rollup of `source` to `target`.

    Raises:
        SettingsError: a bar of `target` is not made of whole bars of `source`.
    """
    made, of = bars.parse_interval(target), bars.parse_interval(source)
    for text, known in ((target, made), (source, of)):
        if known is None:
            raise SettingsError(
                f"{text!r} is not an interval", hint=f"one of {', '.join(bars.INTERVALS)}"
            )
    assert made is not None
    assert of is not None
    short, long = bars.INTERVAL_SECONDS[of], bars.INTERVAL_SECONDS[made]
    if long <= short or long % short or short > bars.INTERVAL_SECONDS["1d"]:
        raise SettingsError(
            f"bars of {made} are not made of whole bars of {of}",
            hint="for example: mdload timescale rollup 1m 5m 1h 1d",
        )
    return Rollup(of, made)


def rollups(session: Session) -> list[Rollup]:
    """The rollups in this database."""
    found = [_NAME.fullmatch(row["name"]) for row in session.rows("rollups_list")]
    return [Rollup(source=match[2], target=match[1]) for match in found if match]


def create(session: Session, wanted: Rollup) -> None:
    """Creates the view, fills it, and adds the policy that keeps it up to date."""
    with session.transaction():
        params = (wanted.name, wanted.source, wanted.target, wanted.bucket)
        (statement,) = session.one("rollup_statement", *params)
        session.composed(statement)
        session.run("rollup_policy", wanted.name)
    _refresh(session, wanted, None, None)
    compress(session, wanted)


def compress(session: Session, made: Rollup) -> None:
    """Has the server compress what is older than 90 days in a rollup, unless it does already, or
    has no compression."""
    has = extension(session)
    if not has.compresses or session.one("rollup_compresses", made.name)[0]:
        return
    kind = "columnstore" if has.number >= (2, 18) else "compression"
    with session.transaction():
        (statement,) = session.one(f"rollup_{kind}", made.name)
        session.composed(statement)
        session.run(f"rollup_{kind}_policy", made.name)


def refresh(
    session: Session,
    made: Iterable[Rollup],
    spans: Callable[[str], Sequence[tuple[datetime, datetime]]],
) -> None:
    """Refreshes rollups for the bars of their own source interval in its `spans` (first and last ts
    of each)."""
    for each in made:
        for first, last in spans(each.source):
            _refresh(session, each, first, last)


def _refresh(session: Session, made: Rollup, first: datetime | None, last: datetime | None) -> None:
    session.run("rollup_refresh", made.name, made.bucket, first, last)
