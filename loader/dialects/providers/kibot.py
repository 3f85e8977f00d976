"""Kibot's text: no header, dates in US order."""

from __future__ import annotations

from dataclasses import replace

from loader.dialects.dialect import OHLCV, ONLY_ON_REQUEST, Dialect, Opening, Shape

_BAR = ("open", "high", "low", "close", "volume")
_DATE = r"^(?:0[1-9]|1[0-2])/(?:0[1-9]|[12]\d|3[01])/\d{4}$"


def _dated(opening: Opening) -> bool:
    """Whether all of the first dates have this form. It is a condition without a score, because the
    form is common: only together with a name like Kibot's is it evidence."""
    return bool(opening.first["date"].head(1_000).str.strip_chars().str.contains(_DATE).all())


def _timed(opening: Opening) -> bool:
    clock = opening.first["time"].head(1_000).str.strip_chars()
    return _dated(opening) and bool(clock.str.contains(r"^\d\d:\d\d$").all())


def _month_first(opening: Opening) -> bool:
    """Whether some date shows that the month comes first, unlike in other countries."""
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
        replace(_MINUTES, name=ONLY_ON_REQUEST),
        replace(_DAYS, name=ONLY_ON_REQUEST),
    ),
    names=(r"(?:^|[/!])(?P<symbol>(?=[0-9._-]*[A-Z])[A-Z0-9][A-Z0-9._-]*)\.txt(?:\.\w+)?$",),
    timezone="America/New_York",
    volume="shares, adjusted like the prices",
    adjusted="splits and dividends, by Yahoo's method; unadjusted files look alike",
    traps=(
        "adjusted and unadjusted files look the same: keep them apart with --provider",
        "adjusted history is restated: reload an updated symbol in full",
        "times are New York's, with daylight saving time, although Kibot's page says EST",
        "recognised only by a name like MSFT.txt and a date that shows the month first; otherwise "
        "use --dialect kibot",
    ),
    source="kibot.com/Data_Format.aspx",
)
