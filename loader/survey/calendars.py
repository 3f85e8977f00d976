"""When exchanges trade, from `exchange_calendars` (extra `calendars`), as frames.

That package is imported only when a calendar is asked for: with pandas it takes longer than
everything else that most commands do.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from types import ModuleType
from typing import Any, Final

import polars as pl

from loader.errors import SettingsError

#: No exchange was ever closed for longer.
_WIDER: Final = timedelta(days=200)
_NOT: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The sessions of an exchange within a span of days.

    Attributes:
        name: as it was asked for, e.g. `XNYS`.
        parts: one row per stretch of trading, in order: `session` (Date), `open` and `close` (UTC,
            the close excluded). A session with a break at noon has two; a half day closes early.
    """

    name: str
    parts: pl.DataFrame


def calendar(name: str, first: date, last: date, *, evening: bool = False) -> Calendar:
    """The sessions of `name` from `first` to `last`, both included; there may be none. `evening`
    adds the one after them if it opens before `last` is over (UTC), as those of futures do.

    Raises:
        SettingsError: there is no such calendar, it does not reach so far, or the extra is absent.
    """
    package = require(name)
    with warnings.catch_warnings():  # of pandas, about how the package uses it
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


def require(name: str) -> ModuleType:
    """The package, which has a calendar `name`.

    Raises:
        SettingsError: it has none, or the extra is absent.
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

    What the package refuses is a span without a session, and one that is wider than it knows.
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
        hint="ask for less with --since and --until",
    ) from refusal


def _utc(times: Any) -> pl.Series:
    """A pandas series of instants, nulls included."""
    naive = pl.Series(times.dt.tz_convert(None).to_numpy())
    return naive.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _package() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import exchange_calendars  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            "calendars of exchanges need the package exchange_calendars",
            hint="install it with: pip install 'mdload[calendars]'",
        ) from error
    module: ModuleType = exchange_calendars
    return module
