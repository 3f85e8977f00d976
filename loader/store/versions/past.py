"""Sessions that read the bars as they were at an instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loader.db.reconnecting import ReconnectingSession
from loader.store.versions.instants import Instant, at_time, pinned

if TYPE_CHECKING:
    from datetime import datetime

    from loader.db.arrow import Connection

_AS_OF: Final = "bars_ohlcv_as_of(CAST(current_setting('mdload.as_of') AS timestamptz))"
_COPY: Final = "pg_temp.mdload_past"
_AT_PIN: Final = "bars_ohlcv_at(current_setting('mdload.pin'))"


def asked(url: str, as_of: datetime | None, pin: str | None) -> Instant | None:
    """The instant that `--as-of` or `--pin` names, once it can change no more; None for neither.

    Raises:
        SettingsError: the time is in the future.
        NothingStored: there is no such pin.
    """
    if as_of is None and pin is None:
        return None
    session = ReconnectingSession(url)
    try:
        return at_time(session, as_of) if as_of is not None else pinned(session, pin or "")
    finally:
        session.close()


def read_at(connection: Connection, instant: Instant | None) -> None:
    """Makes the queries of `connection` read the bars at `instant` from now on."""
    if instant is None:
        return
    connection.run("past_set", None if instant.pin else instant.text, instant.pin)
    if connection.shards is not None:  # the function would be run for every probe
        for query in ("past_asked", "past_create", "past_stored", "past_index", "past_replaced"):
            connection.run(query)
        connection.bars = _COPY
        return
    connection.bars = _AT_PIN if instant.pin else _AS_OF
