"""Whatever a server, a database, a role or the environment is set to, the bars are the same."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.bars import SCHEMA
from loader.db.arrow import connect
from loader.errors import DatabaseError
from loader.ingest import mergers
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import LoadResult
from loader.results.events import Event, FileNote
from loader.settings import RejectLimit, Settings
from loader.store import schema
from loader.store.runs import JobRunTracker
from tests.support.sql import at

# Two instants around each change of the clocks in London and New York, and one of 1901.
INSTANTS = [
    datetime(1901, 12, 13, 20, 45, tzinfo=UTC),
    datetime(2024, 3, 10, 6, 59, tzinfo=UTC), datetime(2024, 3, 10, 7, 0, tzinfo=UTC),
    datetime(2024, 3, 31, 0, 59, tzinfo=UTC), datetime(2024, 3, 31, 1, 0, tzinfo=UTC),
    datetime(2024, 10, 27, 0, 30, tzinfo=UTC), datetime(2024, 10, 27, 1, 30, tzinfo=UTC),
    datetime(2024, 11, 3, 5, 30, tzinfo=UTC), datetime(2024, 11, 3, 6, 30, tzinfo=UTC),
]  # fmt: skip
#: Text that JSON, COPY and a narrow encoding each can spoil.
SYMBOLS = ["É", "日本", "I\\\\T", 'Q"Q', "A'B;--", "\\N", "\\.", "{X}", "$1", "%S", "😀", "ß", "ı"]  # noqa: RUF001
#: Their upper case as Unicode's SpecialCasing.txt and UnicodeData.txt give it.
UPPER = {"ß": "SS", "ı": "I"}  # noqa: RUF001


def frame(symbols: list[str], price: float = 10.5) -> pl.DataFrame:
    rows = [
        ("p", s, "1m", ts, price, price, price, price, 7.0, None, 3)
        for s in symbols
        for ts in INSTANTS
    ]
    return pl.DataFrame(rows, schema={**SCHEMA}, orient="row")


def loaded(
    url: str, path: Path, data: pl.DataFrame, heard: Callable[[Event], None] = id, **given: Any
) -> LoadResult:
    data.write_parquet(path)
    with find([str(path)]) as sources:
        return load(Settings(force=True, **given), url, sources, [heard])


def stored(url: str) -> set[tuple[str, datetime, float]]:
    with psycopg.connect(url, client_encoding="UTF8") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET DateStyle = 'ISO'")
        connection.execute("SET extra_float_digits = 1")
        found = connection.execute("SELECT symbol, ts, close FROM bars_ohlcv").fetchall()
    return {(s, ts, close) for s, ts, close in found}


def expected(symbols: list[str], price: float = 10.5) -> set[tuple[str, datetime, float]]:
    return {(UPPER.get(s, s), ts, price) for s in symbols for ts in INSTANTS}


def assert_loads_replays_and_updates(url: str, tmp_path: Path, symbols: list[str]) -> None:
    """New bars, the same again (read back and compared), then all changed."""
    n = len(symbols) * len(INSTANTS)
    first = loaded(url, tmp_path / "1.parquet", frame(symbols))
    assert first.status == "success", first.files[0].error
    assert (first.counts.inserted, first.counts.read) == (n, n)
    assert stored(url) == expected(symbols)
    again = loaded(url, tmp_path / "2.parquet", frame(symbols))
    assert (again.status, again.counts.unchanged) == ("success", n), again.files[0].error
    changed = loaded(url, tmp_path / "3.parquet", frame(symbols, 11.5))
    assert (changed.status, changed.counts.updated) == ("success", n), changed.files[0].error
    assert stored(url) == expected(symbols, 11.5)


def setting(url: str, **settings: str) -> None:
    """Defaults of the database, for every later session."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in settings.items():
            statement = f"ALTER DATABASE {connection.info.dbname} SET {name} = '{value}'"
            connection.execute(statement.encode())


ODD: dict[str, dict[str, str]] = {
    "repeatable read": {"default_transaction_isolation": "repeatable read"},
    "serializable": {
        "default_transaction_isolation": "serializable",
        "default_transaction_deferrable": "on",
    },
    "dates of another world": {
        "DateStyle": "SQL, DMY", "IntervalStyle": "sql_standard", "TimeZone": "America/New_York",
        "timezone_abbreviations": "Australia", "extra_float_digits": "-15",
    },
    "a zone of its own making": {"TimeZone": "<-03>+03", "DateStyle": "German"},
    "a zone with summer time": {"TimeZone": "Europe/London", "DateStyle": "Postgres, YMD"},
    "old text output": {"bytea_output": "escape", "xmloption": "document"},
    "every plan but ours": {
        "enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_nestloop": "off",
        "plan_cache_mode": "force_generic_plan", "work_mem": "64kB", "jit_above_cost": "0",
    },
    "latin1 clients": {"client_encoding": "LATIN1"},
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_a_database_with_settings_of_its_own(database_url: str, tmp_path: Path, odd: str) -> None:
    setting(database_url, **ODD[odd])
    assert_loads_replays_and_updates(database_url, tmp_path, SYMBOLS)


def test_an_environment_with_an_encoding_of_its_own(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    monkeypatch.setenv("PGDATESTYLE", "SQL, DMY")
    assert_loads_replays_and_updates(database_url, tmp_path, SYMBOLS)


def test_a_schema_of_its_own(empty_url: str, tmp_path: Path) -> None:
    """With tables of the same names before and behind it in reach."""
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA market")
        connection.execute("CREATE TABLE public.bars_ohlcv (nothing integer)")
    url = f"{empty_url}&options=-csearch_path%3Dmarket%2Cpublic"
    schema.upgrade(url)
    assert_loads_replays_and_updates(url, tmp_path, SYMBOLS)
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT count(*) FROM public.bars_ohlcv").fetchone() == (0,)


@contextmanager
def made(server_url: str, options: str) -> Iterator[str]:
    """URL of a migrated database that CREATE DATABASE made with `options`."""
    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}".encode())
        try:
            url = at(server_url, name)
            schema.upgrade(url)
            yield url
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_a_database_in_another_encoding(server_url: str, tmp_path: Path) -> None:
    with made(server_url, "ENCODING 'LATIN1' LOCALE 'C'") as url:
        assert_loads_replays_and_updates(url, tmp_path, ["É", "Q\"'\\", "ß"])
        refused = loaded(url, tmp_path / "4.parquet", frame(["É", "日本"]))
        assert (refused.status, refused.files[0].exit_code) == ("failure", 5)
        assert "LATIN1" in str(refused.files[0].error)
        assert stored(url) == expected(["É", "Q\"'\\", "ß"], 11.5)


def test_a_database_without_an_encoding(server_url: str, tmp_path: Path) -> None:
    with made(server_url, "ENCODING 'SQL_ASCII' LOCALE 'C'") as url:
        assert_loads_replays_and_updates(url, tmp_path, SYMBOLS)


def locale(server_url: str) -> str:
    """The locale furthest from C that the server can give a database: its upper() knows letters
    beyond ASCII, Turkish ones if possible."""
    with psycopg.connect(server_url) as connection:
        known = {
            str(name)
            for (name,) in connection.execute("SELECT collname FROM pg_collation").fetchall()
        }
    if "tr-x-icu" in known:
        return "LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C'"
    if "pg_c_utf8" in known:
        return "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
    return "LOCALE 'C.UTF-8'"


def test_a_database_with_a_locale(server_url: str, tmp_path: Path) -> None:
    """Lower-case spellings too: known ones must not be taken for another security."""
    with made(server_url, f"ENCODING 'UTF8' {locale(server_url)}") as url:
        assert_loads_replays_and_updates(url, tmp_path, SYMBOLS)
        for n, spelling in enumerate(("tif", "TIF", "éa", "ÉA", " éa")):
            one = loaded(url, tmp_path / f"s{n}.parquet", frame([spelling]))
            assert one.status == "success", one.files[0].error
        assert {s for s, *_ in stored(url)} >= {"TIF", "ÉA"}


# Limits that are meant for people's queries.


def slow(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A file whose pieces come slowly: the writer waits in its transaction, and so does a COPY."""
    compare = mergers.compare

    def slowly(beside: Any) -> Any:
        time.sleep(seconds)
        return compare(beside)

    monkeypatch.setattr(mergers, "compare", slowly)


TIMEOUTS = {
    "statement_timeout": "250ms",
    "idle_in_transaction_session_timeout": "150ms",
    "idle_session_timeout": "150ms",
    "transaction_timeout": "250ms",
}


@pytest.mark.parametrize("name", TIMEOUTS)
@pytest.mark.parametrize("replay", [False, True], ids=["fresh", "replay"])
def test_a_slow_file_outlasts_a_timeout(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, replay: bool
) -> None:
    data = frame(["A", "B", "C"])
    if replay:
        loaded(database_url, tmp_path / "0.parquet", data)
    with psycopg.connect(database_url) as connection:
        (known,) = connection.execute(
            "SELECT count(*) FROM pg_settings WHERE name = %s", (name,)
        ).fetchone() or (0,)
    if known:  # servers before 17 know no transaction_timeout, and must load all the same
        setting(database_url, **{name: TIMEOUTS[name]})
    slow(monkeypatch, 0.2)
    notes: list[str] = []

    def heard(event: Event) -> None:
        if isinstance(event, FileNote):
            notes.append(event.text)

    result = loaded(database_url, tmp_path / "1.parquet", data, heard, batch_rows=9)
    assert result.status == "success", result.files[0].error
    assert (result.counts.unchanged if replay else result.counts.inserted) == data.height
    assert not [note for note in notes if note.startswith("attempt")]


def test_a_tracker_outlasts_an_idle_timeout(database_url: str) -> None:
    setting(database_url, idle_session_timeout="50ms")
    with JobRunTracker(database_url) as tracker, tracker.run("nightly") as run:
        time.sleep(0.3)
        run.update_progress(3)
    with JobRunTracker(database_url) as tracker:
        assert tracker.get_run(run.id).status == "success"


def test_a_run_ends_under_a_stricter_isolation(database_url: str) -> None:
    """Its row is changed by the heart and by files while the end waits for it."""
    setting(database_url, default_transaction_isolation="repeatable read")
    with (
        JobRunTracker(database_url) as tracker,
        tracker.run("nightly", heartbeat_seconds=0.01) as run,
    ):
        for _ in range(50):
            run.update_progress(1)
    with JobRunTracker(database_url) as tracker:
        assert (tracker.get_run(run.id).status, tracker.get_run(run.id).rows_read) == (
            "success", 50,
        )  # fmt: skip


def test_a_read_only_database(database_url: str, tmp_path: Path) -> None:
    data = frame(["A"])
    assert loaded(database_url, tmp_path / "1.parquet", data).counts.inserted == len(INSTANTS)
    setting(database_url, default_transaction_read_only="on")
    with pytest.raises(DatabaseError, match="read-only") as refused:
        loaded(database_url, tmp_path / "2.parquet", data)
    assert refused.value.sqlstate == "25006"
    assert "default_transaction_read_only" in str(refused.value.hint)
    dry = loaded(database_url, tmp_path / "2.parquet", frame(["A", "B"]), dry_run=True)
    assert (dry.counts.inserted, dry.counts.unchanged) == (len(INSTANTS), len(INSTANTS))


def test_sessions_say_whose_they_are(database_url: str) -> None:
    with connect(database_url, autocommit=True), psycopg.connect(database_url) as connection:
        names = connection.execute(
            "SELECT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name NOT ILIKE 'citus%'"
        ).fetchall()
    assert names == [("mdload",)]


def test_nothing_to_load(database_url: str) -> None:
    result = load(Settings(max_rejects=RejectLimit(rows=0)), database_url, [])
    assert (result.status, result.files, result.counts.read) == ("success", (), 0)
