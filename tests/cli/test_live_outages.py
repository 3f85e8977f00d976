"""A feed stores each line once and in order, despite failures of server, network and process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psycopg

from loader.db.embedded import start, status, stop
from loader.store import schema
from tests.support.feeding import COUNT, RUN, feeding, line, lines, until_stored, wait_until
from tests.support.sql import fetch


def test_a_second_signal_ends_at_once(database_url: str, home: Path) -> None:
    """Unstored lines are on disk, and the next feed stores them before its own."""
    with psycopg.connect(database_url) as blocker, feeding(database_url, home=home) as feed:
        feed.write(line(0))
        until_stored(database_url, 1)
        blocker.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        feed.write(lines(1, 50))
        time.sleep(0.3)
        feed.send(signal.SIGTERM)
        time.sleep(0.3)
        feed.send(signal.SIGTERM)
        ran = feed.ended()
        blocker.rollback()
    assert ran.code == 130, ran.err
    (kept,) = (home / "live").iterdir()
    assert kept.read_bytes() == lines(1, 50)
    assert f"49 lines that were read wait in {kept}; the next feed with the same" in ran.err
    assert fetch(database_url, RUN) == [("live", "live", "cancelled", 1, 1, 0, 0, 0)]
    with feeding(database_url, "--timezone", "UTC", home=home) as other:
        assert other.end().code == 0
    assert f"lines of a feed with other options wait in {kept}: mdload live {kept}" in other.err
    with feeding(database_url, home=home) as feed:
        until_stored(database_url, 50)
        feed.write(line(7, close=9.5) + lines(50, 60))
        ran = feed.end()
    assert (ran.code, kept.exists()) == (0, False), ran.err
    assert f"49 lines that an earlier feed could not store, in {kept}, are stored first" in ran.err
    assert fetch(database_url, COUNT) == [(60,)]
    assert fetch(database_url, RUN) == [("live", "live", "success", 60, 59, 1, 0, 0)]
    assert fetch(database_url, "SELECT close FROM bars_ohlcv WHERE close <> 10.5") == [(9.5,)]


def test_sessions_that_end(database_url: str, home: Path) -> None:
    """Whatever ends at any time, everything is stored once and counted correctly."""
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with feeding(database_url, "--flush-rows", "50", home=home) as feed:
        for n in range(0, 3_000, 100):
            feed.write(lines(n, n + 100))
            if n % 300 == 0:
                fetch(database_url, kill)
            time.sleep(0.01)
        ran = feed.end()
    assert ran.code == 0, ran.err
    assert fetch(database_url, COUNT) == [(3_000,)]
    assert fetch(database_url, RUN) == [("live", "live", "success", 3_000, 3_000, 0, 0, 0)]


def test_a_server_that_is_away_for_longer(warm: Path, tmp_path: Path) -> None:
    """During an outage lines go to a private file, and from there to the store, in order."""
    url = start(warm)
    schema.upgrade(url)
    spill = tmp_path / "spill"
    with feeding(url, "--batch-rows", "100", "--spill-dir", spill, home=warm) as feed:
        feed.write(lines(0, 100))
        until_stored(url, 100)
        stop(warm)
        # More than the memory limit: one key repeated, and the last value must win.
        feed.write(lines(100, 1_000))
        feed.until_said("until they can be stored: ")
        feed.write(lines(1_000, 2_000) + line(1_500, close=9.5) + line(1_500, close=10.25))
        (kept,) = spill.iterdir()
        wait_until(lambda: kept.read_bytes().endswith(line(1_500, close=10.25)), lambda: "")
        assert kept.read_bytes().startswith(line(100))
        start(warm)
        feed.until_said("the server is back after")
        feed.write(lines(2_000, 2_100))
        ran = feed.end()
    assert ran.code == 0, ran.err
    assert list(spill.iterdir()) == []
    assert fetch(url, COUNT) == [(2_100,)]
    assert fetch(url, "SELECT close FROM bars_ohlcv WHERE close <> 10.5") == [(10.25,)]
    assert fetch(url, RUN)[0][2:4] == ("success", 2_102)


def test_a_feed_that_is_killed_while_the_server_is_away(warm: Path) -> None:
    url = start(warm)
    schema.upgrade(url)
    with feeding(url, home=warm) as feed:
        feed.write(lines(0, 100))
        until_stored(url, 100)
        os.kill(status(warm).pid or 0, signal.SIGQUIT)  # as in a crash: it stops answering
        feed.write(lines(100, 700) + b"nonsense\n")
        feed.until_said("until they can be stored: ")
        (kept,) = (warm / "live").iterdir()
        wait_until(lambda: kept.read_bytes().endswith(b"nonsense\n"), lambda: feed.err)
        feed.send(signal.SIGKILL)
        feed.ended()
    start(warm)
    with feeding(url, home=warm) as feed:
        feed.write(lines(700, 710))
        until_stored(url, 710)
        ran = feed.end()
    assert (ran.code, kept.exists()) == (0, False), ran.err
    assert fetch(url, RUN)[0][2:] == ("success", 611, 610, 0, 0, 1)
    assert fetch(url, "SELECT raw ->> 'line', row_number FROM bars_rejected") == [("nonsense", 601)]


def test_lines_that_end_while_the_server_is_away(warm: Path) -> None:
    """The feed waits for the server for a while; then the lines stay on disk."""
    url = start(warm)
    schema.upgrade(url)
    with feeding(url, home=warm) as feed:
        feed.write(lines(0, 10))
        until_stored(url, 10)
        stop(warm)
        feed.write(lines(10, 20))
        ran = feed.end()
    assert (ran.code, "Traceback" in ran.err) == (5, False), ran.err
    (kept,) = (warm / "live").iterdir()
    assert kept.read_bytes() == lines(10, 20)
    assert f"10 lines that were read wait in {kept}" in ran.err


def test_what_the_server_refuses_stays_on_disk(database_url: str, home: Path) -> None:
    with feeding(database_url, home=home) as feed:
        feed.write(lines(0, 5))
        until_stored(database_url, 5)
        with psycopg.connect(database_url) as connection:
            connection.execute("ALTER TABLE bars_ohlcv RENAME TO elsewhere")
        feed.write(lines(5, 8))
        ran = feed.ended()
    assert (ran.code, "Traceback" in ran.err) == (5, False), ran.err
    (kept,) = (home / "live").iterdir()
    assert kept.read_bytes() == lines(5, 8)


def test_a_run_that_somebody_else_ended(database_url: str, home: Path) -> None:
    with feeding(database_url, home=home) as feed:
        feed.write(lines(0, 5))
        until_stored(database_url, 5)
        fetch(
            database_url, "UPDATE job_runs SET status = 'failure', completed_at = now() RETURNING 1"
        )
        feed.write(lines(5, 8))
        ran = feed.ended()
    assert ran.code == 5
    assert "no longer running" in ran.err
    (kept,) = (home / "live").iterdir()
    assert kept.read_bytes() == lines(5, 8)
    assert str(kept) in ran.err
    assert fetch(database_url, COUNT) == [(5,)]
