"""Trading hours of exchanges, from `exchange_calendars` (extra `calendars`), as frames.

The package is imported only on demand, because with pandas that takes longer than everything else
in most commands.
"""

from __future__ import annotations

import warnings
from datetime import date, timedelta
from difflib import get_close_matches
from types import ModuleType
from typing import Any, Final

import polars as pl

from loader.errors import SettingsError
from loader.lazy import dataclass

#: No exchange was ever closed for longer.
_WIDER: Final = timedelta(days=200)
_NOT: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The sessions of an exchange within a span of days.

    Attributes:
        name: as requested, e.g. `XNYS`.
        parts: one row per stretch of trading, in order: `session` (Date), `open` and `close` (UTC,
            excluding the close). A session with a noon break has two; a half day closes early.
    """

    name: str
    parts: pl.DataFrame


def calendar(name: str, first: date, last: date, *, evening: bool = False) -> Calendar:
    """The sessions of `name` from `first` to `last`, both included; possibly none. `evening` adds
    the next session if it opens before `last` ends (UTC), as futures sessions do.

    Raises:
        SettingsError: the calendar does not exist, does not cover the span, or the extra is absent.
    """
    package = require(name)
    with warnings.catch_warnings():  # pandas warns about how the package uses it
        warnings.simplefilter("ignore")
        schedule = _schedule(package, name, first, last)
        columns = {
            "session": pl.Series(schedule.index.to_numpy()).cast(pl.Date),
            **{
                column: _utc(schedule[column])
                for column in ("open", "break_start", "break_end", "close")
            },
        }
    over = pl.col("open").dt.date() if evening else pl.col("session")
    days = pl.DataFrame(columns).filter(pl.col("session") >= first, over <= last)
    halves = days.filter(pl.col("break_start").is_not_null())
    parts = pl.concat(
        [
            days.select("session", "open", close=pl.col("break_start").fill_null(pl.col("close"))),
            halves.select("session", open="break_end", close="close"),
        ]
    )
    return Calendar(name, parts.sort("open"))


def names() -> list[str]:
    """The names of all calendars.

    Raises:
        SettingsError: the extra is absent.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [str(name) for name in _package().get_calendar_names()]


def require(name: str) -> ModuleType:
    """The package, once it is known to have a calendar `name`.

    Raises:
        SettingsError: it does not have one, or the extra is absent.
    """
    package = _package()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = package.get_calendar_names()
    if name not in known:
        near = get_close_matches(name.upper(), known, 1)
        raise SettingsError(
            f"there is no exchange calendar {name!r}",
            hint=f"did you mean {near[0]}?" if near else "for example XNYS, XLON, CMES or 24/7",
        )
    return package


def _schedule(package: ModuleType, name: str, first: date, last: date) -> Any:
    """A pandas frame with at least the sessions of the span: open, break_start, break_end, close.

    The package refuses a span without any session, and a span beyond its data.
    """
    refusal: ValueError | None = None
    for before, after in ((_WIDER, _WIDER), (_WIDER, _NOT), (_NOT, _WIDER)):
        try:
            return package.get_calendar(name, start=first - before, end=last + after).schedule
        except package.errors.NoSessionsError:
            return package.get_calendar(name).schedule
        except ValueError as error:
            refusal = error
    reason = str(refusal).partition(", cannot")[0]
    raise SettingsError(
        f"the calendar {name} does not have all sessions from {first} to {last}: {reason}",
        hint="use a shorter span: --since, --until",
    ) from refusal


def _utc(times: Any) -> pl.Series:
    """Converts a pandas series of instants, nulls included, to UTC."""
    naive = pl.Series(times.dt.tz_convert(None).to_numpy())
    return naive.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _package() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import exchange_calendars  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            "exchange calendars need the package exchange_calendars",
            hint="install it with: pip install 'mdload[calendars]'",
        ) from error
    module: ModuleType = exchange_calendars
    return module
