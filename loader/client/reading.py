"""Bars back into Python: the methods of a client that read."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, time

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.client.address import Address
from loader.client.checks import positive
from loader.client.sessions import Sessions
from loader.errors import NothingStored
from loader.settings.terms import in_python_terms
from loader.store.export import reading
from loader.store.series import SeriesFilter, stored_series
from loader.store.versions import past
from loader.store.versions.instants import Instant

#: A bound of time: a datetime with a time zone, a date, or one of them as ISO 8601 text.
Bound = datetime | date | str


class Reader:
    """Reads stored bars. `StoreClient` is one.

    Every method reads one snapshot, over a connection of its own, so that other threads can write
    meanwhile. Each raises ConnectionLost when the server is away and DatabaseError when it refuses.
    """

    _address: Address
    _sessions: Sessions

    def read_bars(
        self,
        provider: str | None = None,
        symbol: str | Sequence[str] | None = None,
        interval: str | None = None,
        start: Bound | None = None,
        end: Bound | None = None,
        *,
        as_of: datetime | None = None,
        pin: str | None = None,
    ) -> pl.DataFrame:
        """The selected bars as one frame, exact, sorted by provider, symbol, interval and ts.

        Args:
            provider: only bars of this provider.
            symbol: only bars of this symbol, or of one of these.
            interval: only bars of this length, e.g. `1m`, `1d`.
            start: the first moment, included. A date begins at midnight UTC.
            end: the last moment, included. A date includes its whole day (UTC).
            as_of: the bars as the store knew them at this time.
            pin: the bars at this pin.

        Returns:
            A frame with `provider`, `symbol`, `interval` (String), `ts` (Datetime in microseconds,
            UTC: the start of the bar), `open`, `high`, `low`, `close` (Float64), and `volume`,
            `vwap` (Float64) and `trade_count` (Int64), which can be null. No rows if there are no
            bars within the bounds.

        Raises:
            NothingStored: no such series is stored, or none of one of the symbols; no such pin.
            SettingsError: `as_of` is in the future.
            ValueError: a moment has no time zone or is not ISO 8601; `start` is after `end`; both
                `as_of` and `pin` are given.
        """
        asked = _asked(provider, symbol, interval, start, end)
        with self._reading(asked, self._instant(as_of, pin)) as pieces:
            return pl.concat([_NONE, *pieces])

    def iter_bars(
        self,
        provider: str | None = None,
        symbol: str | Sequence[str] | None = None,
        interval: str | None = None,
        start: Bound | None = None,
        end: Bound | None = None,
        *,
        as_of: datetime | None = None,
        pin: str | None = None,
        batch_size: int = 100_000,
    ) -> Generator[pl.DataFrame, None, None]:
        """As `read_bars`, in frames of `batch_size` bars, the last of them shorter: at flat memory.

        Close the iterator if you leave it early (`contextlib.closing`); the garbage collector does
        it otherwise.

        Raises:
            ValueError: `batch_size` is not positive; raised at once, as are the other errors of the
                arguments. Those of the store come with the first frame.
        """
        positive(batch_size)
        asked = _asked(provider, symbol, interval, start, end)
        _one_of(as_of, pin)
        return self._batches(asked, as_of, pin, batch_size)

    def series(self, provider: str | None = None, interval: str | None = None) -> pl.DataFrame:
        """The stored series in order of their key: `provider`, `symbol`, `interval` (String), and
        `first` and `last` (Datetime in microseconds, UTC): the ts of their first and last bar.

        Costs a few index probes for each series. An empty store gives no rows.
        """
        asked = SeriesFilter(provider, interval=_interval(interval))
        with in_python_terms(), self._sessions.apart() as connection, suppress(NothingStored):
            return stored_series(connection, asked).drop("sid")
        return pl.DataFrame(schema=_SERIES)

    def symbols(self, provider: str | None = None, interval: str | None = None) -> list[str]:
        """The stored symbols, each once, sorted by their bytes."""
        found: list[str] = self.series(provider, interval)["symbol"].unique().sort().to_list()
        return found

    def _batches(
        self, asked: SeriesFilter, as_of: datetime | None, pin: str | None, size: int
    ) -> Generator[pl.DataFrame, None, None]:
        waiting = _NONE
        with self._reading(asked, self._instant(as_of, pin)) as pieces:
            for piece in pieces:
                waiting = pl.concat([waiting, piece])
                whole = waiting.height // size * size
                yield from waiting[:whole].iter_slices(size)
                waiting = waiting[whole:]
        if waiting.height:
            yield waiting

    @contextmanager
    def _reading(self, asked: SeriesFilter, at: Instant | None) -> Iterator[Iterator[pl.DataFrame]]:
        with (
            in_python_terms(),
            self._sessions.apart() as connection,
            reading(connection, asked, at) as (_, pieces),
        ):
            yield (piece.select(bars.COLUMNS) for piece in pieces)

    def _instant(self, as_of: datetime | None, pin: str | None) -> Instant | None:
        _one_of(as_of, pin)
        if as_of is not None:
            _with_zone(as_of, "as_of")
        return past.asked(self._address.url, as_of, pin)


_NONE = pl.DataFrame(schema=bars.SCHEMA)
_SERIES = pl.Schema({**dict.fromkeys(SERIES, pl.String()), "first": bars.TS, "last": bars.TS})


def _asked(
    provider: str | None,
    symbol: str | Sequence[str] | None,
    interval: str | None,
    start: Bound | None,
    end: Bound | None,
) -> SeriesFilter:
    symbols = [symbol] if isinstance(symbol, str) else list(symbol or ())
    since, until = _moment(start, "start", time.min), _moment(end, "end", time.max)
    if since and until and since > until:
        raise ValueError(f"start {start} is after end {end}")
    return SeriesFilter(
        provider, [name.upper() for name in symbols], _interval(interval), since, until
    )


def _interval(text: str | None) -> str | None:
    """In mdload's spelling; an unknown one may be stored all the same."""
    return text and (bars.parse_interval(text) or text)


def _moment(bound: Bound | None, name: str, of_day: time) -> datetime | None:
    if isinstance(bound, str):
        bound = _parsed(bound, name)
    if isinstance(bound, datetime):
        return _with_zone(bound, name)
    return None if bound is None else datetime.combine(bound, of_day, UTC)


def _parsed(text: str, name: str) -> date:
    with suppress(ValueError):
        return date.fromisoformat(text)
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    raise ValueError(f"{name} is not a date or time of ISO 8601: {text!r}")


def _with_zone(moment: datetime, name: str) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{name} has no time zone: {moment}")
    return moment.astimezone(UTC)


def _one_of(as_of: datetime | None, pin: str | None) -> None:
    if as_of is not None and pin is not None:
        raise ValueError("as_of and pin name two instants; give one of them")
