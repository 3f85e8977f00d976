"""`TenantClient`: writes rows into the datasets of one tenant, and reads its bars."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from threading import RLock
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import polars as pl

from loader import bars
from loader.bars import TS, forks
from loader.client.frames import as_polars
from loader.client.result import Rejects, WriteResult
from loader.db import arrow, retries
from loader.db import rows as sessions
from loader.db.conninfo import conninfo
from loader.errors import ConnectionLost, Contended
from loader.ingest.part import Part, write_part
from loader.ingest.ways.tenants import layout
from loader.ingest.ways.tenants.load import find
from loader.ingest.ways.tenants.periods import Periods
from loader.ingest.ways.tenants.rows import rows as checked
from loader.ingest.ways.tenants.stage import StageMerger, keep_rejects
from loader.read.batch import Location, RawBatch
from loader.results import Counts
from loader.settings import Settings, datasets
from loader.settings.datasets import Dataset
from loader.settings.terms import in_python_terms
from loader.store.compare import PendingDiff

T = TypeVar("T")
#: Names the rows in errors.
_NAME: Final = "rows"
#: Rows in memory at a time, besides those that were passed in.
_BATCH: Final = 100_000
_PRICE: Final = pl.Decimal(20, 8)
_WINDOW: Final = pl.Schema(
    {"vendor": pl.String(), "symbol": pl.String(), "timeframe": pl.String(), "ts": TS,
     **dict.fromkeys(bars.PRICES, _PRICE), "volume": pl.Int64()}
)  # fmt: skip


class TenantClient:
    """Rows of one tenant: written by the same rules and the same merge as `mdload backfill
    --dataset … --tenant …`, under row-level security.

    Each call that writes is one transaction. If another writer is in the way or the server goes
    away, it is run again, up to eight times in about half a minute. Threads may share a client;
    their calls run one after the other.

    Args:
        dsn: a libpq URL or connection string, of a role that may write the tenants' tables.
        tenant: its name or id, as in the table `tenants`.
        vendor: of rows that have none.
        timezone: of times without an offset.

    Raises:
        SettingsError: there is no such tenant, or `dsn` or `timezone` is not valid.
        SchemaOutOfDate: the tables of tenants are not there: run `mdload migrate --tenants`.
        DatabaseError: the server cannot be reached or refuses.
    """

    def __init__(
        self, dsn: str, tenant: str, *, vendor: str | None = None, timezone: str | None = None
    ) -> None:
        forks.refuse()
        self._url = conninfo(dsn)
        self._settings = Settings(provider=vendor, timezone=timezone)
        layout.check(self._settings, datasets.dataset("bars"))
        self._tenant = find(self._url, tenant)
        self._lock = RLock()
        self._writer: arrow.Connection | None = None
        self._reader: sessions.Session | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the sessions. Never raises."""
        with self._lock:
            for session in (self._writer, self._reader):
                if session is not None:
                    session.close()
            self._writer = self._reader = None

    def write(self, dataset: str, rows: Any, *, accept: Collection[str] = ()) -> WriteResult:
        """Writes rows into `bars`, `fundamentals`, `news` or `options_snap`.

        `rows` are mappings by the dataset's columns or a vendor's names for them, or a frame
        (Polars, Arrow, pandas). Numbers are exact: pass `Decimal` or text; a float counts by its
        shortest text. Times are datetimes or text, with an offset unless the client has a
        `timezone`. Rows that break a rule are kept in `tenant_rejected`. `accept={"period"}` lets
        amounts pass that are at least twice or half of those that are stored.

        Raises:
            SettingsError: there is no such dataset.
            ColumnMismatch: a column is missing, or cannot be read.
            HistoryRefused: these are figures of periods of another length than the stored ones.
            DatabaseError: the server refused, or stays away; nothing was stored.
        """
        of = datasets.dataset(dataset)
        frame = _frame(rows)
        if not frame.height:
            return WriteResult()
        rejects = Rejects()
        with in_python_terms():
            read = layout.decide(frame.head(_BATCH), of, self._settings, _NAME)
            Periods(of, (), _NAME).look(frame, read)
            whose = (self._tenant.id, self._tenant.name)
            pieces = [
                checked(RawBatch(part, Location(_NAME, n, 1 + n * _BATCH)), of, read, whose)
                for n, part in enumerate(frame.iter_slices(_BATCH))
            ]
            new = [PendingDiff(piece.unique) for piece in pieces]
            counts = self._again(partial(self._merged, of, new, accept))
        for piece in pieces:
            rejects.add(piece.unique.bad)
        return WriteResult(counts, rejects)

    def latest_prices(
        self, symbols: Iterable[str], *, vendor: str | None = None
    ) -> dict[str, Decimal]:
        """By symbol, the close of its newest bar, whatever its length; a symbol without bars is
        absent. Of bars that start together the one that was written last counts.

        Raises:
            DatabaseError: the server refused, or stays away.
        """
        wanted = [symbol.upper() for symbol in ([symbols] if isinstance(symbols, str) else symbols)]
        found = self._read("tenant_latest_prices", json.dumps(wanted, ensure_ascii=False), vendor)
        return {row["symbol"]: row["close"] for row in found}

    def bars_window(
        self,
        symbol: str,
        timeframe: str,
        start: datetime,
        end: datetime,
        *,
        vendor: str | None = None,
    ) -> pl.DataFrame:
        """Bars from `start` up to before `end`, in order of time: vendor, symbol, timeframe
        (String), ts (Datetime us UTC), open, high, low, close (Decimal(20, 8)), volume (Int64).

        Raises:
            ValueError: `start` or `end` has no time zone, or `timeframe` is not one.
            DatabaseError: the server refused, or stays away.
        """
        length = bars.parse_interval(timeframe)
        if length is None:
            raise ValueError(f"{timeframe!r} is not the length of a bar, such as 1m or 1d")
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError("start and end need a time zone: datetime(…, tzinfo=UTC)")
        ends = (start.astimezone(UTC), end.astimezone(UTC))
        found = self._read("tenant_bars_window", symbol.upper(), length, *ends, vendor)
        return pl.DataFrame(found, schema=_WINDOW, orient="row")

    def _merged(
        self, of: Dataset, pieces: Sequence[PendingDiff], accept: Collection[str]
    ) -> Counts:
        if self._writer is None:
            self._writer = arrow.connect(self._url)
        writer = self._writer
        writer.of = of
        frames: list[pl.DataFrame] = []
        part = Part(_NAME, frames, keeper=partial(_keep, of), of_bars=False)
        with writer.transaction():
            writer.run("tenant_set", self._tenant.id, self._tenant.name)
            merger = StageMerger(writer, of, part.tally, _NAME, accept, dry=False)
            counts = write_part(writer, pieces, None, part=part, merger=merger)
            if counts.written:
                writer.one(
                    "tenant_load_record", of.name, "live", None, None,
                    counts.inserted, counts.updated, 0,
                )  # fmt: skip
        return counts

    def _read(self, query: str, *params: object) -> list[dict[str, Any]]:
        def read() -> list[dict[str, Any]]:
            if self._reader is None:
                self._reader = sessions.connect(self._url)
            with self._reader.transaction():
                self._reader.run("tenant_set", self._tenant.id, self._tenant.name)
                return self._reader.rows(query, *params)

        return self._again(read)

    def _again(self, work: Callable[[], T]) -> T:
        """Runs `work` until nobody is in the way and the server is there."""
        with self._lock:
            for attempt in range(1, retries.ATTEMPTS + 1):
                try:
                    return work()
                except (Contended, ConnectionLost):
                    if attempt == retries.ATTEMPTS:
                        raise
                except BaseException:
                    self.close()
                    raise
                self.close()
                time.sleep(retries.pause(attempt))
        raise AssertionError("unreachable")


def _frame(given: Any) -> pl.DataFrame:
    """Rows as a frame. Numbers of mappings become text, so that none of them goes through a float
    because another one is a float."""
    if isinstance(given, Mapping):
        given = [given]
    if (
        not isinstance(given, Iterable)
        or hasattr(given, "__dataframe__")
        or hasattr(given, "__arrow_c_stream__")
    ):
        return as_polars(given)
    listed = list(given)
    names = dict.fromkeys(name for row in listed for name in row)
    return pl.DataFrame(
        [pl.Series(name, [_cell(row.get(name)) for row in listed]) for name in names]
    )


def _cell(value: object) -> object:
    match value:
        case bool():
            return str(value)
        case Decimal():
            return format(value, "f")
        case float():
            return None if math.isnan(value) else repr(value)
        case int():
            return str(value)
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC)
    return value


def _keep(of: Dataset, session: Any, frames: Any, run_id: int | None, file_id: int | None) -> int:
    return keep_rejects(session, of, frames, run_id, file_id)
