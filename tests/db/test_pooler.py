"""A pooler between mdload and the server, through the real command."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from loader import StoreClient
from loader.db import pooler
from loader.errors import DatabaseError
from tests.conftest import Ran, plain_only
from tests.support.jobs import config
from tests.support.pooling import needs_pgbouncer, pooled
from tests.support.sql import fetch

pytestmark = [needs_pgbouncer, plain_only]
Mdload = Callable[..., Ran]
ROWS = [f"2024-01-02T00:{minute:02}:00Z,AAA,1,2,0.5,1.5" for minute in range(60)]


@pytest.fixture
def load(tmp_path: Path) -> tuple[str | Path, ...]:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["ts,symbol,open,high,low,close", *ROWS, ""]))
    return ("backfill", path, "--provider", "demo", "--interval", "1m", "--force")


SHARING = [("transaction", ()), ("transaction", ("server_round_robin = 1",)), ("statement", ())]


@pytest.mark.parametrize(("mode", "further"), SHARING, ids="".join)
def test_a_pooler_that_shares_sessions_is_refused(
    forked: Mdload,
    database_url: str,
    load: tuple[str | Path, ...],
    mode: str,
    further: tuple[str, ...],
) -> None:
    with pooled(database_url, mode, 20, *further) as url:
        env = {"MDLOAD_DATABASE_URL": url}
        for command in (load, ("coverage",), ("migrate",), ("job-runs", "list")):
            ran = forked(*command, env=env)
            assert ran.code == 5, (command, ran.err)
            assert "a pooler stands before the server and gives each transaction another" in ran.err
            assert "hint: connect to the server itself: port=5432" in ran.err
        with pytest.raises(DatabaseError, match="a pooler stands"), StoreClient(url):
            pass
        ran = forked("doctor", env=env)
        assert ran.code == 6
        assert "a pooler stands before the server" in " ".join((ran.out + ran.err).split())
        # Nothing of mdload's is left on the sessions that other people get next.
        if mode == "transaction":
            with psycopg.connect(url, autocommit=True, prepare_threshold=None) as other:
                assert other.execute("SHOW statement_timeout").fetchone() == ("0",)
                assert other.execute("SHOW enable_seqscan").fetchone() == ("on",)
                assert other.execute("SHOW idle_session_timeout").fetchone() == ("0",)
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]


def test_whole_sessions_are_as_good_as_a_server(
    forked: Mdload, database_url: str, load: tuple[str | Path, ...]
) -> None:
    with pooled(database_url, "session", 8) as url:
        env = {"MDLOAD_DATABASE_URL": url}
        for _ in range(2):
            ran = forked(*load, env=env)
            assert ran.code == 0, ran.err
        assert "60 bars" in forked("coverage", env=env).out
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(60,)]


def test_a_pool_that_is_too_small_says_how_many_it_takes(
    forked: Mdload, database_url: str, load: tuple[str | Path, ...], tmp_path: Path
) -> None:
    """Each waits for the missing session: all at once, each for a pool of its own."""

    def refused(size: int, *command: str | Path) -> str:
        with pooled(database_url, "session", size) as url:
            folder = tmp_path / uuid.uuid4().hex
            folder.mkdir()
            config(folder, url, f'[jobs.one]\nsource = "{load[1]}"')
            ran = forked(*command, cwd=folder)
            assert ran.code == 5, ran.err
            assert forked("job-runs", "list", cwd=folder).code == 0  # that takes no more
            return ran.err

    with ThreadPoolExecutor(4) as threads:
        one, three, job, two = (
            threads.submit(refused, *given)
            for given in ((2, *load), (2, *load, "--workers", "3"), (8, "run", "one"),
                          (8, *load, "--workers", "2"))
        )  # fmt: skip
    assert "gives 2 of the 8 sessions that this takes at once: nothing was done" in one.result()
    assert "hint: raise its default_pool_size, or connect to the server itself" in one.result()
    assert "gives 2 of the 20 sessions" in three.result()
    # The lock of the job takes one.
    assert "gives 8 of the 9 sessions that this takes at once" in job.result()
    assert "gives 8 of the 14 sessions" in two.result()
    assert "hint: load with --workers 1, or raise its default_pool_size, or" in two.result()
    with pooled(database_url, "session", 9) as url:
        config(tmp_path, url, '[jobs.one]\nsource = "b.csv"')
        (tmp_path / "b.csv").write_text("ts,symbol,open,high,low,close\n")
        ran = forked("run", "one")
        assert ran.code == 0, ran.err
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]


def test_a_server_is_asked_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooler, "_known", {})
    with psycopg.connect(database_url, autocommit=True) as connection:
        pooler.check("given", connection, 14)  # no pooler: nothing to prove
        assert pooler.is_known("given")
        monkeypatch.setattr(pooler, "_asked", None)
        pooler.check("given", connection, 14)
