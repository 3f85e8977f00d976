"""Sessions of markets, on the clocks of their zones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: Opening and close of the main session on the clocks of markets.
SESSIONS: Final = {
    **dict.fromkeys(
        ("America/New_York", "US/Eastern", "America/Toronto", "EST5EDT"), (time(9, 30), time(16))
    ),
    **dict.fromkeys(("America/Chicago", "US/Central"), (time(8, 30), time(15))),
    "Europe/London": (time(8), time(16, 30)),
    **dict.fromkeys(
        ("Europe/Berlin", "Europe/Paris", "Europe/Amsterdam", "Europe/Brussels", "Europe/Madrid",
         "Europe/Rome", "Europe/Lisbon", "Europe/Zurich", "Europe/Vienna", "Europe/Stockholm"),
        (time(9), time(17, 30)),
    ),
    "Europe/Warsaw": (time(9), time(17)),
    "Europe/Helsinki": (time(10), time(18, 30)),
    "Europe/Istanbul": (time(10), time(18)),
    "Asia/Tokyo": (time(9), time(15)),
    "Asia/Hong_Kong": (time(9, 30), time(16)),
    "Asia/Shanghai": (time(9, 30), time(15)),
    "Asia/Singapore": (time(9), time(17)),
    "Asia/Kolkata": (time(9, 15), time(15, 30)),
    "Asia/Calcutta": (time(9, 15), time(15, 30)),
    "Asia/Seoul": (time(9), time(15, 30)),
    "Asia/Taipei": (time(9), time(13, 30)),
    "Australia/Sydney": (time(10), time(16)),
    "Africa/Johannesburg": (time(9), time(17)),
    "America/Sao_Paulo": (time(10), time(17)),
}  # fmt: skip
#: Second names, and places with the sessions of others.
ALIASES: Final = frozenset(
    ["US/Eastern", "US/Central", "EST5EDT", "America/Toronto", "America/Chicago", "Asia/Calcutta",
     "Europe/Paris", "Europe/Amsterdam", "Europe/Brussels", "Europe/Madrid", "Europe/Rome",
     "Europe/Zurich", "Europe/Vienna", "Europe/Stockholm",
     "America/Sao_Paulo"]  # two hours from New York, where hours may be whole ones
)  # fmt: skip
#: Of bars of an hour, too many sessions have the ends of others for starts.
LARGE: Final = ("America/New_York", "Europe/London", "Asia/Shanghai")
#: Further sessions on the same clocks: with hours before and after, and later closes.
FURTHER: Final = {
    "America/New_York": ((time(4), time(20)), (time(9, 30), time(20)), (time(4), time(16))),
    "Asia/Tokyo": ((time(9), time(15, 30)),),
    "America/Sao_Paulo": ((time(10), time(18)),),
}
#: Pauses at noon.
LUNCH: Final = {
    "Asia/Shanghai": (time(11, 30), time(13)),
    "Asia/Hong_Kong": (time(12), time(13)),
    "Asia/Tokyo": (time(11, 30), time(12, 30)),
}


def sessions(zone: str) -> Sequence[tuple[time, time]]:
    """Opening and close of the sessions of a zone, the main one first."""
    return (SESSIONS[zone], *FURTHER.get(zone, ()))


def lie_within_one(instants: Iterable[datetime], zone: str) -> bool:
    """Whether the instants (aware) lie within one session, after its opening. Without a query, for
    a handful of them. True where the system has no data of zones."""
    if (known := python_zone(zone)) is None:
        return True
    clocks = [instant.astimezone(known).time() for instant in instants]
    return any(
        all(opening < clock <= close for clock in clocks) for opening, close in sessions(zone)
    )


@cache
def python_zone(name: str) -> ZoneInfo | None:
    """The zone, or None where the system has no data of it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        return None
