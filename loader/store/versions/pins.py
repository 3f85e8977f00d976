"""Pins: names for instants, which history that is loaded later cannot move."""

from __future__ import annotations

from datetime import datetime

from loader.db.reconnecting import ReconnectingSession
from loader.errors import NothingStored, SettingsError
from loader.lazy import dataclass
from loader.store.versions.instants import at_time, pin_name, settled


@dataclass(frozen=True, slots=True)
class Pin:
    """A row of `bars_pins`; times are UTC."""

    name: str
    known_at: datetime
    load_id: int
    note: str | None
    created_at: datetime
    created_by: str


def make(
    session: ReconnectingSession, name: str, at: datetime | None = None, note: str | None = None
) -> Pin:
    """Names the instant `at`, or now.

    Raises:
        SettingsError: the name is taken or no name for a pin; or `at` is in the future.
    """
    pin_name(name)
    session.rows("settle_hold")
    try:
        moment = at_time(session, at).known_at if at is not None else settled(session)
        made = session.rows("pin_make", name, moment, note)
    finally:
        session.rows("settle_release")
    if not made:
        raise SettingsError(
            f"there is a pin named {name!r} already",
            hint=f"choose another name, or take it away first: mdload pins delete {name}",
        )
    return Pin(**made[0])


def listed(session: ReconnectingSession) -> list[Pin]:
    """All pins, newest instant first."""
    return [Pin(**row) for row in session.rows("pins", None, repeatable=True)]


def delete(session: ReconnectingSession, name: str) -> None:
    """Takes the name away; the bars do not change.

    Raises:
        NothingStored: there is no such pin.
    """
    if not session.rows("pin_delete", name):
        raise NothingStored(f"there is no pin named {name!r}", hint="see them: mdload pins list")
