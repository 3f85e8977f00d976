"""The first load into an empty table: its key comes back in the same transaction."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.db import retries
from loader.db.arrow import connect
from loader.errors import Contended
from loader.ingest.pipeline import load
from loader.ingest.run import LoadRun
from loader.read.sources import find
from loader.results import LoadResult
from loader.results.events import BarsWritten, Event, RowsDone
from loader.settings import RejectLimit, Settings
from loader.store.merge import first_load
from tests.conftest import CITUS, TIMESCALE, database, not_on_citus, pieces_of
from tests.support.sql import fetch

pytestmark = pytest.mark.skipif(bool(TIMESCALE), reason="a hypertable keeps its key")

ROWS = 600
SMALL = Settings(batch_rows=pieces_of(100), max_rejects=RejectLimit.parse("0"))
START = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
KEY = "SELECT oid FROM pg_class WHERE oid = to_regclass('bars_ohlcv_pk')"
#: All that says what the table is, apart from the numbers of its parts.
CATALOG = """
SELECT 'constraint', conname, pg_get_constraintdef(oid), contype::text FROM pg_constraint
 WHERE conrelid = 'bars_ohlcv'::regclass
UNION ALL SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid::text
  FROM pg_index WHERE indrelid = 'bars_ohlcv'::regclass
UNION ALL SELECT 'column', attname, format_type(atttypid, atttypmod), attnotnull::text
  FROM pg_attribute WHERE attrelid = 'bars_ohlcv'::regclass AND attnum > 0
UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid), tgenabled::text FROM pg_trigger
 WHERE tgrelid = 'bars_ohlcv'::regclass
ORDER BY 1, 2, 3
"""
#: The same of each shard, on a cluster.
SHARDS = """
SELECT shardid, result FROM run_command_on_shards('bars_ohlcv', $$
    SELECT (SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), ', ' ORDER BY conname)
              FROM pg_constraint WHERE conrelid = i.indrelid)
           || string_agg(concat(pg_get_indexdef(indexrelid), indisvalid), ', '
                      ORDER BY pg_get_indexdef(indexrelid))
      FROM pg_index i WHERE indrelid = '%s'::regclass GROUP BY indrelid $$)
 ORDER BY shardid
"""
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


@pytest.fixture(autouse=True)
def every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_load, "FEWEST", 1)


def bars(symbol: str, rows: int = ROWS) -> pl.DataFrame:
    number = pl.Series(range(rows))
    return pl.DataFrame({
        "provider": "made", "symbol": symbol, "interval": "1m",
        "ts": [START + timedelta(minutes=n) for n in range(rows)],
        "open": 10.0 + number % 7, "high": 20.0 + number % 5, "low": 5.0 + number % 3,
        "close": 11.0 + number % 6, "volume": 100.0 + number,
    })  # fmt: skip


def catalog_of(url: str) -> list[tuple[Any, ...]]:
    return fetch(url, CATALOG) + (fetch(url, SHARDS) if CITUS else [])


def written(frame: pl.DataFrame, path: Path) -> Path:
    frame.write_parquet(path)
    return path


def loaded(url: str, *paths: Path, settings: Settings = SMALL, listener: Any = None) -> LoadResult:
    with find([str(path) for path in paths]) as sources:
        return load(settings, url, sources, [listener] if listener else [])


def stored(url: str) -> list[tuple[Any, ...]]:
    return fetch(
        url, "SELECT symbol, ts, open, high, low, close, volume FROM bars_ohlcv ORDER BY 1, 2"
    )


def rows_of(*frames: pl.DataFrame) -> list[tuple[Any, ...]]:
    together = pl.concat(frames).sort("symbol", "ts")
    return together.select("symbol", "ts", "open", "high", "low", "close", "volume").rows()


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_table_is_as_before(database_url: str, tmp_path: Path, shuffled: bool) -> None:
    frame = bars("AAA")
    path = written(
        frame.sample(ROWS, shuffle=True, seed=3) if shuffled else frame, tmp_path / "a.parquet"
    )
    catalog, key = catalog_of(database_url), fetch(database_url, KEY)
    result = loaded(database_url, path)
    assert (result.status, result.counts.inserted) == ("success", ROWS)
    assert stored(database_url) == rows_of(frame)
    assert catalog_of(database_url) == catalog
    assert shuffled or fetch(database_url, KEY) != key
    key = fetch(database_url, KEY)
    assert (
        loaded(database_url, written(bars("BBB"), tmp_path / "b.parquet")).counts.inserted == ROWS
    )
    assert fetch(database_url, KEY) == key


@pytest.fixture(scope="module")
def kept_url(server_url: str, template: str) -> Iterator[str]:
    with database(server_url, template) as url:
        yield url


def free(url: str) -> bool:
    with closing(connect(url)) as writer:
        return first_load.hold(writer)


@contextmanager
def said(url: str, do: str, undo: str) -> Iterator[None]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(do.encode())
        yield
        connection.execute(undo.encode())


HANGING = {
    "a foreign key": (
        "CREATE TABLE notes (provider text, symbol text, i text, ts timestamptz,"
        " FOREIGN KEY (provider, symbol, i, ts) REFERENCES bars_ohlcv)", "DROP TABLE notes"),
    "a view that groups by the key": (
        "CREATE VIEW v AS SELECT open FROM bars_ohlcv GROUP BY provider, symbol, interval, ts",
        "DROP VIEW v"),
    "a publication": ("CREATE PUBLICATION p FOR TABLE bars_ohlcv", "DROP PUBLICATION p"),
    "a publication of all": ("CREATE PUBLICATION p FOR ALL TABLES", "DROP PUBLICATION p"),
    "replica identity": (
        "ALTER TABLE bars_ohlcv REPLICA IDENTITY USING INDEX bars_ohlcv_pk",
        "ALTER TABLE bars_ohlcv REPLICA IDENTITY DEFAULT"),
    "an order": (
        "ALTER TABLE bars_ohlcv CLUSTER ON bars_ohlcv_pk",
        "ALTER TABLE bars_ohlcv SET WITHOUT CLUSTER"),
    "a comment": (
        "COMMENT ON CONSTRAINT bars_ohlcv_pk ON bars_ohlcv IS 'ours'",
        "COMMENT ON CONSTRAINT bars_ohlcv_pk ON bars_ohlcv IS NULL"),
    "a setting of the index": (
        "ALTER INDEX bars_ohlcv_pk SET (fillfactor = 70)",
        "ALTER INDEX bars_ohlcv_pk RESET (fillfactor)"),
    "a trigger": (
        "CREATE TRIGGER t BEFORE INSERT ON bars_ohlcv FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()", "DROP TRIGGER t ON bars_ohlcv"),
    "a rule": (
        "CREATE RULE r AS ON DELETE TO bars_ohlcv DO INSTEAD NOTHING", "DROP RULE r ON bars_ohlcv"),
    "row security": (
        "ALTER TABLE bars_ohlcv ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE bars_ohlcv DISABLE ROW LEVEL SECURITY"),
    "another name": (
        "ALTER TABLE bars_ohlcv RENAME CONSTRAINT bars_ohlcv_pk TO mine",
        "ALTER TABLE bars_ohlcv RENAME CONSTRAINT mine TO bars_ohlcv_pk"),
    "a child": ("CREATE TABLE child () INHERITS (bars_ohlcv)", "DROP TABLE child"),
    "who settles the store": (
        "SELECT pg_advisory_lock(120278083395941)", "SELECT pg_advisory_unlock(120278083395941)"),
}  # fmt: skip


@pytest.mark.parametrize("what", HANGING)
def test_what_hangs_on_the_key_keeps_it(kept_url: str, what: str) -> None:
    assert free(kept_url)
    with said(kept_url, *HANGING[what]):
        assert not free(kept_url)
    assert free(kept_url)


def test_an_event_trigger_keeps_the_key(kept_url: str) -> None:
    function = (
        "CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "DROP FUNCTION seen()",
    )
    trigger = (
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION seen()",
        "DROP EVENT TRIGGER e",
    )
    with said(kept_url, *function), said(kept_url, *trigger):
        assert not free(kept_url)
    assert free(kept_url)


def test_a_partitioned_parent_keeps_the_key(server_url: str, partitioned_template: str) -> None:
    with database(server_url, partitioned_template) as url:
        assert not free(url)


@pytest.mark.parametrize(
    "unique", [False, pytest.param(True, marks=not_on_citus("a unique index has the symbol"))]
)
def test_indexes_of_others_stay_and_are_honoured(
    database_url: str, tmp_path: Path, unique: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unique one, which two bars break, fails the load as it always would."""
    monkeypatch.setattr(retries, "ATTEMPTS", 1)
    kind = "UNIQUE INDEX mine ON bars_ohlcv (volume)" if unique else "INDEX mine ON bars_ohlcv (ts)"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE {kind}".encode())
    catalog, key = catalog_of(database_url), fetch(database_url, KEY)
    frame = bars("AAA")
    if unique:
        twice = frame.with_columns(volume=pl.lit(1.0))
        failed = loaded(database_url, written(twice, tmp_path / "twice.parquet"))
        assert (failed.status, stored(database_url)) == ("failure", [])
        assert catalog_of(database_url) == catalog
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("TRUNCATE bars_ohlcv")
        key = fetch(database_url, KEY)
    assert loaded(database_url, written(frame, tmp_path / "a.parquet")).status == "success"
    assert fetch(database_url, KEY) != key
    assert catalog_of(database_url) == catalog
    with psycopg.connect(database_url) as connection:
        connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        found = connection.execute("SELECT count(*) FROM bars_ohlcv WHERE ts >= '2000-01-01'")
        assert found.fetchall() == [(ROWS,)]


def test_a_reader_in_a_transaction_keeps_the_key(kept_url: str, tmp_path: Path) -> None:
    key = fetch(kept_url, KEY)
    with psycopg.connect(kept_url) as reader:
        reader.execute("SELECT FROM bars_ohlcv")
        with pytest.raises(Contended):
            free(kept_url)
        result = loaded(kept_url, written(bars("AAA"), tmp_path / "a.parquet"))
        assert (result.status, result.counts.inserted) == ("success", ROWS)
        assert fetch(kept_url, KEY) == key
    with psycopg.connect(kept_url, autocommit=True) as other:
        other.execute("TRUNCATE bars_ohlcv")


def test_readers_see_nothing_or_all(database_url: str, tmp_path: Path) -> None:
    seen, done = set(), threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.update(fetch(database_url, "SELECT count(*) FROM bars_ohlcv"))

    path = written(bars("AAA", 5_000), tmp_path / "a.parquet")
    reader = threading.Thread(target=read)
    started = threading.Event()

    def listen(event: Event) -> None:
        if isinstance(event, RowsDone) and not started.is_set():
            started.set()
            reader.start()

    key = fetch(database_url, KEY)
    try:
        assert loaded(database_url, path, listener=listen).status == "success"
    finally:
        done.set()
        reader.join(60)
    assert fetch(database_url, KEY) != key
    assert seen <= {(0,), (5_000,)}
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(5_000,)]


def test_two_first_loads_at_once(database_url: str, tmp_path: Path) -> None:
    frames = {name: bars(name, 3_000) for name in ("AAA", "BBB", "CCC", "DDD")}
    catalog = catalog_of(database_url)
    paths = [written(frame, tmp_path / f"{name}.parquet") for name, frame in frames.items()]
    results: list[LoadResult] = []

    def run(*own: Path) -> None:
        two = Settings(batch_rows=pieces_of(100), workers=2)
        results.append(loaded(database_url, *own, settings=two))

    threads = [threading.Thread(target=run, args=paths[n : n + 2]) for n in (0, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [result.status for result in results] == ["success"] * 2
    assert stored(database_url) == rows_of(*frames.values())
    assert catalog_of(database_url) == catalog


def killing(url: str, at: int) -> Callable[[Event], None]:
    """Ends all sessions at the event of that number."""
    events = [0]

    def listen(event: Event) -> None:
        if isinstance(event, RowsDone | BarsWritten):
            events[0] += 1
            if events[0] == at:
                fetch(url, TERMINATE)

    return listen


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_leaves_the_empty_table_with_its_key(
    database_url: str, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = bars("AAA", 1_000)
    path = written(frame, tmp_path / "a.parquet")
    catalog = catalog_of(database_url)
    at = random.Random(seed).randint(1, 10)
    monkeypatch.setattr(retries, "ATTEMPTS", 1)
    monkeypatch.setenv("MDLOAD_OUTAGE_SECONDS", "0")
    result = loaded(database_url, path, listener=killing(database_url, at))
    assert result.status == "failure"
    assert stored(database_url) == []
    assert catalog_of(database_url) == catalog
    monkeypatch.undo()
    assert loaded(database_url, path).counts.inserted == 1_000
    assert stored(database_url) == rows_of(frame)
    assert catalog_of(database_url) == catalog


@pytest.mark.parametrize("at", [1, 3, 6])
def test_a_cancel_leaves_the_empty_table_with_its_key(
    database_url: str, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after `at` pieces."""
    path = written(bars("AAA"), tmp_path / "a.parquet")
    catalog = catalog_of(database_url)
    seen, cancelled = [], threading.Event()
    cancel = LoadRun.cancel

    def cancelling(run: LoadRun) -> None:
        cancel(run)
        cancelled.set()

    def listen(event: Event) -> None:
        if isinstance(event, RowsDone) and event.rows > 0:
            seen.append(event)
            if len(seen) == at:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                assert cancelled.wait(60)

    monkeypatch.setattr(LoadRun, "cancel", cancelling)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            loaded(database_url, path, listener=listen)
    finally:
        signal.signal(signal.SIGINT, before)
    assert stored(database_url) == []
    assert catalog_of(database_url) == catalog
    assert loaded(database_url, path).counts.inserted == ROWS
    assert catalog_of(database_url) == catalog


def test_a_file_that_is_refused_leaves_the_empty_table_with_its_key(
    database_url: str, tmp_path: Path
) -> None:
    bad = bars("AAA").with_columns(
        low=pl.when(pl.int_range(ROWS) == 599).then(99.0).otherwise("low")
    )
    catalog = catalog_of(database_url)
    result = loaded(database_url, written(bad, tmp_path / "a.parquet"))
    assert [file.state for file in result.files] == ["refused"]
    assert stored(database_url) == []
    assert catalog_of(database_url) == catalog
