"""Small files that were loaded before, and are loaded again because the store has lost their bars,
or has others since: together with their like, the same as each by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loader.db.queries import query
from loader.errors import RunFinished
from loader.ingest.run import together
from tests.conftest import not_on_citus
from tests.support.both_ways import NEW_YORK_OPEN, Way, frame, symbol, written
from tests.support.sql import fetch

#: For tests of what loads several files together.
together_only = not_on_citus("files load one by one there")

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


def test_files_that_change_nothing_need_no_stage(
    ways: Callable[..., int], database_url: str, tmp_path: Path
) -> None:
    """The server refuses all new tables, also temporary ones: only files with bars to write go one
    by one then."""
    files = [written(tmp_path, n, frame(symbol(n), rows=10 + n % 3)) for n in range(12)]
    ways(files)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'no new tables'; END $$"
        )
        connection.execute(
            "CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE TABLE')"
            " EXECUTE FUNCTION refuse()"
        )
    assert ways(files, force=True) >= 10


def test_the_statement_for_files_that_change_nothing_is_a_part_of_the_other() -> None:
    """So that what one of them learns to write, the other learns too."""
    lines = iter(query("together_book").splitlines())
    part = query("together_book_same").splitlines()
    assert [line for line in part if line not in lines] == []
    assert len(part) > 40


@together_only
@pytest.mark.parametrize("again", [False, True])
def test_a_spelling_that_another_writer_brings_meanwhile(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """The look before the group does not see it; the file's own statement does."""
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(8)]
    if again:
        assert Way(database_url).load(files).exit_code == 0
    real = together.together.booked

    def meanwhile(session: Any, bookings: Sequence[Any]) -> list[int]:
        if any(symbol(5) in each.symbols for each in bookings):
            with psycopg.connect(database_url) as connection:
                connection.execute(
                    "INSERT INTO provider_symbols (provider, source_symbol, symbol, convention)"
                    " VALUES ('made', 'A.AAF', %s, 'made')",
                    (symbol(5),),
                )
        return real(session, bookings)

    monkeypatch.setattr(together.together, "booked", meanwhile)
    result = Way(database_url).load(files, force=again)
    assert [file.state for file in result.files] == [*["loaded"] * 5, "failed", *["loaded"] * 2]
    assert "A.AAF" in str(result.files[5].error)
    bars = "SELECT count(*) FROM bars_ohlcv WHERE symbol = 'AAAF'"
    assert fetch(database_url, bars) == [(12 * again,)]


@together_only
def test_a_run_of_files_that_change_nothing_is_ended_meanwhile(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(8)]
    Way(database_url).load(files)
    real = together.together.booked

    def meanwhile(session: Any, bookings: Sequence[Any]) -> list[int]:
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE job_runs SET status = 'failure', completed_at = now()")
        return real(session, bookings)

    monkeypatch.setattr(together.together, "booked", meanwhile)
    with pytest.raises(RunFinished):
        Way(database_url).load(files, force=True)
    states = "SELECT state, count(*) FROM job_run_files WHERE run_id = 2 GROUP BY 1 ORDER BY 1"
    assert dict(fetch(database_url, states))["loaded"] < 8
    read = "SELECT sum(rows_read) FROM job_run_files WHERE run_id = 2 AND state = 'loaded'"
    assert fetch(database_url, read) == fetch(
        database_url, "SELECT rows_read FROM job_runs WHERE id = 2"
    )
