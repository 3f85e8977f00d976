"""Waivers: gaps that people declared as expected, which `mdload gaps` does not report."""

from __future__ import annotations

from datetime import UTC, date, datetime

from loader.db.arrow import Connection
from loader.errors import SettingsError
from loader.lazy import dataclass, regex
from loader.survey.expected import Bound

_WHEN = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:?\d\d)?)?"
_SPAN = regex(rf"(?P<symbol>.+?):(?P<first>{_WHEN}):(?P<last>{_WHEN})")


@dataclass(frozen=True, slots=True)
class Waiver:
    """An expected gap of `symbol`. None for `provider` or `interval` means all of them.

    `first` and `last`, both included, are sessions (dates) or starts of bars (UTC).
    """

    symbol: str
    first: Bound
    last: Bound
    reason: str
    provider: str | None = None
    interval: str | None = None
    id: int | None = None
    waived_by: str | None = None
    created_at: datetime | None = None

    @property
    def of_sessions(self) -> bool:
        return not isinstance(self.first, datetime)

    def concerns(self, provider: str, symbol: str, interval: str) -> bool:
        """Whether the waiver applies to a series."""
        return (
            self.symbol == symbol
            and self.provider in (None, provider)
            and self.interval in (None, interval)
        )


def parse(text: str, reason: str, provider: str | None, interval: str | None) -> Waiver:
    """Reads `SYMBOL:FROM:TO`: both ends are dates of sessions, or both are times (UTC by default).

    Raises:
        SettingsError: the text has another form, or its end is before its beginning.
    """
    hint = "for example AAPL:2024-07-03:2024-07-05 or AAPL:2024-07-03T14:00:2024-07-03T14:59"
    match = _SPAN.fullmatch(text)
    if not match:
        raise SettingsError(f"--waive {text!r} is not SYMBOL:FROM:TO", hint=hint)
    try:
        first, last = _bound(match["first"]), _bound(match["last"])
    except ValueError as error:
        raise SettingsError(f"--waive {text!r} has an invalid date: {error}", hint=hint) from error
    if isinstance(first, datetime) != isinstance(last, datetime):
        raise SettingsError(f"--waive {text!r} mixes a session and a time", hint=hint)
    if first > last:
        raise SettingsError(f"--waive {text!r} ends before it begins", hint=hint)
    return Waiver(match["symbol"].upper(), first, last, reason, provider, interval)


def _bound(text: str) -> Bound:
    if len(text) == len("2024-07-03"):
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def stored_waivers(connection: Connection) -> list[Waiver]:
    """All waivers, by symbol and then in order of creation."""
    return [
        Waiver(
            symbol=row["symbol"],
            first=row["first_session"] or row["first_ts"],
            last=row["last_session"] or row["last_ts"],
            reason=row["reason"],
            provider=row["provider"],
            interval=row["interval"],
            id=row["id"],
            waived_by=row["waived_by"],
            created_at=row["created_at"],
        )
        for row in connection.frame("waivers").iter_rows(named=True)
    ]


def add(connection: Connection, waiver: Waiver) -> None:
    """Stores a waiver, unless an equal one is stored already.

    Raises:
        DatabaseError: the role lacks the privilege.
    """
    first, last = waiver.first.isoformat(), waiver.last.isoformat()
    span = (first, last, None, None) if waiver.of_sessions else (None, None, first, last)
    connection.run(
        "waiver_add", waiver.symbol, waiver.provider, waiver.interval, *span, waiver.reason
    )


def withdraw(connection: Connection, number: int) -> None:
    """Deletes waiver `number`.

    Raises:
        SettingsError: there is no such waiver.
        DatabaseError: the role lacks the privilege.
    """
    if connection.row("waiver_withdraw", number) is None:
        raise SettingsError(f"there is no waiver {number}", hint="see: mdload gaps --waivers")
