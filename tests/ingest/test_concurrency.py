"""Several writers of the same bars at once: nothing is lost, counted twice or left to the user."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.bars import KEY, SCHEMA, VALUES
from loader.db.arrow import Connection
from loader.ingest import mergers
from loader.ingest.pipeline import load
from loader.ingest.run import LoadMode
from loader.read.sources import find
from loader.results import Counts, LoadResult
from loader.results.events import Event, FileNote, RowsDone
from loader.settings import Settings
from loader.store.merge import early as merge_early
from tests.conftest import TIMESCALE, Ran, not_on_citus, older_too
from tests.support.sql import fetch

T0 = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
VALUE_LIST = ", ".join(VALUES)
KEY_LIST = 'provider, symbol, "interval", ts'


def bars(symbols: Sequence[str], minutes: int, price: float) -> pl.DataFrame:
    """Minute bars from T0 on, symbol by symbol, all of one price."""
    return pl.DataFrame(
        [("p", s, "1m", T0 + timedelta(minutes=m)) for s in symbols for m in range(minutes)],
        schema=list(KEY), orient="row",
    ).select(
        *(pl.col(k).cast(SCHEMA[k]) for k in KEY),
        *(pl.lit(price).alias(v).cast(SCHEMA[v]) for v in VALUES),
    )  # fmt: skip


def written(frame: pl.DataFrame, path: Path) -> Path:
    frame.write_parquet(path)
    return path


def loaded(
    url: str,
    paths: Sequence[Path],
    listeners: Sequence[Callable[[Event], None]] = (),
    **given: Any,
) -> LoadResult:
    # Made-up prices that double look like other units.
    settings = Settings(**{"accept": ("price_scale",), **given})
    with find([str(path) for path in paths]) as sources:
        return load(settings, url, sources, listeners)


def stored(url: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    found = fetch(url, f"SELECT {KEY_LIST}, {VALUE_LIST} FROM bars_ohlcv")
    return {row[:4]: row[4:] for row in found}


def assert_books_balance(url: str) -> None:
    """Checks that the tables agree, whoever wrote when."""
    counts = [f"rows_{n}" for n in (
        "read", "inserted", "updated", "unchanged", "duplicate", "skipped", "failed")]  # fmt: skip
    sums = ", ".join(f"CAST(coalesce(sum({c}), 0) AS bigint)" for c in counts)
    for run_id, *of_run in fetch(url, f"SELECT id, {', '.join(counts)} FROM job_runs"):
        (of_files,) = fetch(url, f"SELECT {sums} FROM job_run_files WHERE run_id = %s", run_id)
        assert tuple(of_run) == of_files
        assert of_run[0] == sum(of_run[1:])
    ((bars, inserted),) = fetch(
        url, "SELECT (SELECT count(*) FROM bars_ohlcv), sum(rows_inserted) FROM job_runs"
    )
    assert bars == inserted
    ((revisions, updated),) = fetch(
        url, "SELECT (SELECT count(*) FROM bars_ohlcv_revisions), sum(rows_updated) FROM job_runs"
    )
    assert revisions == updated
    assert_chains(url)


def assert_chains(url: str) -> None:
    """The old values of each revision are those that were there before it, up to the table's."""
    both = ", ".join(f"{side}_{v}" for side in ("old", "new") for v in VALUES)
    chains: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for row in fetch(url, f"SELECT {KEY_LIST}, {both} FROM bars_ohlcv_revisions ORDER BY id"):
        chains[row[:4]].append(row[4:])
    table = stored(url)
    n = len(VALUES)
    for key, chain in chains.items():
        for before, after in pairwise(chain):
            assert before[n:] == after[:n]
        assert all(link[:n] != link[n:] for link in chain)
        assert table[key] == chain[-1][n:]


def retries(said: Sequence[Event]) -> list[str]:
    return [e.text for e in said if isinstance(e, FileNote) and e.text.startswith("attempt")]


def side_by_side(*loads: Callable[[], LoadResult]) -> list[LoadResult]:
    with ThreadPoolExecutor(len(loads)) as pool:
        return [future.result() for future in [pool.submit(one) for one in loads]]


@pytest.fixture
def lock_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on servers before PostgreSQL 18: changed bars are locked and kept, then updated."""
    monkeypatch.setattr("loader.store.merge.returns_old", lambda _: False)


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed bars are merged piece by piece, however few or many they are."""
    monkeypatch.setattr("loader.store.merge.early.AT_ONCE", 1)
    monkeypatch.setattr("loader.store.merge.early.FEW", 1.0)


@pytest.fixture(params=["in one statement", pytest.param("locked first", marks=older_too), "early"])
def either_way(request: pytest.FixtureRequest) -> None:
    if request.param == "locked first":
        request.getfixturevalue("lock_first")
    elif request.param == "early":
        request.getfixturevalue("early")


@pytest.fixture
def quick_deadlocks(database_url: str) -> str:
    """A database in which a deadlock shows after 50 ms, and every session is serializable unless it
    says what it needs."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = connection.info.dbname
        for setting in (
            "deadlock_timeout = '50ms'",
            "default_transaction_isolation = 'serializable'",
        ):
            connection.execute(f"ALTER DATABASE {name} SET {setting}".encode())
    return database_url


SYMBOLS = ["AA", "BB", "CC", "DD"]


def with_a_chunk(url: str) -> None:
    """A hypertable has one for the bars, and none of them: who makes it lets nobody else in."""
    if TIMESCALE:
        values = "('p', 'AA', '1m', %s, 1, 1, 1, 1)"
        with psycopg.connect(url) as connection:
            connection.execute(f"INSERT INTO bars_ohlcv VALUES {values}".encode(), [T0])
            connection.execute("DELETE FROM bars_ohlcv")


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("before", ["nothing stored", "all stored", "half stored"])
def test_two_files_in_opposite_order_of_keys(
    quick_deadlocks: str, tmp_path: Path, before: str
) -> None:
    url, minutes = quick_deadlocks, 2_000
    if before == "nothing stored":
        with_a_chunk(url)
    else:
        known = SYMBOLS if before == "all stored" else SYMBOLS[1:3]
        loaded(url, [written(bars(known, minutes, 1.0), tmp_path / "known.parquet")])
    # A COPY keeps its last thousand rows to itself, so the pieces are larger, and each loader waits
    # for the other after its first one: both hold keys then that the other wants.
    met = threading.Barrier(2)
    said: list[Event] = []

    def one(price: float, symbols: Sequence[str], name: str) -> LoadResult:
        waits = True

        def listen(event: Event) -> None:
            nonlocal waits
            said.append(event)
            if isinstance(event, RowsDone) and waits:
                waits = False
                met.wait(30)

        path = written(bars(symbols, minutes, price), tmp_path / name)
        return loaded(url, [path], [listen], batch_rows=minutes)

    results = side_by_side(
        lambda: one(10.0, SYMBOLS, "a.parquet"), lambda: one(20.0, SYMBOLS[::-1], "b.parquet")
    )
    assert [(r.status, r.counts.read) for r in results] == [("success", 4 * minutes)] * 2
    # What is stored is locked in the order of the keys; early, up to the first piece out of order.
    is_in_order = before == "all stored" and merge_early.AT_ONCE > 1
    assert bool(retries(said)) != is_in_order
    assert_books_balance(url)
    table = stored(url)
    assert len(table) == 4 * minutes
    (price,) = {values[0] for values in table.values()}  # one of them was the last, for every key
    assert price in {10.0, 20.0}
    assert sum(r.counts.updated for r in results) == {
        "nothing stored": 4, "all stored": 8, "half stored": 6
    }[before] * minutes  # fmt: skip


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    ("workers", "commit_every"), [(1, None), (3, None), (2, 150)], ids=["one", "many", "parts"]
)
def test_two_loaders_of_many_files_in_opposite_order(
    quick_deadlocks: str, tmp_path: Path, workers: int, commit_every: int | None
) -> None:
    """Files overlap with each other and with those of the other loader, in different prices. A
    loader with several workers may load some again at its end: the last one counts."""
    url = quick_deadlocks
    loaded(url, [written(bars(["S2", "S5"], 300, 1.0), tmp_path / "known.parquet")])
    files = {
        price: [
            written(bars([f"S{n}", f"S{n + 1}"], 200 + 10 * n, price), tmp_path / f"{price}{n}.pq")
            for n in range(6)
        ]
        for price in (10.0, 20.0)
    }
    how: dict[str, Any] = {"batch_rows": 60, "workers": workers, "commit_every": commit_every}
    results = side_by_side(
        lambda: loaded(url, files[10.0], **how), lambda: loaded(url, files[20.0][::-1], **how)
    )
    assert [r.status for r in results] == ["success", "success"], [
        f.error for f in results[0].files
    ]
    for result in results:
        paths = [file.path for file in result.files]
        assert sorted(paths[:6]) == sorted({*paths}), "each once, and some of them again"
        assert workers > 1 or len(paths) == 6
        read = sum(file.counts.read for file in result.files[:6])
        assert read == 2 * sum(200 + 10 * n for n in range(6))
    assert_books_balance(url)
    longest = {n: 200 + 10 * min(n, 5) for n in range(7)}
    assert len(stored(url)) == sum(longest.values()) + 300 - longest[2] + 300 - longest[5]


def test_two_commands_at_once(
    mdload: Callable[..., Ran], quick_deadlocks: str, tmp_path: Path
) -> None:
    """Two real processes load the same keys, each from the other end. The files that a process
    loads again at its end come after the others."""
    for price, order in ((10.0, 1), (20.0, -1)):
        for n in range(4):
            frame = bars(SYMBOLS[::order], 300 + n, price)
            written(frame, tmp_path / f"{price:.0f}-{n}.parquet")
    with ThreadPoolExecutor(2) as pool:
        ran = list(
            pool.map(
                lambda args: mdload("--database", quick_deadlocks, "backfill", *args, "--json"),
                [
                    [tmp_path / f"10-{n}.parquet" for n in range(4)] + ["--workers", "2"],
                    [tmp_path / f"20-{n}.parquet" for n in (3, 2, 1, 0)] + ["--workers", "2"],
                ],
            )
        )
    assert [r.code for r in ran] == [0, 0], [r.err for r in ran]
    for r, lengths in zip(ran, ([300, 301, 302, 303], [303, 302, 301, 300]), strict=True):
        files = r.json()["files"]
        assert [file["rows_read"] for file in files[:4]] == [4 * rows for rows in lengths]
        assert {file["path"] for file in files[4:]} <= {file["path"] for file in files[:4]}
    assert_books_balance(quick_deadlocks)
    assert len(stored(quick_deadlocks)) == 4 * 303


# Another writer, between our comparison and our writing.


@contextmanager
def once_compared(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> Iterator[None]:
    """`act` runs once, after the first piece was compared and before anything of it is written."""
    compare, pending = mergers.compare, [act]

    def compared(beside: Any) -> Any:
        result = compare(beside)
        if pending:
            pending.pop()()
        return result

    with monkeypatch.context() as patch:
        patch.setattr(mergers, "compare", compared)
        yield
    assert not pending


@contextmanager
def once_before(
    monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None]
) -> Iterator[None]:
    """`act` runs once, just before query `name` does."""
    one, pending = Connection.one, [act]

    def hooked(self: Connection, query: str, *params: Any) -> Any:
        if query == name and pending:
            pending.pop()()
        return one(self, query, *params)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "one", hooked)
        yield
    assert not pending


STORED, MINE, THEIRS = 1.0, 10.0, 20.0
INSERT = (
    f"INSERT INTO bars_ohlcv ({KEY_LIST}, {VALUE_LIST}) VALUES "
    "('p', %s, '1m', %s, {0}, {0}, {0}, {0}, {0}, {0}, {0})"
)
CHANGE = (
    f"UPDATE bars_ohlcv SET ({VALUE_LIST}) = ({{0}}, {{0}}, {{0}}, {{0}}, {{0}}, {{0}}, {{0}}) "
    "WHERE symbol = %s AND ts = %s"
)
DELETE = "DELETE FROM bars_ohlcv WHERE symbol = %s AND ts = %s"

# Of each symbol two bars come in a file: OLD are stored with other values, SAME with those of the
# file, NEW not at all. The other writer does something to the first bar of one symbol. Per key the
# outcome is that of one order of the two writers: either he was first or we were.
MEETINGS: dict[str, tuple[str, str, float | None, Counts, int]] = {
    # what he does: statement, symbol, the price in the end, our counts, attempts after the first
    "inserts a new bar": (INSERT.format(THEIRS), "NEW", MINE, Counts(6, 1, 3, 2), 1),
    "inserts the same new bar": (INSERT.format(MINE), "NEW", MINE, Counts(6, 1, 2, 3), 1),
    "changes a changed bar": (CHANGE.format(THEIRS), "OLD", MINE, Counts(6, 2, 2, 2), 0),
    "changes a changed bar to the same": (CHANGE.format(MINE), "OLD", MINE, Counts(6, 2, 1, 3), 0),
    "changes an equal bar": (CHANGE.format(THEIRS), "SAME", THEIRS, Counts(6, 2, 2, 2), 0),
    "deletes a changed bar": (DELETE, "OLD", MINE, Counts(6, 3, 1, 2), 0),
    "deletes an equal bar": (DELETE, "SAME", None, Counts(6, 2, 2, 2), 0),
}  # fmt: skip


@pytest.fixture
def meeting(database_url: str, tmp_path: Path) -> Path:
    """A file as MEETINGS wants it, its database prepared."""
    start = pl.concat([bars(["OLD"], 2, STORED), bars(["SAME"], 2, MINE)])
    loaded(database_url, [written(start, tmp_path / "start.parquet")])
    return written(bars(["NEW", "OLD", "SAME"], 2, MINE), tmp_path / "mine.parquet")


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("what", MEETINGS)
def test_another_writer_between_our_comparison_and_our_writing(
    database_url: str, meeting: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    statement, symbol, price, counts, attempts = MEETINGS[what]
    said: list[Event] = []
    with (
        psycopg.connect(database_url, autocommit=True) as other,
        once_compared(
            monkeypatch, lambda: other.execute(statement.encode(), (symbol, T0)) and None
        ),
    ):
        result = loaded(database_url, [meeting], [said.append])
    assert result.status == "success", result.files[0].error
    assert result.counts == counts
    assert len(retries(said)) == attempts
    expected = {(s, m): MINE for s in ("NEW", "OLD", "SAME") for m in (0, 1)}
    table = {(key[1], (key[3] - T0).seconds // 60): v[0] for key, v in stored(database_url).items()}
    if price is None:
        del expected[symbol, 0]
    else:
        expected[symbol, 0] = price
    assert table == expected
    revised = fetch(
        database_url,
        "SELECT symbol, old_open, new_open FROM bars_ohlcv_revisions WHERE ts = %s ORDER BY symbol",
        T0,
    )
    assert revised == {
        "inserts a new bar": [("NEW", THEIRS, MINE), ("OLD", STORED, MINE)],
        "changes a changed bar": [("OLD", THEIRS, MINE)],
        "changes a changed bar to the same": [],
        "deletes a changed bar": [],
    }.get(what, [("OLD", STORED, MINE)])


@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_our_copy_waits_for_another_writer_of_the_same_key(
    database_url: str, meeting: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """Nothing is refused until the other writer has committed or rolled back."""
    said: list[Event] = []
    with psycopg.connect(database_url) as other:

        def insert() -> None:
            other.execute(INSERT.format(THEIRS).encode(), ("NEW", T0))
            threading.Timer(0.3, getattr(other, ends)).start()

        with once_compared(monkeypatch, insert):
            result = loaded(database_url, [meeting], [said.append])
    assert result.status == "success", result.files[0].error
    if ends == "commit":
        assert result.counts == Counts(6, 1, 3, 2)
        assert len(retries(said)) == 1
    else:
        assert result.counts == Counts(6, 2, 2, 2)
        assert not retries(said)


@older_too
@pytest.mark.usefixtures("lock_first")
@pytest.mark.parametrize("same", [True, False], ids=["equal", "other"])
def test_a_bar_that_appears_between_our_lock_and_our_upsert(
    database_url: str, meeting: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    """Revisions are kept of what was locked: a bar that came after that makes us start again."""
    monkeypatch.setattr("loader.ingest.attempts.FIRST_MODE", LoadMode(direct=False))
    said: list[Event] = []
    statement = INSERT.format(MINE if same else THEIRS).encode()
    with (
        psycopg.connect(database_url, autocommit=True) as other,
        once_before(
            monkeypatch, "bars_upsert", lambda: other.execute(statement, ("NEW", T0)) and None
        ),
    ):
        result = loaded(database_url, [meeting], [said.append])
    assert result.status == "success", result.files[0].error
    assert result.counts == (Counts(6, 1, 2, 3) if same else Counts(6, 1, 3, 2))
    assert len(retries(said)) == (0 if same else 1)
    assert_chains(database_url)


@not_on_citus("lock_timeout holds on the server where it is set")
def test_a_lock_timeout_is_tried_again(
    database_url: str, meeting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url, autocommit=True) as admin:
        name = admin.info.dbname
        admin.execute(f"ALTER DATABASE {name} SET lock_timeout = '50ms'".encode())
    said: list[Event] = []
    with psycopg.connect(database_url) as other:

        def lock() -> None:
            other.execute("SELECT FROM bars_ohlcv WHERE symbol = 'OLD' FOR UPDATE")
            threading.Timer(0.5, other.rollback).start()

        with once_compared(monkeypatch, lock):
            result = loaded(database_url, [meeting], [said.append])
    assert result.counts == Counts(6, 2, 2, 2)
    assert retries(said)


@not_on_citus("lock_timeout holds on the server where it is set")
def test_a_writer_that_never_yields_ends_in_a_clear_error(
    database_url: str, meeting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url, autocommit=True) as admin:
        name = admin.info.dbname
        admin.execute(f"ALTER DATABASE {name} SET lock_timeout = '20ms'".encode())
    monkeypatch.setattr("loader.db.retries.ATTEMPTS", 2)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM bars_ohlcv WHERE symbol = 'OLD' FOR UPDATE")
        result = loaded(database_url, [meeting])
    (file,) = result.files
    assert (result.status, file.state, file.exit_code) == ("failure", "failed", 5)
    assert "lock timeout" in str(file.error)
    assert file.hint == "another writer was in the way; run the same command again"
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv WHERE symbol = 'NEW'") == [(0,)]
    assert loaded(database_url, [meeting]).counts == Counts(6, 2, 2, 2)
