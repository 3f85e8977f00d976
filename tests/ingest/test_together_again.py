"""Small files that were loaded before, and are loaded again because the store has lost their bars,
or has others since: together with their like, the same as each by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tests.support.both_ways import NEW_YORK_OPEN, frame, symbol, written
from tests.support.sql import fetch

GONE = {
    "all bars": "TRUNCATE bars_ohlcv",
    "all bars of some symbols": "DELETE FROM bars_ohlcv WHERE symbol > 'AAAF'",
    "last bars": f"DELETE FROM bars_ohlcv WHERE ts > '{NEW_YORK_OPEN + timedelta(minutes=6)}'",
    "first bars, as retention does": f"DELETE FROM bars_ohlcv WHERE ts = '{NEW_YORK_OPEN}'",
    "the bars of one file": "DELETE FROM bars_ohlcv WHERE symbol = 'AAAF'",
}


@pytest.fixture
def both(other_url: str, database_url: str) -> Callable[[str], None]:
    """Executes a statement in both databases."""

    def execute(statement: str) -> None:
        for url in (other_url, database_url):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(statement.encode())

    return execute


@pytest.mark.parametrize("what", GONE)
def test_bars_that_are_gone(
    ways: Callable[..., int], both: Callable[[str], None], tmp_path: Path, what: str
) -> None:
    files = [written(tmp_path, n, frame(symbol(n), rows=10 + n % 3)) for n in range(12)]
    before = NEW_YORK_OPEN - timedelta(days=9)
    oldest = written(tmp_path, 20, frame("OLD", before))
    ways([oldest, *files])
    both(GONE[what])
    many = {"all bars": 12, "all bars of some symbols": 4}
    assert ways([oldest, *files]) >= many.get(what, 0)
    assert ways([oldest, *files]) == 0  # all are known


def test_bars_that_are_gone_among_new_files(
    ways: Callable[..., int], both: Callable[[str], None], tmp_path: Path
) -> None:
    tables = [frame(symbol(n), rows=10 + n % 3) for n in range(18)]
    files = [written(tmp_path, n, table) for n, table in enumerate(tables)]
    ways(files[::2])
    both("DELETE FROM bars_ohlcv WHERE symbol <> 'AAAE'")
    assert ways(files) >= 12


@pytest.mark.parametrize("place", [4, 5])
def test_bars_that_are_gone_while_older_ones_are_loaded(
    ways: Callable[..., int], both: Callable[[str], None], tmp_path: Path, database_url: str,
    place: int,
) -> None:  # fmt: skip
    """As long as a provider has no bar, those that are gone may be retention's; a file of the same
    run with an older one says that they are not."""
    tables = [frame(symbol(n), provider="other") for n in range(4)]
    files = [written(tmp_path, n, table) for n, table in enumerate(tables)]
    plain = [written(tmp_path, 10 + n, frame(symbol(10 + n))) for n in range(5)]
    ways([plain[0], *files])
    both("DELETE FROM bars_ohlcv WHERE provider = 'other'")
    older = frame("OLD", NEW_YORK_OPEN - timedelta(days=9), provider="other")
    run = [*plain[1:], *files]
    run.insert(place, written(tmp_path, 20, older))
    assert ways(run) >= 3
    states = (
        "SELECT array_agg(state ORDER BY id) FROM job_run_files WHERE run_id = 2 AND path = ANY"
    )
    found = fetch(database_url, f"{states} (ARRAY{files})")
    assert found == [(["known"] * (place - 4) + ["loaded"] * (8 - place),)]


def test_a_store_of_others(
    ways: Callable[..., int], both: Callable[[str], None], database_url: str, tmp_path: Path
) -> None:
    """Other files were loaded from the same paths since, and changed the bars."""
    tables = [frame(symbol(n), rows=10 + n % 3) for n in range(12)]
    files = [written(tmp_path, n, table) for n, table in enumerate(tables)]
    ways(files)
    for n, table in enumerate(tables):
        written(tmp_path, n, table.with_columns(volume=n % 2))
    ways(files)
    for n, table in enumerate(tables):
        written(tmp_path, n, table)
    both("DELETE FROM bars_ohlcv WHERE symbol > 'AAAG'")
    ways(files)
    assert fetch(database_url, "SELECT count(*), sum(volume) FROM bars_ohlcv") == [
        (sum(table.height for table in tables), sum(table["volume"].sum() for table in tables))
    ]
