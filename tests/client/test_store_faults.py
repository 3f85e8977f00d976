"""The client when things go wrong: sessions that end, commits without an answer, other writers."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import unquote

import psycopg
import pytest

from loader.client import AsyncStoreClient, StoreClient, transaction
from loader.client.bar import BarLike
from loader.db import retries
from loader.db.embedded import embedded, start, stop
from loader.errors import Cancelled, ConnectionLost, Contended, DatabaseError
from loader.results.events import BarsWritten, Event
from loader.store.runs import JobRunTracker
from tests.conftest import CITUS, not_on_citus
from tests.support.candles import Candle, minutes
from tests.support.sql import fetch, wait_for

COUNT = "SELECT count(*) FROM bars_ohlcv"
CLOSES = "SELECT symbol, ts, close FROM bars_ohlcv ORDER BY 1, 2"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "pause", lambda attempt: 0.02 * attempt)


@pytest.fixture(params=["statement", "copy"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(transaction, "STATEMENT_ROWS", 10**9 if request.param == "statement" else 0)
    return str(request.param)


def end_sessions(url: str) -> int:
    """Ends every other session of the database, as an administrator or a restart would."""
    return len(
        fetch(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    )


def test_sessions_that_ended_between_batches(database_url: str) -> None:
    with StoreClient(database_url) as client:
        assert client.write_bars(minutes(3)) == 3
        assert end_sessions(database_url) > 0
        assert client.write_bars(minutes(5)) == 2
        end_sessions(database_url)
        assert client.write_bars(minutes(6)).unchanged == 5


#: Who waits for a lock; on a cluster, of another server. Its own processes wait for locks too.
WAITS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND (wait_event_type = "
    + (
        "'Lock' OR pid IN (SELECT waiting_gpid % 10000000000 FROM citus_lock_waits))"
        if CITUS
        else "'Lock')"
    )
)


def test_a_session_that_ends_in_the_middle(database_url: str) -> None:
    """It waits for a lock, is ended there, and the batch is run again."""
    heard: list[Event] = []
    with (
        StoreClient(database_url, listeners=[heard.append]) as client,
        psycopg.connect(database_url) as blocker,
        ThreadPoolExecutor(1) as thread,
    ):
        client.write_bars(minutes(1))
        blocker.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        writing = thread.submit(client.write_bars, minutes(4))
        wait_for(database_url, WAITS)
        fetch(database_url, f"SELECT pg_terminate_backend(pid) FROM ({WAITS}) AS waiting")
        blocker.rollback()
        result = writing.result()
    assert (result.inserted, result.unchanged) == (3, 1)
    assert fetch(database_url, COUNT) == [(4,)]
    assert [e.committed for e in heard if isinstance(e, BarsWritten)][-1] is True


class Line:
    """A line to the server that can be cut around the next COMMIT.

    `before`: the COMMIT does not arrive. `after`: it does, and its answer gets lost. `unnoticed`:
    it does not arrive, and the server goes on for a while believing that the client is there.
    """

    def __init__(self, url: str) -> None:
        directory, _, port = unquote(url.split("host=")[1]).partition("&port=")
        self._server = str(Path(directory) / f".s.PGSQL.{port or 5432}")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = re.sub(
            r"@/(\w+)\?.*",
            rf"@127.0.0.1:{self._listener.getsockname()[1]}/\1?sslmode=disable&gssencmode=disable",
            url,
        )
        self.cut: Literal["before", "after", "unnoticed"] | None = None
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._sockets += [client, server]
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if self.cut and re.search(rb"(?<!ON )COMMIT", data):
                    cut, self.cut = self.cut, None
                    if cut == "after":
                        self._muted = client
                        client.shutdown(socket.SHUT_RD)
                        server.sendall(data)
                        time.sleep(0.2)  # the server commits
                    client.shutdown(socket.SHUT_RDWR)
                    if cut == "unnoticed":
                        time.sleep(0.5)
                    break
                server.sendall(data)
        for one in (client, server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    _muted: socket.socket | None = None

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if client is not self._muted:
                    client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    line = Line(database_url)
    yield line
    line.close()


@pytest.mark.parametrize("cut", ["before", "after", "unnoticed"])
def test_a_commit_without_an_answer(
    database_url: str, line: Line, cut: Literal["before", "after", "unnoticed"]
) -> None:
    """The client finds out whether the commit succeeded: everything is stored and counted once."""
    heard: list[Event] = []
    with JobRunTracker(database_url) as tracker:
        run_id = tracker.start_run("feed")
    with StoreClient(line.url, run_id=run_id, listeners=[heard.append]) as client:
        client.write_bars(minutes(2))
        heard.clear()
        line.cut = cut
        changed = [*minutes(4, close=9.5), Candle(symbol="BB", high=1.0)]
        result = client.write_bars(changed)
    assert line.cut is None
    assert (result.inserted, result.updated, result.rejected) == (2, 2, 1)
    assert fetch(database_url, COUNT) == [(4,)]
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv_revisions") == [(2,)]
    assert fetch(database_url, "SELECT count(*) FROM bars_rejected") == [(1,)]
    assert fetch(
        database_url, "SELECT rows_read, rows_inserted, rows_updated, rows_failed FROM job_runs"
    ) == [(7, 4, 2, 1)]
    told = [(e.bars, e.committed) for e in heard if isinstance(e, BarsWritten)]
    assert told == ([(4, True)] if cut == "after" else [(4, False), (4, True)])


def test_a_server_that_restarts(warm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches continue while the server restarts; nothing is lost or counted twice."""
    from loader.db import retries
    from loader.store import schema

    monkeypatch.setattr(retries, "ATTEMPTS", 30)  # a busy machine starts a server slowly
    url = start(warm)
    schema.upgrade(url)
    batches = [minutes(50, start=50 * n) for n in range(60)]
    written = threading.Semaphore(0)

    def stream() -> Iterator[Candle]:
        for batch in batches:
            written.release()
            time.sleep(0.01)
            yield from batch

    with StoreClient(url) as client, ThreadPoolExecutor(1) as thread:
        writing = thread.submit(client.write_bars, stream(), 50)
        for _ in range(20):
            written.acquire()
        stop(warm)
        start(warm)
        result = writing.result()
    assert (result.submitted, result.inserted) == (3_000, 3_000)
    with embedded(warm) as url:
        assert fetch(url, COUNT) == [(3_000,)]
    stop(warm)


def test_a_server_that_stays_away(database_url: str, line: Line) -> None:
    with StoreClient(line.url) as client:
        client.write_bars(minutes(2))
        line.close()
        with pytest.raises(ConnectionLost):
            client.write_bars(minutes(3))
    assert fetch(database_url, COUNT) == [(2,)]


@contextmanager
def side_by_side(*works: Callable[[], object]) -> Iterator[None]:
    with ThreadPoolExecutor(len(works)) as threads:
        futures = [threads.submit(work) for work in works]
        yield
        for future in futures:
            future.result()


def test_two_clients_on_the_same_keys_in_opposite_order(database_url: str) -> None:
    """Both get through, and revisions tell each bar's history without a gap."""
    symbols = [f"S{n:02}" for n in range(20)]
    prices = {"one": [10.1, 10.2, 10.3, 10.4], "other": [9.9, 9.8, 9.7, 9.6]}
    results = []

    def write(who: str) -> None:
        ordered = symbols if who == "one" else symbols[::-1]
        with StoreClient(database_url) as client:
            for price in prices[who]:
                bars = [c for s in ordered for c in minutes(10, symbol=s, close=price)]
                results.append(client.write_bars(bars, batch_size=50))

    with side_by_side(lambda: write("one"), lambda: write("other")):
        pass
    written = sum(r.inserted for r in results), sum(r.updated for r in results)
    assert sum(r.submitted for r in results) == 8 * 200
    assert written[0] == 200
    revised = fetch(database_url, "SELECT count(*) FROM bars_ohlcv_revisions")[0][0]
    assert revised == written[1] == sum(int(r) for r in results) - 200
    # Each revision begins with what the one before it left; the last one ends at what is stored.
    assert fetch(
        database_url,
        """
        WITH bars AS MATERIALIZED (SELECT symbol, ts, close FROM bars_ohlcv)
        SELECT count(*) FROM (
            SELECT new_close, lead(old_close) OVER history AS next,
                   (SELECT close FROM bars b WHERE (b.symbol, b.ts) = (r.symbol, r.ts)) AS stored
              FROM bars_ohlcv_revisions r
            WINDOW history AS (PARTITION BY symbol, ts ORDER BY id)) AS chained
         WHERE new_close <> coalesce(next, stored)
        """,
    ) == [(0,)]
    assert {c for (c,) in fetch(database_url, "SELECT DISTINCT close FROM bars_ohlcv")} <= {
        10.4,
        9.6,
    }


def test_threads_that_share_a_client(database_url: str) -> None:
    with (
        StoreClient(database_url) as client,
        side_by_side(
            *(
                lambda n=n: client.write_bars(minutes(60, symbol=f"S{n}"), batch_size=20)
                for n in range(4)
            )
        ),
    ):
        pass
    assert fetch(database_url, COUNT) == [(240,)]


def test_another_writer_between_the_look_and_the_insert(database_url: str) -> None:
    """The other writer's bar is still invisible when ours is compared; in the end it is revised."""
    with (
        StoreClient(database_url) as client,
        psycopg.connect(database_url) as other,
        ThreadPoolExecutor(1) as thread,
    ):
        other.execute(
            "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close) "
            "VALUES ('p', 'AA', '1m', %s, 9, 9, 9, 9)",
            [minutes(2)[1].ts],
        )
        writing = thread.submit(client.write_bars, minutes(3))
        wait_for(database_url, WAITS)
        other.commit()
        result = writing.result()
    assert (result.inserted, result.updated) == (2, 1)
    assert fetch(database_url, "SELECT old_close, new_close FROM bars_ohlcv_revisions") == [
        (9.0, 10.5)
    ]


@not_on_citus("lock_timeout holds on the server where it is set")
def test_another_writer_who_never_yields(database_url: str) -> None:
    with (
        StoreClient(database_url) as client,
        psycopg.connect(database_url) as other,
    ):
        client.write_bars(minutes(1))
        other.execute("SELECT FROM bars_ohlcv FOR UPDATE")
        client.close()
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {other.info.dbname} SET lock_timeout = '20ms'".encode())
        with pytest.raises(Contended, match="lock timeout"):
            client.write_bars(minutes(1, close=9.5))
        other.rollback()
        assert client.write_bars(minutes(1, close=9.5)) == 1


def test_a_write_that_is_cancelled(database_url: str) -> None:
    with StoreClient(database_url) as client, ThreadPoolExecutor(1) as thread:
        client.write_bars(minutes(1))
        with psycopg.connect(database_url) as blocker:
            blocker.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
            writing = thread.submit(client.write_bars, minutes(4))
            wait_for(database_url, WAITS)
            client.cancel()
            with pytest.raises((Cancelled, DatabaseError)):
                writing.result(timeout=30)
        assert client.write_bars(minutes(2)) == 1


def test_a_cancel_that_comes_between_two_statements(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ignores it, and the next statement would wait for a lock."""
    reached, go_on = threading.Event(), threading.Event()
    begun = transaction.Transaction._new_spellings

    def held(self: transaction.Transaction) -> Any:
        reached.set()
        go_on.wait()
        return begun(self)

    with StoreClient(database_url) as client, ThreadPoolExecutor(1) as thread:
        client.write_bars(minutes(1))
        with psycopg.connect(database_url) as blocker:
            blocker.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
            monkeypatch.setattr(transaction.Transaction, "_new_spellings", held)
            writing = thread.submit(client.write_bars, minutes(4))
            reached.wait()
            client.cancel()
            go_on.set()
            with pytest.raises((Cancelled, DatabaseError)):
                writing.result(timeout=30)
        assert client.write_bars(minutes(2)) == 1


def test_a_cancel_that_comes_while_bars_are_checked(database_url: str) -> None:
    with StoreClient(database_url) as client:

        class Cancelling:
            def __getattr__(self, name: str) -> object:
                client.cancel()
                return getattr(Candle(), name)

        with pytest.raises(Cancelled):
            client.write_bars(cast("list[BarLike]", [Cancelling()]))
        assert client.write_bars(minutes(2)) == 2
    assert fetch(database_url, COUNT) == [(2,)]


def test_a_task_that_is_cancelled(database_url: str) -> None:
    async def work() -> None:
        async with AsyncStoreClient(database_url) as client:
            await client.write_bars(minutes(1))
            with psycopg.connect(database_url) as blocker:
                blocker.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
                task = asyncio.create_task(client.write_bars(minutes(4)))
                await asyncio.to_thread(wait_for, database_url, WAITS)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await client.write_bars(minutes(2)) == 1

    asyncio.run(work())
    assert fetch(database_url, COUNT) == [(2,)]
