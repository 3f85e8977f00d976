"""The left half of the way, for one file: raw batches in, checked bars out. No database here."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from loader.batch import Location, RawBatch
from loader.layout import Hints, Layout, check, decide
from loader.normalise import normalise
from loader.settings import Settings
from loader.validate import Checked, RuleSettings, validate


def hints(settings: Settings) -> Hints:
    return Hints(
        provider=settings.provider,
        interval=settings.interval,
        symbol=settings.symbol,
        timezone=settings.timezone,
        columns=settings.columns,
        time_format=settings.time_format,
        dialect=settings.dialect,
    )


def check_settings(settings: Settings) -> None:
    """Raises:
    SettingsError, UnknownDialect: a setting is wrong whatever the files are.
    """
    check(hints(settings))


class Checking:
    """Reads what a file's columns mean from its first batch, then normalises and validates each.

    `layout` is known once the first piece came out.
    """

    def __init__(self, batches: Iterable[RawBatch], settings: Settings, cut_at: int = 0) -> None:
        self.layout: Layout | None = None
        self._batches = batches
        self._hints = hints(settings)
        self._rules = RuleSettings(
            allow_nonpositive_prices=settings.allow_nonpositive_prices,
            check_grid=settings.check_grid,
        )
        self._cut_at = cut_at

    def pieces(self) -> Generator[Checked, None, None]:
        """One `Checked` per batch; none lies on both sides of raw row `cut_at`."""
        for raw in self._batches:
            if self.layout is None:
                self.layout = decide(raw, self._hints)
            for batch in _cut(raw, self._cut_at):
                yield validate(batch, normalise(batch, self.layout), self._rules)


def _cut(batch: RawBatch, after: int) -> Iterable[RawBatch]:
    """The batch, in two where raw row `after` lies inside it."""
    first = after - batch.location.start_row + 1
    if not 0 < first < batch.frame.height:
        return [batch]
    place = batch.location
    rest = Location(place.source, place.batch, place.start_row + first)
    return [RawBatch(batch.frame[:first], place), RawBatch(batch.frame[first:], rest)]
