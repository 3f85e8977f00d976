"""Every instant that was ever asked for against a slow oracle that keeps all versions."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loader.bars import SCHEMA
from loader.db.arrow import connect
from loader.db.reconnecting import ReconnectingSession
from loader.errors import LaterChanges, NothingStored, SettingsError
from loader.results import Counts
from loader.store import merge
from loader.store.runs.loads import Load, record
from loader.store.runs.tracker import JobRunTracker
from loader.store.series import SeriesFilter
from loader.store.versions import pins, undo
from loader.store.versions.selection import Since
from tests.conftest import TIMESCALE, compress, database

T0 = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
Key = tuple[str, datetime]
State = dict[Key, float]


@pytest.fixture(scope="module", params=["one table", "partitions"])
def module_url(request: pytest.FixtureRequest, server_url: str) -> Iterator[str]:
    if request.param == "partitions" and TIMESCALE:
        pytest.skip("a hypertable has partitions of its own")
    name = "template" if request.param == "one table" else "partitioned_template"
    with database(server_url, request.getfixturevalue(name)) as url:
        yield url


def empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_loads, bars_pins, bars_rejected,"
            " provider_symbols, job_run_files, job_runs CASCADE"
        )


def frame(bars: State) -> pl.DataFrame:
    rows = [
        {"provider": "p", "symbol": symbol, "interval": "1m", "ts": ts, "open": price,
         "high": price, "low": price, "close": price}
        for (symbol, ts), price in sorted(bars.items())
    ]  # fmt: skip
    return pl.DataFrame(rows, schema={**SCHEMA})


def load(url: str, bars: State, run_id: int | None, pause: Callable[[], None]) -> None:
    """One transaction as a file's is: what is the same is left out, the rest goes through the
    stage, and the load is recorded last. `pause` comes between statement and commit."""
    with connect(url) as writer, writer.transaction():
        done = merge.upsert(writer, [frame(bars)], run_id, None)
        pause()
        counts = Counts(read=len(bars), inserted=done.inserted, updated=done.updated)
        record(writer, Load(), counts, run_id)
        pause()


@contextmanager
def reading(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A session for `read`, in which each query is planned anew."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def read(connection: psycopg.Connection[Any], where: str, *params: object) -> State:
    found = connection.execute(f"SELECT symbol, ts, close FROM {where}".encode(), params or None)
    rows = found.fetchall()
    state: State = {(symbol, ts): close for symbol, ts, close in rows}
    assert len(state) == len(rows), "a bar twice"
    return state


def stored(url: str) -> State:
    with reading(url) as reader:
        return read(reader, "bars_ohlcv")


def settled(session: ReconnectingSession) -> datetime:
    (row,) = session.rows("settled")
    moment: datetime = row["settled"]
    return moment


@dataclass
class Oracle:
    """All states there ever were, what each run changed (run, key, before, after), and which run
    rolled which back. A run that was rolled back, and that rollback, come to nothing together."""

    now: State = field(default_factory=dict)
    asked: dict[datetime, State] = field(default_factory=dict)
    pinned: dict[str, State] = field(default_factory=dict)
    log: list[tuple[int, Key, float | None, float | None]] = field(default_factory=list)

    rollbacks: list[tuple[int, int]] = field(default_factory=list)

    def dead(self, wanted: int) -> set[int]:
        dead: set[int] = set()
        for run, target in reversed(self.rollbacks):
            if run not in dead and run != wanted:
                dead |= {run, target}
        return dead

    def becomes(self, run: int, after: dict[Key, float | None]) -> None:
        for key, value in after.items():
            before = self.now.get(key)
            if before != value:
                self.log.append((run, key, before, value))
                if value is None:
                    del self.now[key]
                else:
                    self.now[key] = value

    def before(self, run: int) -> dict[Key, float | None] | None:
        """By key what a rollback of `run` makes of it; None where a later run changed it too."""
        after: dict[Key, float | None] = {}
        dead = self.dead(run)
        if run in dead:
            return None
        for key in {key for by, key, *_ in self.log if by == run}:
            own = [entry for entry in self.log if entry[1] == key and entry[0] not in dead]
            if own[-1][0] != run:
                return None
            while own and own[-1][0] == run:
                own.pop()
            after[key] = own[-1][3] if own else None
        return after


symbols = st.sampled_from(["A", "B", "C"])
keys = st.tuples(symbols, st.integers(0, 5).map(lambda n: T0 + timedelta(minutes=n)))
prices = st.sampled_from([10.0, 10.5, 11.0])
step = st.one_of(
    st.tuples(st.just("load"), st.dictionaries(keys, prices, min_size=1, max_size=8)),
    st.tuples(st.just("load"), st.dictionaries(keys, prices, min_size=1, max_size=8)),
    st.tuples(st.just("rollback"), st.integers(0, 9)),
    st.tuples(st.just("rollback"), st.integers(0, 9)),
    st.tuples(st.just("delete"), symbols),
    st.tuples(st.just("rename"), st.permutations(["A", "B", "C"]).map(lambda p: tuple(p[:2]))),
    st.tuples(st.just("pin"), st.none()),
)


def at(symbol: str, minute: int) -> Key:
    return symbol, T0 + timedelta(minutes=minute)


#: A rollback of the first load is refused, though the bars of the second are those of a rollback's
#: rollback; and a rollback is rolled back although the load before it was undone meanwhile.
STILL_THERE = [
    ("load", {at("C", 1): 10.0, at("A", 3): 10.0}),
    ("load", {at("C", 1): 11.0, at("C", 2): 10.5}),
    ("rollback", 1), ("rollback", 2), ("rollback", 0),
]  # fmt: skip
BOTH_UNDONE = [
    ("load", {at("A", 0): 10.0, at("A", 1): 10.0}),
    ("load", {at("A", 1): 11.0, at("C", 0): 10.0}),
    ("rollback", 1), ("rollback", 0), ("rollback", 2),
]  # fmt: skip

#: The load's bar was taken away by a rollback of the first load, and written again since.
WRITTEN_AGAIN = [
    ("load", {at("A", 1): 10.0}), ("load", {at("A", 4): 10.0}),
    ("rollback", 1), ("rollback", 2), ("rollback", 1),
    ("load", {at("A", 4): 10.5}), ("rollback", 3),
]  # fmt: skip

#: A rollback that has nothing to change counts as one all the same: the fourth, of the second one.
NOTHING_LEFT = [
    ("load", {at("A", 0): 10.0}),
    ("rollback", 0), ("rollback", 1),
    ("load", {at("A", 0): 10.0}),
    ("rollback", 0), ("rollback", 2),
]  # fmt: skip


@example(steps=[*NOTHING_LEFT, ("rollback", 2)], packed=False)
@example(steps=[*NOTHING_LEFT, ("rollback", 1)], packed=False)
@example(steps=[*NOTHING_LEFT, ("rollback", 5), ("rollback", 2)], packed=False)
@example(steps=WRITTEN_AGAIN, packed=False)
@example(steps=STILL_THERE, packed=False)
@example(steps=BOTH_UNDONE, packed=False)
@given(steps=st.lists(step, min_size=1, max_size=12), packed=st.booleans())
@settings(max_examples=40)
def test_every_instant_reads_as_it_did(
    module_url: str, steps: list[tuple[str, Any]], packed: bool
) -> None:
    url = module_url
    empty(url)
    oracle = Oracle()
    runs: list[int] = []
    with (
        JobRunTracker(url) as tracker,
        reading(url) as reader,
        closing(ReconnectingSession(url)) as asker,
    ):
        for number, (what, given) in enumerate(steps):
            run = tracker.start_run("j", mode="backfill")
            if what == "pin":
                pins.make(asker, f"pin{number}")
                oracle.pinned[f"pin{number}"] = dict(oracle.now)
            elif what == "load":
                load(url, given, run, lambda: None)
                oracle.becomes(run, given)
                runs.append(run)
            else:
                after = expected(oracle, what, given, runs)
                try:
                    run = act(url, what, given, tracker, runs)
                except (LaterChanges, NothingStored, SettingsError):
                    assert not after, (what, given)
                else:
                    assert after is not None, (what, given)
                    oracle.becomes(run, after)
                    if what == "rollback":
                        oracle.rollbacks.append((run, runs[given % len(runs)]))
                    runs.append(run)
            if packed:
                compress(url)
            assert read(reader, "bars_ohlcv") == oracle.now
            oracle.asked[settled(asker)] = dict(oracle.now)
        for moment, state in oracle.asked.items():
            assert read(reader, "bars_ohlcv_as_of(%s)", moment) == state
        for name, state in oracle.pinned.items():
            assert read(reader, "bars_ohlcv_at(%s)", name) == state


def expected(
    oracle: Oracle, what: str, given: Any, runs: list[int]
) -> dict[Key, float | None] | None:
    if what == "delete":
        return {key: None for key in oracle.now if key[0] == given}
    if what == "rename":
        moved = {key: value for key, value in oracle.now.items() if key[0] == given[0]}
        after: dict[Key, float | None] = dict.fromkeys(moved)
        there = {(given[1], ts): value for (_, ts), value in moved.items()}
        return None if there.keys() & oracle.now.keys() else after | there
    return oracle.before(runs[given % len(runs)]) if runs else None


def act(url: str, what: str, given: Any, tracker: JobRunTracker, runs: list[int]) -> int:
    """Gives the run that did it."""
    if what != "rollback":
        run = tracker.start_run(what, mode="backfill")
        if what == "delete":
            undo.delete(url, SeriesFilter(symbols=(given,)), run)
        else:
            undo.rename(url, given[0], given[1], SeriesFilter(), run)
        return run
    if not runs:
        raise NothingStored("no run")
    since = Since(run_id=runs[given % len(runs)])
    run = tracker.start_run(what, mode="backfill")
    undo.rollback(url, since, run)
    tracker.complete_run(run)
    return run


def test_a_rollback_of_a_rollback_is_the_run_again(database_url: str) -> None:
    keys_ = [("A", T0 + timedelta(minutes=n)) for n in range(6)]
    with JobRunTracker(database_url) as tracker:
        first, second, back, again = (tracker.start_run("j", mode="backfill") for _ in range(4))
    load(database_url, dict.fromkeys(keys_[:4], 10.0), first, lambda: None)
    before = stored(database_url)
    load(database_url, dict.fromkeys(keys_[2:], 11.0), second, lambda: None)
    after = stored(database_url)
    undo.rollback(database_url, Since(run_id=second), back)
    assert stored(database_url) == before
    undo.rollback(database_url, Since(run_id=back), again)
    assert stored(database_url) == after


def test_no_instant_moves_while_several_write(database_url: str) -> None:
    """Writers pause between their statements and the commit; instants and pins are asked for
    meanwhile and once more at the end."""
    url = database_url
    seen: list[tuple[str, object, State]] = []
    failures: list[BaseException] = []
    stop = threading.Event()

    def write(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(25):
            bars = {
                (dice.choice("ABC"), T0 + timedelta(minutes=dice.randrange(8))): dice.random()
                for _ in range(dice.randrange(1, 6))
            }
            for _ in range(8):
                try:
                    load(url, bars, None, lambda: time.sleep(dice.random() * 0.01))
                    break
                except Exception as error:
                    if not getattr(error, "retryable", False):
                        failures.append(error)
                        return

    def ask(reader: psycopg.Connection[Any], asker: ReconnectingSession) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                if number % 3:
                    moment = settled(asker)
                    state = read(reader, "bars_ohlcv_as_of(%s)", moment)
                    seen.append(("bars_ohlcv_as_of(%s)", moment, state))
                else:
                    pins.make(asker, f"pin{number}")
                    state = read(reader, "bars_ohlcv_at(%s)", f"pin{number}")
                    seen.append(("bars_ohlcv_at(%s)", f"pin{number}", state))
            except BaseException as error:
                failures.append(error)
                return

    with reading(url) as reader, closing(ReconnectingSession(url)) as asker:
        writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
        asking = threading.Thread(target=ask, args=(reader, asker))
        for thread in (*writers, asking):
            thread.start()
        for thread in writers:
            thread.join()
        stop.set()
        asking.join()
        assert failures == []
        assert len(seen) > 10
        moved = [(where, at) for where, at, state in seen if read(reader, where, at) != state]
        assert moved == []
        last = read(reader, "bars_ohlcv_as_of(%s)", settled(asker))
        assert last == read(reader, "bars_ohlcv")
