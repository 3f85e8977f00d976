"""Options that name a moment: a date, a time, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

import click

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WHOLE_DAYS: Final = r"\d{4}-\d\d-\d\d|\d{1,5}[dw]"


class Moment(click.ParamType[datetime]):
    """A moment: an ISO date or time (UTC unless it says otherwise), or an age such as 90m or 7d."""

    name = "moment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        if age := re.fullmatch(r"(\d{1,5})([mhdw])", text):
            return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        try:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            moment.astimezone(UTC)
        except ValueError:
            self.fail(f"{text!r} is neither a date, a time nor an age such as 24h or 7d")
        except OverflowError:  # 0001-01-01T00:00+14:00
            self.fail(f"{text!r} is before the year 1 or after the year 9999")
        return moment


class When(click.ParamType[date]):
    """As `Moment`, but what names whole days (a date, 7d, 2w) is a `date` and no `datetime`."""

    name = "when"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> date:
        if isinstance(value, date):
            return value
        moment = Moment().convert(value, param, ctx).astimezone(UTC)
        whole = re.fullmatch(_WHOLE_DAYS, str(value).strip())
        return moment.date() if whole else moment
