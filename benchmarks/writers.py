"""Ways to write bars from objects of a program: `StoreClient`, and hand-written psycopg."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final

import psycopg

from loader import bars
from loader.client import StoreClient


@dataclass(slots=True)
class Candle:
    """A bar as an object of a program."""

    provider: str
    symbol: str
    interval: str
    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float
    trade_count: int


Batch = Sequence[Candle]
Write = Callable[[Batch], object]
Writer = Callable[[str], AbstractContextManager[Write]]

_NAMES = ", ".join(f'"{name}"' for name in bars.COLUMNS)
_CHANGES = ", ".join(f'"{v}" = EXCLUDED."{v}"' for v in bars.VALUES)
_OLD = ", ".join(f'b."{v}"' for v in bars.VALUES)
_NEW = ", ".join(f'EXCLUDED."{v}"' for v in bars.VALUES)
_UPSERT = f"""
    INSERT INTO bars_ohlcv AS b ({_NAMES}) SELECT {_NAMES} FROM by_hand
    ON CONFLICT (provider, symbol, interval, ts) DO UPDATE SET {_CHANGES}
    WHERE ({_OLD}) IS DISTINCT FROM ({_NEW})
"""
_STAGE = "CREATE TEMPORARY TABLE by_hand (LIKE bars_ohlcv INCLUDING DEFAULTS) ON COMMIT"
_values = attrgetter(*bars.COLUMNS)


@contextmanager
def client(url: str) -> Iterator[Write]:
    """mdload's client, with rules, counts, revisions and rejects."""
    with StoreClient(url) as store:
        yield lambda batch: store.write_bars(batch, len(batch))


@contextmanager
def feed(url: str) -> Iterator[Write]:
    """mdload's buffered feed: takes bars one by one and writes them together."""
    with StoreClient(url) as store, store.buffered() as buffered:

        def write(batch: Batch) -> None:
            for candle in batch:
                buffered.write(candle)

        yield write


@contextmanager
def by_hand(url: str) -> Iterator[Write]:
    """COPY into a temporary table per batch, then ON CONFLICT, the most common code."""
    with psycopg.connect(url) as connection:

        def write(batch: Batch) -> None:
            connection.execute(f"{_STAGE} DROP".encode())
            _copy_and_upsert(connection, batch)

        yield write


@contextmanager
def by_hand_kept(url: str) -> Iterator[Write]:
    """The same with one temporary table for all batches, its fastest form."""
    with psycopg.connect(url) as connection:
        connection.execute(f"{_STAGE} DELETE ROWS".encode())
        connection.commit()
        yield lambda batch: _copy_and_upsert(connection, batch)


def _copy_and_upsert(connection: psycopg.Connection, batch: Batch) -> None:
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY by_hand ({_NAMES}) FROM STDIN".encode()) as copy:
            for candle in batch:
                copy.write_row(_values(candle))
        cursor.execute(_UPSERT.encode())
    connection.commit()


WRITERS: Final[dict[str, Writer]] = {
    "StoreClient": client,
    "COPY + ON CONFLICT": by_hand,
    "the same, table kept": by_hand_kept,
}
