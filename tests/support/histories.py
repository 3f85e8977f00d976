"""Random histories of several writers at once, and a slow oracle of all that they did.

The oracle knows nothing of revisions: a trigger of its own writes down each change of a bar as it
happens, by transaction. A bar at an instant is what the last of its changes made of it that was
known by then, in the order in which they happened.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl
import psycopg

from loader.bars import SCHEMA
from loader.db.arrow import Connection, connect
from loader.db.executor import Executor
from loader.db.prepared import Prepared
from loader.db.reconnecting import ReconnectingSession
from loader.errors import MdloadError
from loader.results import Counts
from loader.store import merge
from loader.store.runs.loads import Load, record
from loader.store.series import SeriesFilter
from loader.store.versions import forward, pins, undo
from loader.store.versions.selection import Since

T0: Final = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
#: Instants of a history, at most.
_ASKS: Final = 12
Key = tuple[str, datetime]
State = dict[Key, float]
Bars = Mapping[Key, float]

WITNESS = """
CREATE TABLE witness (
    n bigint GENERATED ALWAYS AS IDENTITY, xact_at timestamptz DEFAULT now(), symbol text,
    ts timestamptz, close double precision);
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO witness (symbol, ts) VALUES (OLD.symbol, OLD.ts);
    ELSE
        INSERT INTO witness (symbol, ts, close) VALUES (NEW.symbol, NEW.ts, NEW.close);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER INSERT OR UPDATE OR DELETE ON bars_ohlcv
    FOR EACH ROW EXECUTE FUNCTION witness()
"""
TABLES = (
    "bars_ohlcv, bars_ohlcv_revisions, bars_loads, bars_pins, bars_rejected, provider_symbols,"
    " job_run_files, job_runs, witness"
)


@dataclass(frozen=True)
class Asked:
    """An instant that was asked for, what was answered at once, and the loads that were there."""

    where: str
    at: object
    known_at: datetime
    load_id: int
    state: State
    loads: frozenset[int]


@dataclass
class Found:
    """What histories have shown.

    Attributes:
        asked: instants that were asked for, twice each.
        loads: transactions that changed bars.
        wrong: answers that were other than the oracle's, at once or at the end.
        moved: instants that answer otherwise at the end, though no load with a time of its own
            came that belongs to their past.
        refused: commands that were refused, by the error's name.
    """

    histories: int = 0
    asked: int = 0
    loads: int = 0
    wrong: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)


def frame(bars: Bars) -> pl.DataFrame:
    rows = [
        {"provider": "p", "symbol": symbol, "interval": "1m", "ts": ts, "open": price,
         "high": price, "low": price, "close": price}
        for (symbol, ts), price in sorted(bars.items())
    ]  # fmt: skip
    return pl.DataFrame(rows, schema={**SCHEMA})


def check_histories(url: str, number: int) -> None:
    """Runs a number of histories: each instant reads as the oracle has it, and as it did before."""
    histories = Histories(url)
    try:
        for seed in range(number):
            histories.run(seed)
    finally:
        histories.close()
    found = histories.found
    assert (found.failures, found.wrong, found.moved) == ([], [], [])
    assert found.loads > number


class Histories:
    """Runs histories in the database at `url`, which is this object's alone."""

    def __init__(self, url: str, writers: int = 3) -> None:
        self.url = url
        self.found = Found()
        self._writers = writers
        self._dice = threading.local()
        self._open = ExitStack()
        self._sql = self._open.enter_context(psycopg.connect(url, autocommit=True))
        self._sql.execute("SET TimeZone = 'UTC'")
        self._sql.execute(WITNESS)
        self._reader = self._open.enter_context(psycopg.connect(url, autocommit=True))
        self._reader.execute("SET TimeZone = 'UTC'")
        self._reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._asker = ReconnectingSession(url)
        self._starter = ReconnectingSession(url)
        self._open.callback(self._asker.close)
        self._open.callback(self._starter.close)
        self._sessions = [(self._writer(), self._prepared()) for _ in range(writers)]

    def _writer(self) -> Connection:
        connection = connect(self.url)
        self._open.callback(connection.close)
        return connection

    def _prepared(self) -> Prepared:
        prepared = Prepared(self.url)
        self._open.callback(prepared.close)
        return prepared

    def close(self) -> None:
        self._open.close()

    def run(self, seed: int) -> None:
        """One history, from an empty store to the comparison of every instant."""
        self._sql.execute(f"TRUNCATE {TABLES}".encode())
        self._runs: list[int] = []
        self._seen: list[Asked] = []
        self._times: set[datetime] = set()
        writing = [
            threading.Thread(target=self._guarded, args=(self._write, number, seed))
            for number in range(self._writers)
        ]
        self._still = len(writing)
        asking = threading.Thread(target=self._guarded, args=(self._ask, -1, seed))
        with slowed(self._pause):
            for thread in (*writing, asking):
                thread.start()
            for thread in writing:
                thread.join()
                self._still -= 1
            asking.join()
        self._compare(seed)
        self.found.histories += 1

    def _guarded(self, work: Callable[[int], None], number: int, seed: int) -> None:
        self._dice.own = random.Random(f"{seed} {number}")
        try:
            work(number)
        except BaseException as error:
            self.found.failures.append(error)

    def _pause(self) -> None:
        dice = getattr(self._dice, "own", None)
        if dice is not None and dice.random() < 0.7:
            time.sleep(dice.random() * 0.004)

    def _write(self, number: int) -> None:
        dice = self._dice.own
        for _ in range(dice.randrange(2, 4)):
            try:
                self._step(dice, *self._sessions[number])
            except MdloadError as error:  # in another's way, or nothing to do: on to the next
                name = type(error).__name__
                self.found.refused[name] = self.found.refused.get(name, 0) + 1
            self._pause()

    def _step(self, dice: random.Random, writer: Connection, prepared: Prepared) -> None:
        what = dice.choices(
            ("load", "live", "archive", "rollback", "delete", "rename"), (4, 3, 2, 3, 1, 1)
        )[0]
        bars = {
            (dice.choice("ABC"), T0 + timedelta(minutes=dice.randrange(4))): dice.randrange(9) + 1.0
            for _ in range(dice.randrange(1, 5))
        }
        if what == "rollback":
            if self._runs:
                undone = dice.choice(self._runs)
                undo.rollback(self.url, Since(run_id=undone), self._new_run(), keep_later=False)
        elif what == "delete":
            undo.delete(self.url, SeriesFilter(symbols=(dice.choice("ABC"),)), self._new_run())
        elif what == "rename":
            old, new = dice.sample("ABC", 2)
            undo.rename(self.url, old, new, SeriesFilter(), self._new_run())
        elif what == "live":
            self._live(prepared, bars, self._new_run())
        elif what == "archive":
            symbol = dice.choice("DE")
            bars = {(symbol, ts): price for (_, ts), price in bars.items()}
            # Between the instants that this history asks for, as often as before all of them.
            known_at = datetime.now(UTC) - timedelta(milliseconds=dice.choice((1, 9, 86_400_000)))
            self._times.add(known_at)
            self._load(writer, bars, self._new_run(), known_at)
        else:
            self._load(writer, bars, self._new_run(), None)

    def _new_run(self) -> int:
        rows = self._starter.rows("job_run_start", "j", None, "p", "backfill", None, None, "{}")
        run: int = rows[0]["id"]
        self._runs.append(run)
        return run

    def _load(self, writer: Connection, bars: Bars, run: int, known_at: datetime | None) -> None:
        """As a file's: through the stage, the load last."""
        with writer.transaction():
            done = merge.upsert(writer, [frame(bars)], run, None)
            self._finish(writer, bars, done, run, known_at)
        writer.renew()

    def _live(self, prepared: Prepared, bars: Bars, run: int) -> None:
        """As a client's batch: by one statement."""
        statement = merge.Statement.of(frame(bars))
        prepared.new_in_a_row = self._dice.own.choice((0, merge.LIKELY_NEW))
        with prepared.transaction():
            done, _ = merge.merge_statement(prepared, statement, run)
            self._finish(prepared, bars, done, run, None)

    def _finish(
        self, session: Executor, bars: Bars, done: merge.Merged, run: int, known_at: datetime | None
    ) -> None:
        self._pause()
        counts = Counts(read=len(bars), inserted=done.inserted, updated=done.updated)
        if known_at is not None:
            forward.insist(session, _Series({s for s, _ in bars}), known_at, "archive")
        record(session, Load(known_at=known_at), counts, run)
        self._pause()

    def _ask(self, _: int) -> None:
        number = 0
        while (self._still and number < _ASKS) or number < 2:
            number += 1
            if number % 3:
                (row,) = self._asker.rows("settled")
                moment: datetime = row["settled"]
                self._seen.append(self._answer("bars_ohlcv_as_of", moment, moment, 2**63 - 1))
            else:
                pin = pins.make(self._asker, f"pin{number}")
                self._seen.append(
                    self._answer("bars_ohlcv_at", pin.name, pin.known_at, pin.load_id)
                )
            self._pause()

    def _answer(self, where: str, at: object, known_at: datetime, load_id: int) -> Asked:
        """In one snapshot with the loads that are there."""
        with self._reader.transaction():
            state = read(self._reader, where, at)
            loads = self._reader.execute("SELECT id FROM bars_loads").fetchall()
        return Asked(where, at, known_at, load_id, state, frozenset(n for (n,) in loads))

    def _compare(self, seed: int) -> None:
        if self.found.failures:
            return
        loads = {
            xact_at: (number, known_at)
            for number, xact_at, known_at in self._sql.execute(
                "SELECT id, xact_at, known_at FROM bars_loads"
            )
        }
        changes = [
            (*loads[xact_at], (symbol, ts), close)
            for xact_at, symbol, ts, close in self._sql.execute(
                "SELECT xact_at, symbol, ts, close FROM witness ORDER BY n"
            )
        ]
        self.found.loads += len(loads)
        everything = frozenset(number for number, _ in loads.values())
        now = oracle(changes, everything, datetime.max.replace(tzinfo=UTC), 2**63 - 1)
        if (stored := read(self._sql, "bars_ohlcv")) != now:
            self.found.wrong.append(f"history {seed}, now: {stored} for {now}")
        for one in self._seen:
            self.found.asked += 1
            again = read(self._sql, one.where, one.at)
            was = oracle(changes, one.loads, one.known_at, one.load_id)
            is_ = oracle(changes, everything, one.known_at, one.load_id)
            place = f"history {seed}, {one.where}({one.at})"
            if one.state != was:
                self.found.wrong.append(f"{place} at once: {one.state} for {was}")
            if again != is_:
                self.found.wrong.append(f"{place} at the end: {again} for {is_}")
            late = any(
                at in self._times and number not in one.loads
                and number <= one.load_id and at <= one.known_at
                for number, at in loads.values()
            )  # fmt: skip
            if again != one.state and (one.where == "bars_ohlcv_at" or not late):
                self.found.moved.append(place)


@dataclass(frozen=True)
class _Series:
    symbols: set[str]
    providers: set[str] = field(default_factory=lambda: {"p"})
    intervals: set[str] = field(default_factory=lambda: {"1m"})


def oracle(
    changes: list[tuple[int, datetime, Key, float | None]],
    loads: frozenset[int],
    known_at: datetime,
    load_id: int,
) -> State:
    """The bars by the changes of `loads` that were known by `known_at` and up to `load_id`."""
    state: State = {}
    for number, at, key, close in changes:
        if number in loads and number <= load_id and at <= known_at:
            state.pop(key, None)
            if close is not None:
                state[key] = close
    return state


def read(connection: psycopg.Connection[Any], where: str, *params: object) -> State:
    call = f"{where}(%s)" if params else where
    rows = connection.execute(
        f"SELECT symbol, ts, close FROM {call}".encode(), params or None
    ).fetchall()
    state: State = {(symbol, ts): close for symbol, ts, close in rows}
    assert len(state) == len(rows), ("a bar twice", where, params, rows)
    return state


@contextmanager
def slowed(pause: Callable[[], None]) -> Iterator[None]:
    """Commands that take bars away pause before and after they record their load."""
    real = undo.add_counts

    def slowly(*args: Any, **kwargs: Any) -> None:
        pause()
        real(*args, **kwargs)
        pause()

    undo.add_counts = slowly
    try:
        yield
    finally:
        undo.add_counts = real
