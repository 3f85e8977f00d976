"""Instants at which the store can be read: a time, a pin, the end of a run, now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from loader.db.reconnecting import ReconnectingSession
from loader.errors import NothingStored, SettingsError, UnknownRun
from loader.lazy import dataclass, regex

ALL_LOADS: Final = 2**63 - 1
_RUN: Final = regex(r"(?:run:)?(\d{1,18})(\^?)")
_PIN: Final = regex(r"[A-Za-z_][A-Za-z0-9_.:+-]*")


@dataclass(frozen=True, slots=True)
class Instant:
    """What was known by a time and by loads up to a number.

    Attributes:
        label: what it was asked for as.
        known_at: the time (UTC); None is any.
        load_id: the number of the last load that counts.
        pin: the pin's name, or None.
    """

    label: str
    known_at: datetime | None
    load_id: int = ALL_LOADS
    pin: str | None = None

    @property
    def text(self) -> str:
        """`known_at` as PostgreSQL reads it."""
        return self.known_at.isoformat() if self.known_at else "infinity"


def settled(session: ReconnectingSession) -> datetime:
    """The last instant that no later load can reach; waits for loads that are committing."""
    (row,) = session.rows("settled")
    found: datetime = row["settled"]
    return found


def pinned(session: ReconnectingSession, name: str) -> Instant:
    """
    Raises:
        NothingStored: there is no such pin.
    """
    rows = session.rows("pins", name, repeatable=True)
    if not rows:
        raise NothingStored(f"there is no pin named {name!r}", hint="see them: mdload pins list")
    return Instant(name, rows[0]["known_at"], rows[0]["load_id"], pin=name)


def at_time(session: ReconnectingSession, moment: datetime, label: str | None = None) -> Instant:
    """What was known by `moment`.

    Raises:
        SettingsError: it is in the future, where the answer could still change.
    """
    now = settled(session)
    moment = moment.astimezone(UTC)
    if moment > now:
        raise SettingsError(
            f"{label or moment.isoformat()} is in the future, and what is known then may change",
            hint="give a time that has passed, or now",
        )
    return Instant(label or f"{moment:%Y-%m-%d %H:%M:%S}Z", moment)


def instant(session: ReconnectingSession, text: str, moment: datetime | None) -> Instant:
    """`now`, a run (`12`, or `12^` for just before it), a pin, or a time: `text` as `moment`.

    Raises:
        SettingsError: it is none of them, or a time in the future.
        UnknownRun: there is no such run.
        NothingStored: there is no such pin.
    """
    if text == "now":
        return Instant("now", settled(session))
    if run := _RUN.fullmatch(text):
        return _of_run(session, int(run[1]), before=bool(run[2]))
    if moment is not None:
        return at_time(session, moment, text)
    return pinned(session, text)


def pin_name(text: str) -> str:
    """
    Raises:
        SettingsError: it could be taken for something else than a pin.
    """
    if text == "now" or not _PIN.fullmatch(text) or len(text) > 100:
        raise SettingsError(
            f"{text!r} cannot name a pin: a letter first, then letters, digits and _ . : + -",
            hint="for example: mdload pin backtest-2024-03",
        )
    return text


def _of_run(session: ReconnectingSession, run_id: int, *, before: bool) -> Instant:
    """Loads up to the last one of the run, or up to the one before its first one."""
    settled(session)
    rows = session.rows("run_loads", run_id, repeatable=True)
    if not rows:
        raise UnknownRun(f"there is no job run {run_id}", hint="see them: mdload job-runs list")
    label = f"{'before' if before else 'after'} run {run_id}"
    return Instant(label, None, rows[0]["first"] - 1 if before else rows[0]["last"])
