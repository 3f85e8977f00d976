"""Kibot's text: no header, dates as in the United States."""

from __future__ import annotations

from dataclasses import replace

from loader.dialects.dialect import OHLCV, ONLY_IF_SAID, Dialect, Opening, Shape

_BAR = ("open", "high", "low", "close", "volume")
_DATE = r"^(?:0[1-9]|1[0-2])/(?:0[1-9]|[12]\d|3[01])/\d{4}$"


def _dated(opening: Opening) -> bool:
    """All of the first dates are written so; asked here and not scored, as others write them so
    too: only together with a name like Kibot's is that evidence."""
    return bool(opening.first["date"].head(1_000).str.strip_chars().str.contains(_DATE).all())


def _timed(opening: Opening) -> bool:
    clock = opening.first["time"].head(1_000).str.strip_chars()
    return _dated(opening) and bool(clock.str.contains(r"^\d\d:\d\d$").all())


def _month_first(opening: Opening) -> bool:
    """Whether a date shows that the month stands first, as it does not in other countries."""
    return bool(opening.first["date"].str.contains(r"^\s*\d\d/(?:1[3-9]|2\d|3[01])/").any())


_MINUTES = Shape(positions=("date", "time", *_BAR), accept=_timed, time_format="%m/%d/%Y %H:%M")
_DAYS = Shape(positions=("date", *_BAR), accept=_dated, time_format="%m/%d/%Y", interval="1d")

DIALECT = Dialect(
    name="kibot",
    title="Kibot text files",
    columns={
        "ts": ("date",),
        "time_of_day": ("time",),
        **OHLCV,
    },
    shapes=(
        replace(_MINUTES, accept=lambda opening: _timed(opening) and _month_first(opening)),
        replace(_DAYS, accept=lambda opening: _dated(opening) and _month_first(opening)),
        replace(_MINUTES, name=ONLY_IF_SAID),
        replace(_DAYS, name=ONLY_IF_SAID),
    ),
    names=(r"(?:^|[/!])(?P<symbol>(?=[0-9._-]*[A-Z])[A-Z0-9][A-Z0-9._-]*)\.txt(?:\.\w+)?$",),
    timezone="America/New_York",
    volume="shares, adjusted like the prices",
    adjusted="splits and dividends, by Yahoo's method; unadjusted files look alike",
    traps=(
        "nothing tells adjusted files from unadjusted ones: keep them apart by --provider",
        "adjusted history is restated: a symbol that was updated has to be loaded again in full",
        "times are New York's, with its changes of clock, though Kibot's page says EST",
        "taken for Kibot only where the name is like MSFT.txt and some date shows that the month "
        "stands first: otherwise --dialect kibot",
    ),
    source="kibot.com/Data_Format.aspx",
)
