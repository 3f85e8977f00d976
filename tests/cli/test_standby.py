"""A server that follows another one: it can be read and not written, until it is promoted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg

from loader.db.embedded import start, stop
from loader.store import schema
from tests.conftest import Ran, plain_only
from tests.support.feeding import feeding, lines, until_stored
from tests.support.jobs import bars
from tests.support.sql import fetch

pytestmark = plain_only
Mdload = Callable[..., Ran]
COUNT = "SELECT count(*) FROM bars_ohlcv"


def follow(home: Path) -> str:
    """Starts the server of `home` as one that waits for the log of a primary."""
    (data,) = home.glob("pg[0-9]*")
    (data / "standby.signal").write_text("")
    return start(home)


def promote(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT pg_promote()").fetchone() == (True,)


def test_a_standby_is_read_and_not_written(forked: Mdload, warm: Path, tmp_path: Path) -> None:
    path = bars(tmp_path / "a.csv", 50)
    args = ("backfill", path, "--provider", "p", "--interval", "1m")
    assert forked(*args).code == 0
    url = follow(warm)
    assert forked("coverage", "--json").json()[0]["bars"] == 50
    assert forked("export", "--to", "out.csv").code == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 51
    bars(path, 60)
    for command in (args, ("migrate",), ("delete", "--symbol", "AAA", "--yes")):
        ran = forked(*command)
        if command[0] == "migrate":  # there is nothing to do
            continue
        assert ran.code == 5, ran
        assert "read-only" in ran.err
        assert "hint: a standby? give the URL of the primary" in ran.err
    assert "Traceback" not in forked("doctor").err
    promote(url)
    ran = forked(*args, "--json")
    assert (ran.code, ran.json()["rows_inserted"]) == (0, 10), ran.err


def test_a_feed_over_a_switch_to_a_standby(warm: Path, tmp_path: Path) -> None:
    """Lines wait on disk while nobody can be written, and are stored once after the promotion."""
    url = start(warm)
    schema.upgrade(url)
    spill = tmp_path / "spill"
    with feeding(url, "--batch-rows", "100", "--spill-dir", spill, home=warm) as feed:
        feed.write(lines(0, 100))
        until_stored(url, 100)
        stop(warm)
        follow(warm)
        feed.write(lines(100, 1_000))
        feed.until_said("until they can be stored: ")
        assert fetch(url, COUNT) == [(100,)]
        promote(url)
        feed.until_said("the server is back after")
        feed.write(lines(1_000, 1_100))
        ran = feed.end()
    assert ran.code == 0, ran.err
    assert list(spill.iterdir()) == []
    assert fetch(url, COUNT) == [(1_100,)]
