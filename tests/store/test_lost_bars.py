"""Bars that the store has lost without a record: files that are known are loaded again, unless the
bars are gone as retention takes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import psycopg
import pytest

from loader.bars import SCHEMA
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results.events import Event, FileNote
from loader.settings import Settings
from tests.conftest import Ran, needs_timescale, plain_only
from tests.support.sql import fetch

#: One file for each month: a bar a day, of two symbols, from its third day on.
MONTHS = {name: datetime(2024, number, 3, tzinfo=UTC) for number, name in
          enumerate(("jan", "feb", "mar"), 1)}  # fmt: skip
DAYS = 20
GONE = "loaded before by run 1, and again: its bars are gone from the store"
SOME = "loaded before by run 1, and again: some of its bars are gone from the store"
OLD = ("its bars are gone from the store, as after retention: loaded by run 1, and not again "
       "(--force loads it again)")  # fmt: skip


class Store:
    """A store of the three files, and reruns of the load."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._paths = [folder / f"{name}.parquet" for name in MONTHS]
        for path, first in zip(self._paths, MONTHS.values(), strict=True):
            rows = [("p", symbol, "1d", first + timedelta(days=day), *[1.0] * 5, None, None)
                    for symbol in ("AA", "BB") for day in range(DAYS)]  # fmt: skip
            pl.DataFrame(rows, schema={**SCHEMA}, orient="row").write_parquet(path)
        self.rerun()

    def rerun(self) -> tuple[dict[str, str], dict[str, str]]:
        """States of the files, and the last note on each that is not about how it was read."""
        notes: dict[str, str] = {}

        def hear(event: Event) -> None:
            if isinstance(event, FileNote) and "store" in event.text:
                notes[Path(event.path).stem] = event.text

        with find([str(path) for path in self._paths]) as sources:
            result = load(Settings(), self.url, sources, [hear])
        assert result.exit_code == 0
        return {Path(f.path).stem: f.state for f in result.files}, notes

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def count(self) -> int:
        ((count,),) = fetch(self.url, "SELECT count(*) FROM bars_ohlcv")
        return int(count)


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Store:
    return Store(database_url, tmp_path)


def states(jan: str, feb: str, mar: str) -> dict[str, str]:
    return {"jan": jan, "feb": feb, "mar": mar}


def test_nothing_is_lost(store: Store) -> None:
    assert store.rerun() == (states("known", "known", "known"), {})


def test_an_empty_table_is_filled_again(store: Store) -> None:
    store.sql("TRUNCATE bars_ohlcv")
    found, notes = store.rerun()
    assert (found["jan"], notes["jan"]) == ("loaded", GONE)
    assert store.count() == 3 * 2 * DAYS
    assert (found, notes) == (states(*["loaded"] * 3), dict.fromkeys(MONTHS, GONE))
    assert store.rerun() == (states("known", "known", "known"), {})


def test_a_hole_is_filled(store: Store) -> None:
    store.sql("DELETE FROM bars_ohlcv WHERE ts >= '2024-02-01' AND ts < '2024-03-01'")
    assert store.rerun() == (states("known", "loaded", "known"), {"feb": GONE})
    assert store.count() == 3 * 2 * DAYS


def test_what_retention_took_stays_away(store: Store) -> None:
    """Night after night, with a sentence that says it."""
    store.sql("DELETE FROM bars_ohlcv WHERE ts < '2024-02-01'")
    for _ in range(2):
        assert store.rerun() == (states("known", "known", "known"), {"jan": OLD})
    assert store.count() == 2 * 2 * DAYS
    store.sql("DELETE FROM bars_ohlcv WHERE ts < '2024-03-10'")
    _, notes = store.rerun()
    assert notes == {"jan": OLD, "feb": OLD, "mar": OLD.replace("its bars", "some of its bars", 1)}


def test_an_end_is_not_taken_by_retention(store: Store) -> None:
    store.sql("DELETE FROM bars_ohlcv WHERE ts >= '2024-03-10'")
    assert store.rerun() == (states("known", "known", "loaded"), {"mar": SOME})
    assert store.count() == 3 * 2 * DAYS


def test_a_series_that_is_gone_among_others(store: Store) -> None:
    """Bars of another symbol are as old. One of two symbols at the ends of a file is enough for
    the file to stand."""
    store.sql("DELETE FROM bars_ohlcv WHERE symbol = 'BB'")
    assert store.rerun() == (states("known", "known", "known"), {})
    store.sql(
        "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
        " SELECT provider, 'CC', interval, ts, open, high, low, close"
        " FROM bars_ohlcv WHERE symbol = 'AA'"
    )
    store.sql("DELETE FROM bars_ohlcv WHERE symbol = 'AA'")
    assert store.rerun() == (states(*["loaded"] * 3), dict.fromkeys(MONTHS, GONE))


def test_bars_deleted_on_record_are_no_loss(store: Store, forked: Callable[..., Ran]) -> None:
    """They count as changed, as ever, also when the whole store is empty."""
    ran = forked("--database", store.url, "delete", "--provider", "p", "--yes")
    assert (ran.code, store.count()) == (0, 0)
    _, notes = store.rerun()
    assert not any("gone from the store" in note for note in notes.values())


def test_other_providers_and_intervals_say_nothing(store: Store) -> None:
    """Retention of one interval is no loss because weekly bars are older."""
    store.sql(
        "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
        " SELECT provider, symbol, '1w', ts, open, high, low, close FROM bars_ohlcv"
    )
    store.sql("DELETE FROM bars_ohlcv WHERE interval = '1d' AND ts < '2024-02-01'")
    assert store.rerun() == (states("known", "known", "known"), {"jan": OLD})


@plain_only
def test_many_symbols(database_url: str, tmp_path: Path) -> None:
    """More than the ledger lists: an empty store is noticed all the same."""
    first = datetime(2024, 1, 3, tzinfo=UTC)
    rows = [
        ("p", f"S{n:04}", "1d", first, 1.0, 1.0, 1.0, 1.0, 1.0, None, None) for n in range(1001)
    ]
    path = tmp_path / "wide.parquet"
    pl.DataFrame(rows, schema={**SCHEMA}, orient="row").write_parquet(path)
    with find([str(path)]) as sources:
        assert [load(Settings(), database_url, sources).files[0].state for _ in (1, 2)] == [
            "loaded", "known",
        ]  # fmt: skip
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("TRUNCATE bars_ohlcv")
        assert load(Settings(), database_url, sources).files[0].state == "loaded"


@needs_timescale
def test_chunks_that_were_dropped(store: Store) -> None:
    store.sql("SELECT drop_chunks('bars_ohlcv', older_than => '2024-02-01'::timestamptz)")
    found, notes = store.rerun()
    assert (found, set(notes)) == (states("known", "known", "known"), {"jan"})
    assert "gone from the store, as after retention" in notes["jan"]
    store.sql("SELECT drop_chunks('bars_ohlcv', older_than => '2030-01-01'::timestamptz)")
    assert store.count() == 0
    assert store.rerun() == (states(*["loaded"] * 3), dict.fromkeys(MONTHS, GONE))


@needs_timescale
def test_compressed_chunks_are_no_loss(store: Store) -> None:
    store.sql("SELECT compress_chunk(c, true) FROM show_chunks('bars_ohlcv') AS c")
    assert store.rerun() == (states("known", "known", "known"), {})


@plain_only
def test_partitions_that_were_dropped(
    server_url: str, partitioned_template: str, tmp_path: Path
) -> None:
    from tests.conftest import database

    with database(server_url, partitioned_template) as url:
        store = Store(url, tmp_path)
        assert store.rerun() == (states("known", "known", "known"), {})
        store.sql("DROP TABLE bars_2024")  # up to 4 March
        assert store.rerun() == (
            states("known", "known", "known"),
            {"jan": OLD, "feb": OLD, "mar": OLD.replace("its bars", "some of its bars", 1)},
        )
