"""What a cluster is asked shard by shard gives what one server gives in one statement: the same
statements on plain PostgreSQL, where the shards are made up."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import psycopg
import pytest

from loader import StoreClient, load
from loader.bars import COLUMNS
from loader.db.arrow import connect
from loader.db.executor import Executor
from loader.db.queries import queries, query, shards
from loader.db.reconnecting import ReconnectingSession
from loader.db.translate import translate
from loader.errors import ConnectionLost, Contended, NothingStored
from loader.store.runs.tracker import JobRunTracker
from loader.store.series import SeriesFilter, stored_series
from loader.store.versions import pins, undo
from loader.store.versions.instants import at_time, pinned
from loader.store.versions.past import read_at
from loader.store.versions.selection import Since
from tests.conftest import database, plain_only
from tests.support.crashing import contents
from tests.support.sql import fetch

pytestmark = plain_only
T0 = datetime(2024, 1, 2, tzinfo=UTC)
SYMBOLS = ["A", "B", "AA", "BB", "CCC", "Ü", "O'X", "50%"]
#: The shard of a symbol: its length, modulo 3.
SERVER = """
CREATE VIEW shard_0 AS SELECT * FROM bars_ohlcv WHERE length(symbol) % 3 = 0;
CREATE VIEW shard_1 AS SELECT * FROM bars_ohlcv WHERE length(symbol) % 3 = 1;
CREATE VIEW shard_2 AS SELECT * FROM bars_ohlcv WHERE length(symbol) % 3 = 2;
CREATE FUNCTION run_command_on_shards(name text, command text)
RETURNS TABLE (shard integer, success boolean, result text) LANGUAGE plpgsql AS $$
BEGIN
    FOR shard IN 0..2 LOOP
        EXECUTE format(command, format('shard_%s', shard)) INTO result;
        success := true;
        RETURN NEXT;
    END LOOP;
END
$$
"""


def _found(session: Executor) -> shards.Shards:
    session.one("session_setup")
    return shards.Shards(lambda symbols: {name: len(name) % 3 for name in json.loads(symbols)})


@contextmanager
def spread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "found", _found)
        yield


@pytest.fixture
def two(server_url: str, template: str) -> Iterator[tuple[str, str]]:
    """One database, and one that is taken to be distributed."""
    with database(server_url, template) as one, database(server_url, template) as many:
        with psycopg.connect(many, autocommit=True) as connection:
            connection.execute(SERVER)
        yield one, many


def write(path: Path, seed: int, first: int, bars: int, changed: float = 0.0) -> Path:
    """Bars of every symbol, some of them with other prices than elsewhere."""
    rng = random.Random(seed)
    rows = [
        (name, T0 + timedelta(minutes=n), 10 + (hash_of(name) + n) % 90 + (rng.random() < changed))
        for name in SYMBOLS
        for n in range(first, first + bars)
    ]
    rng.shuffle(rows)
    pl.DataFrame(
        [(name, ts, float(p), p + 2.0, p - 2.0, p + 1.0) for name, ts, p in rows],
        schema=["symbol", "ts", "open", "high", "low", "close"], orient="row",
    ).write_parquet(path)  # fmt: skip
    return path


def hash_of(name: str) -> int:
    return sum(map(ord, name))


def both(two: tuple[str, str], what: Callable[[str], object]) -> object:
    """The result of the same on both, which has to be equal, as what they store has to be."""
    one, many = two
    expected = what(one)
    with spread():
        got = what(many)
    assert got == expected
    assert contents(many) == contents(one)
    return expected


def running(url: str) -> int:
    with JobRunTracker(url) as tracker:
        return tracker.start_run("by hand", mode="backfill")


def loaded(path: Path, **options: object) -> Callable[[str], object]:
    def work(url: str) -> object:
        result = load(path, url, provider="p", interval="1m", **options)
        assert result.exit_code == 0
        (file,) = result.files
        return file.counts

    return work


def test_loads_store_the_same(two: tuple[str, str], tmp_path: Path) -> None:
    first = write(tmp_path / "a.parquet", 1, 0, 300)
    counts = both(two, loaded(first))
    assert counts.inserted == 2400  # type: ignore[attr-defined]
    counts = both(two, loaded(first, force=True))
    assert counts.unchanged == 2400  # type: ignore[attr-defined]
    changed = write(tmp_path / "b.parquet", 2, 250, 100, changed=0.1)
    both(two, loaded(changed, dry_run=True))
    counts = both(two, loaded(changed, commit_every=170))
    assert counts.updated > 0  # type: ignore[attr-defined]
    assert counts.inserted == 400  # type: ignore[attr-defined]
    less = write(tmp_path / "c.parquet", 1, 0, 200)
    gone = pl.read_parquet(less).filter(pl.col("ts").dt.minute() != 7)
    gone.write_parquet(less)
    both(two, loaded(less, delete_gone=True, max_gone="100%"))


def walked(seed: int, rows: int = 300) -> list[float]:
    rng, price, prices = random.Random(seed), 50.0, []
    for _ in range(rows):
        price += round(rng.uniform(-0.5, 0.5), 2)
        prices.append(price)
    return prices


def walks(path: Path, seeds: dict[str, int], bars: int = 300) -> Path:
    """Bars of each symbol that go as the random walk of its seed."""
    rows = [
        (name, T0 + timedelta(minutes=n), price, price + 0.25, price - 0.25, price + 0.125)
        for name, seed in seeds.items()
        for n, price in enumerate(walked(seed, bars))
    ]
    columns = ["symbol", "ts", "open", "high", "low", "close"]
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(path)
    return path


def refused(path: Path, provider: str) -> Callable[[str], object]:
    def work(url: str) -> object:
        result = load(path, url, provider=provider, interval="1m", force=True)
        (file,) = result.files
        return result.exit_code, file.state, (file.error or "").removeprefix(str(path))

    return work


def test_the_guard_finds_bars_of_other_shards(two: tuple[str, str], tmp_path: Path) -> None:
    """Those of another symbol, and those of another provider, each symbol in a shard of its own."""
    own = {name: seed for seed, name in enumerate(SYMBOLS)}
    both(two, loaded(walks(tmp_path / "own.parquet", own)))
    other = {name: seed + 100 for seed, name in enumerate(SYMBOLS)}

    def beside(url: str) -> object:
        return load(
            walks(tmp_path / "q.parquet", other), url, provider="q", interval="1m"
        ).exit_code

    assert both(two, beside) == 0
    swapped = walks(tmp_path / "swapped.parquet", own | {"CCC": own["AA"]})
    found = both(two, refused(swapped, "p"))
    assert found[0] == 4  # type: ignore[index]
    assert "changed to the prices of p AA" in found[2]  # type: ignore[index]
    found = both(two, refused(walks(tmp_path / "theirs.parquet", other), "p"))
    assert found[0] == 4, found  # type: ignore[index]


def test_the_guard_adds_up_what_shards_have(two: tuple[str, str], tmp_path: Path) -> None:
    """One bar of each of many symbols, from another provider: no shard has enough of them."""
    names = [f"S{n}" + "S" * (n % 3) for n in range(100, 190)]
    both(two, loaded(walks(tmp_path / "own.parquet", {n: i for i, n in enumerate(names)}, 1)))
    other = {name: seed + 1000 for seed, name in enumerate(names)}
    path = walks(tmp_path / "other.parquet", other, 1)

    def beside(url: str) -> object:
        return load(path, url, provider="q", interval="1m").exit_code

    assert both(two, beside) == 0
    found = both(two, refused(path, "p"))
    assert found[0] == 4  # type: ignore[index]
    assert "changed to the prices of the provider q" in found[2]  # type: ignore[index]


@pytest.mark.parametrize("rows", [0, 3])
def test_the_rows_of_shards_come_in_one_order(rows: int) -> None:
    """Without the modules that PyArrow imports for some of its functions: they take 0.3 s."""
    script = f"""
import sys
import polars as pl
from loader.db.queries.shards import in_order
tables = [pl.DataFrame({{"sid": sids, "bars": sids}}).to_arrow() for sids in ([2, 0], [1])]
(batch,) = in_order([table.slice(0, {rows} and 9) for table in tables])
print(pl.from_arrow(batch)["sid"].to_list(), batch.schema.names, "pandas" in sys.modules,
      "pyarrow.compute" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == f"{[0, 1, 2][:rows]} ['sid', 'bars'] False False"


def test_many_rows_of_shards_come_in_one_order() -> None:
    parts = [range(8_999, -1, -2), range(0, 9_000, 2)]  # odd ones backwards, then even ones
    tables = [pl.DataFrame({"sid": part, "bars": part}).to_arrow() for part in parts]
    (batch,) = shards.in_order(tables)
    ordered = pl.from_arrow(batch)
    assert isinstance(ordered, pl.DataFrame)
    assert ordered.rows() == [(n, n) for n in range(9_000)]


def test_series_are_found_in_every_shard(two: tuple[str, str], tmp_path: Path) -> None:
    both(two, loaded(write(tmp_path / "a.parquet", 1, 0, 50)))

    def series(url: str) -> object:
        found = []
        with connect(url, autocommit=True) as connection:
            for asked in (
                SeriesFilter(),
                SeriesFilter(symbols=("50%", "AA")),
                SeriesFilter(since=T0 + timedelta(minutes=40)),
            ):
                found.append(stored_series(connection, asked).rows())
        return found

    every, named, since = both(two, series)  # type: ignore[misc]
    assert [row[2] for row in every] == sorted(SYMBOLS)
    assert [row[2] for row in named] == ["50%", "AA"]
    assert {row[4] for row in since} == {T0 + timedelta(minutes=40)}


def test_a_statement_of_every_shard_that_finds_nothing_gives_no_frame(
    two: tuple[str, str],
) -> None:
    with spread(), connect(two[1], autocommit=True) as connection:
        assert connection.shards is not None
        wanted = [{"provider": "p", "symbol": "A", "interval": "1m", "ts": T0.isoformat()}]
        connection.run("wanted_set", json.dumps(wanted))
        assert list(connection.frames("alike_series", T0, T0)) == []
        with pytest.raises(NothingStored):
            stored_series(connection, SeriesFilter())


def test_clients_merge_rows_and_read_the_past(two: tuple[str, str]) -> None:
    def bars(price: float, count: int) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(
                provider="z", symbol=name, interval="1m", ts=T0 + timedelta(minutes=n),
                open=price, high=price, low=price, close=price,
                volume=None if n % 2 else 1e300, vwap=None, trade_count=2**53 + n,
            )
            for name in SYMBOLS for n in range(count)
        ]  # fmt: skip

    def write(url: str) -> object:
        with StoreClient(url) as client:
            first = client.write_bars(bars(0.1, 5))
            with psycopg.connect(url, autocommit=True) as connection:
                (then,) = connection.execute("SELECT mdload_settled()").fetchone() or ()
            results = [first, client.write_bars(bars(0.1, 5)), client.write_bars(bars(0.3, 6))]
            past = client.read_bars(as_of=then).select(COLUMNS)
            return [str(each) for each in results], past.rows(), client.read_bars().rows()

    told, past, now = both(two, write)  # type: ignore[misc]
    assert "inserted=40" in told[0]
    assert "unchanged=40" in told[1]
    assert "inserted=8, updated=40" in told[2]
    assert {row[COLUMNS.index("open")] for row in past} == {0.1}
    assert len(past) == 40
    assert len(now) == 48


@pytest.mark.parametrize("before", ["past_stored", "past_index", "past_replaced"])
@pytest.mark.parametrize("by", ["time", "pin"])
def test_a_load_that_comes_while_the_past_is_read_does_not_change_it(
    two: tuple[str, str], tmp_path: Path, before: str, by: str
) -> None:
    """Wherever it comes between the statements: no bar is missing, and none is found twice."""
    url = two[1]
    assert loaded(write(tmp_path / "a.parquet", 1, 0, 40))(url)
    restated = write(tmp_path / "b.parquet", 2, 20, 40, changed=0.5)
    session = ReconnectingSession(url)
    if by == "pin":
        pins.make(session, "here")
        instant = pinned(session, "here")
    else:
        ((then,),) = fetch(url, "SELECT mdload_settled()")
        instant = at_time(session, then)
    session.close()
    keys = "provider, symbol, interval, ts, open, high, low, close, created_at, updated_at"
    expected = fetch(url, f"SELECT {keys} FROM bars_ohlcv ORDER BY 1, 2, 3, 4")
    with spread(), connect(url, autocommit=True) as reader:
        run = reader.run

        def meanwhile(name: str, *params: object) -> None:
            if name == before:
                loaded(restated)(url)
            run(name, *params)

        reader.run = meanwhile  # type: ignore[method-assign]
        read_at(reader, instant)
        found = reader._session.execute(f"SELECT {keys} FROM {reader.bars} ORDER BY 1, 2, 3, 4")
        rows = [tuple(row.values()) for row in found.read_all().to_pylist()]
    assert rows == expected
    assert fetch(url, "SELECT count(*) > 0 FROM bars_ohlcv_revisions") == [(True,)]


def test_runs_are_undone_alike(two: tuple[str, str], tmp_path: Path) -> None:
    first = write(tmp_path / "a.parquet", 1, 0, 40)
    second = write(tmp_path / "b.parquet", 2, 20, 40, changed=0.5)
    third = write(tmp_path / "c.parquet", 3, 50, 20, changed=0.5)
    for path in (first, second, third):
        both(two, loaded(path))

    def back(url: str) -> object:
        done = undo.rollback(url, Since(run_id=2), running(url), keep_later=True)
        return done.inserted, done.updated, done.deleted, done.kept, [x.series for x in done.later]

    inserted, updated, deleted, kept, later = both(two, back)  # type: ignore[misc]
    assert updated > 0
    assert deleted > 0
    assert kept > 0
    assert later
    assert inserted == 0


def test_a_renamed_symbol_goes_to_another_shard(two: tuple[str, str], tmp_path: Path) -> None:
    both(two, loaded(write(tmp_path / "a.parquet", 1, 0, 10)))
    done = both(two, lambda url: undo.rename(url, "A", "LONGER", SeriesFilter(), running(url)))
    assert (done.inserted, done.deleted) == (10, 10)  # type: ignore[attr-defined]


def test_a_shard_s_statement_names_its_symbols_and_rows() -> None:
    where = shards.Shards(lambda symbols: dict.fromkeys(json.loads(symbols), 7))
    rows = [{"sid": 1, "symbol": "A$mdload$'\\"}]
    (sql,) = where.statements("stored_spans", json.dumps(rows), str)
    assert sql.count("CAST(ARRAY[$mdload1$A$mdload$'\\$mdload1$] AS text[])") == 2
    assert ":wanted" not in sql
    assert ":symbols" not in sql


def test_on_one_server_no_statement_has_places() -> None:
    for name, sql in queries().items():
        assert ":symbols" not in sql, name
        assert ":wanted" not in sql, name
    assert "symbol" in query("stored_bars", spread=True).partition(":symbols")[0]


def test_every_replacement_replaces_a_statement() -> None:
    named = [name.removeprefix("spread_") for name in queries() if name.startswith("spread_")]
    assert named
    assert set(named) <= set(queries())


def test_a_shard_that_does_not_answer_is_not_an_empty_one() -> None:
    with pytest.raises(shards.NoAnswer, match="failed to connect"):
        shards.rows_of([(True, "[]"), (False, "failed to connect to 10.0.0.1:5432")])


def test_the_loss_of_another_server_is_a_lost_connection() -> None:
    for text, state in (
        ("failed to COPY to shard 102009 on 10.0.0.1:5432", "58030"),
        ("server closed the connection unexpectedly", "XX000"),
        ("failure on connection marked as essential: 10.0.0.1:5432", "XX000"),
        ("connection to the remote node postgres@10.0.0.1:5432 failed", "08006"),
    ):
        error = type("Lost", (Exception,), {"sqlstate": state})(f"ERROR:  {text}")
        assert isinstance(translate(error, "loading"), ConnectionLost)


def test_a_key_that_another_load_took_on_a_shard_is_another_writer() -> None:
    """Citus gives it as an internal error at the end of a COPY."""
    error = psycopg.errors.InternalError_(
        'duplicate key value violates unique constraint "bars_ohlcv_pk_102025"'
    )
    error.sqlstate = "XX000"
    assert isinstance(translate(error, "loading"), Contended)
