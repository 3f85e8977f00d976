"""`mdload live` as it runs beside a feed: the real executable, a real server, real signals."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Ran
from tests.support.feeding import COUNT, RUN, feeding, line, lines, until_stored, wait_until
from tests.support.sql import fetch

Mdload = Callable[..., Ran]


def test_a_feed_to_its_end(mdload: Mdload, database_url: str) -> None:
    data = lines(0, 2_500) + b'{"type":"bye"}\nnonsense\n' + line(3, close=10.75) + line(9, high=1)
    args = ("--database", database_url, "live", "--provider", "p", "--interval", "1m", "--json")
    ran = mdload(*args, stdin=data)
    assert ran.code == 0, ran.err
    told = ran.json()
    assert (told["status"], told["symbols"]) == ("success", ["AA"])
    counts = [told[f"rows_{name}"] for name in ("read", "inserted", "updated", "failed")]
    assert counts == [2504, 2500, 1, 3]
    assert told["files"][0]["rejected"] == {
        "high_below_low": 1, "open_outside_range": 1, "close_outside_range": 1,
        "line_not_a_bar": 1, "line_not_json": 1,
    }  # fmt: skip
    assert fetch(database_url, RUN) == [("live", "live", "success", 2504, 2500, 1, 0, 3)]
    assert fetch(
        database_url, "SELECT run_id, row_number, raw ->> 'line', raw ->> 'high' FROM bars_rejected"
        " ORDER BY row_number"
    ) == [
        (told["run_id"], 2501, '{"type":"bye"}', None),
        (told["run_id"], 2502, "nonsense", None),
        (told["run_id"], 2504, None, "1"),
    ]  # fmt: skip
    assert fetch(database_url, "SELECT old_close, new_close, run_id FROM bars_ohlcv_revisions") == [
        (10.5, 10.75, told["run_id"])
    ]
    assert "stdin: line 2501: not a bar, no column for ts" in ran.err
    inspected = mdload("--database", database_url, "job-runs", "inspect", str(told["run_id"]))
    assert re.search(r"line_not_json\s+1\n", inspected.out), inspected.out
    again = mdload(*args[:-1], "--job-name", "kraken", stdin=data)
    assert "2,499" in again.out
    assert fetch(database_url, RUN) == [("kraken", "live", "success", 2504, 0, 2, 2499, 3)]


def test_bars_are_stored_because_of_time(database_url: str, home: Path) -> None:
    with feeding(database_url, "--flush-rows", "1000000", home=home) as feed:
        feed.write(line(0))
        until_stored(database_url, 1)
        feed.write(lines(1, 1_000))
        until_stored(database_url, 1_000)
        assert fetch(database_url, RUN)[0][2:5] == ("running", 1_000, 1_000)
        assert feed.end().code == 0
    assert fetch(database_url, RUN)[0][2] == "success"


def test_bars_are_stored_because_there_are_enough(database_url: str, home: Path) -> None:
    often = ("--flush-rows", "100", "--flush-ms", "3600000")
    with feeding(database_url, *often, home=home) as feed:
        feed.write(lines(0, 250))
        until_stored(database_url, 200)
        time.sleep(0.2)
        assert fetch(database_url, COUNT) == [(200,)]
        assert feed.end().code == 0
    assert fetch(database_url, COUNT) == [(250,)]


def test_an_idle_feed_beats(database_url: str, home: Path) -> None:
    beat = "SELECT metadata ->> 'last_heartbeat', status FROM job_runs"
    with feeding(database_url, home=home) as feed:
        wait_until(lambda: fetch(database_url, beat), lambda: feed.err)
        (first,) = fetch(database_url, beat)
        wait_until(lambda: fetch(database_url, beat) != [first], lambda: str(first))
        ((second, status),) = fetch(database_url, beat)
        assert (second > (first[0] or ""), status) == (True, "running")
        assert feed.end().code == 0
    assert fetch(database_url, RUN) == [("live", "live", "success", 0, 0, 0, 0, 0)]


@pytest.mark.parametrize(
    ("sig", "code", "status"),
    [(signal.SIGTERM, 0, "success"), (signal.SIGINT, 130, "cancelled")],
)
def test_a_signal_drains(
    database_url: str, home: Path, sig: signal.Signals, code: int, status: str
) -> None:
    """Everything in the pipe is stored, although the server was not ready for it."""
    with psycopg.connect(database_url) as blocker, feeding(database_url, home=home) as feed:
        feed.write(line(0))
        until_stored(database_url, 1)
        blocker.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        feed.write(lines(1, 400) + b'{"symbol":"AA","ts":17')
        feed.send(sig)
        time.sleep(0.3)
        blocker.rollback()
        ran = feed.ended()
    assert (ran.code, "Traceback" in ran.err) == (code, False), ran.err
    assert fetch(database_url, COUNT) == [(400,)]
    # Half a line is rejected and kept like any line that is not JSON.
    assert fetch(database_url, RUN) == [("live", "live", status, 401, 400, 0, 0, 1)]
    assert fetch(database_url, "SELECT raw ->> 'line' FROM bars_rejected") == [
        ('{"symbol":"AA","ts":17',)
    ]
    assert "400" in ran.out


def test_who_writes_waits_for_the_server(database_url: str, home: Path) -> None:
    """Reads only as many lines as fit into memory, and loses none."""
    arrived = 0

    def produce() -> None:
        nonlocal arrived
        for n in range(0, 20_000, 100):
            feed.write(lines(n, n + 100))
            arrived = n + 100

    with (
        psycopg.connect(database_url) as blocker,
        feeding(database_url, "--batch-rows", "500", home=home) as feed,
    ):
        blocker.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        producing = threading.Thread(target=produce)
        producing.start()
        while True:  # until nothing moves
            before = arrived
            time.sleep(1.0)
            if before == arrived > 0:
                break
        assert arrived < 10_000
        blocker.rollback()
        producing.join(60)
        assert feed.end().code == 0
    assert fetch(database_url, COUNT) == [(20_000,)]


def test_a_fifo(database_url: str, home: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "bars"
    os.mkfifo(fifo)
    with feeding(database_url, fifo, home=home) as feed:
        with fifo.open("wb") as pipe:
            pipe.write(lines(0, 10))
            pipe.flush()
            until_stored(database_url, 10)
            pipe.write(line(10))
        assert feed.ended().code == 0
    assert fetch(database_url, COUNT) == [(11,)]
    with feeding(database_url, fifo, home=home) as feed:  # nobody ever writes to it
        wait_until(lambda: len(fetch(database_url, "SELECT 1 FROM job_runs")) == 2, lambda: "")
        time.sleep(0.2)
        feed.send(signal.SIGTERM)
        assert feed.ended().code == 0


def test_metrics_are_served(database_url: str, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with feeding(database_url, "--metrics-port", str(port), home=home) as feed:
        feed.write(lines(0, 20) + line(3, close=9.5) + b"nonsense\n")
        until_stored(database_url, 20)

        def said() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                return str(answer.read().decode())

        wait_until(lambda: 'outcome="rejected"} 1.0' in said(), said)
        assert 'store_bars_written_total{method="UPSERT",status="success"} 2' in said()
        assert (
            'store_rows_rejected_total{job_name="live",mode="live",rule="line_not_json"} 1.0'
            in (said())
        )
        assert 'store_rows_total{job_name="live",mode="live",outcome="inserted"} 20.0' in said()
        assert feed.end().code == 0


def test_what_is_wrong_is_said_before_anything_is_read(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    db = ("--database", database_url, "live")
    for args, code, said in (
        (["--interval", "7x"], 2, "7x"),
        (["--timezone", "Mars/Base"], 2, "Mars/Base"),
        (["--column", "close"], 2, "FIELD=NAME"),
        (["--flush-rows", "0"], 2, "--flush-rows"),
        ([tmp_path / "absent"], 3, "absent"),
        ([tmp_path], 3, "is a folder"),
    ):
        ran = forked(*db, *args, stdin=line(0))
        assert (ran.code, said in ran.err, "Traceback" in ran.err) == (code, True, False), ran.err
    away = forked("--database", "postgresql://me:sekret@127.0.0.1:1/x", "live", stdin=line(0))
    assert (away.code, "sekret" in away.err) == (5, False)
    assert fetch(database_url, COUNT) == [(0,)]


def test_the_embedded_server(forked: Mdload) -> None:
    ran = forked("live", "--provider", "p", "--interval", "1m", "--json", stdin=lines(0, 10))
    assert (ran.code, ran.json()["rows_inserted"]) == (0, 10), ran.err


def test_a_dialect_of_ones_own(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "mdload.toml").write_text(
        f"""
        [database]
        url = "{database_url}"
        [defaults]
        dialect = "mine"
        [dialects.mine]
        place = "candles"
        columns = {{symbol = "pair", ts = "began", open = "o", high = "h", low = "l", close = "c"}}
        interval = "1h"
        price_divisor = 100
        """
    )
    data = b'{"pair": "AA", "began": "2024-03-04T14:00Z", "o": 1, "h": 2, "l": 1, "c": 2}\n'
    ran = forked("live", stdin=data)
    assert ran.code == 0, ran.err
    assert fetch(database_url, 'SELECT provider, symbol, "interval", high FROM bars_ohlcv') == [
        ("mine", "AA", "1h", 0.02)
    ]


def test_defaults_of_the_configuration(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "mdload.toml").write_text(
        f'[database]\nurl = "{database_url}"\n'
        '[defaults]\nprovider = "filed"\ninterval = "1m"\njob_name = "nightly"\n'
    )
    assert forked("live", stdin=lines(0, 2)).code == 0
    assert fetch(database_url, "SELECT DISTINCT provider FROM bars_ohlcv") == [("filed",)]
    assert fetch(database_url, RUN)[0][0] == "live"


def test_a_line_that_no_index_takes_is_a_reject(forked: Mdload, database_url: str) -> None:
    """Of a provider and of a symbol, at the edge and beyond; the next feed has nothing to mend."""
    keys = ["A" * 128, "B" * 129, "C" * 5_000, "D"]
    data = b"".join(line(0).replace(b'"AA"', f'"{key}"'.encode()) for key in keys)
    args = ("--database", database_url, "live", "--provider", "p", "--interval", "1m", "--json")
    ran = forked(*args, stdin=data)
    assert ran.code == 0, ran.err
    assert ran.json()["files"][0]["rejected"] == {"key_too_long": 2}
    assert fetch(database_url, "SELECT left(symbol, 1) FROM bars_ohlcv ORDER BY 1") == [
        ("A",), ("D",)
    ]  # fmt: skip


def test_a_line_that_the_server_refuses_is_set_aside(forked: Mdload, database_url: str) -> None:
    """By a constraint that mdload does not know of, in the middle of a batch."""
    fetch(database_url, "ALTER TABLE bars_ohlcv ADD CONSTRAINT cheap CHECK (close < 11)")
    data = lines(0, 20) + line(30, close=10.75) + line(31, high=12, close=11.5) + lines(32, 52)
    args = ("--database", database_url, "live", "--provider", "p", "--interval", "1m", "--json")
    ran = forked(*args, stdin=data)
    assert ran.code == 0, ran.err
    assert "line 22 is rejected, the server does not take it: new row for relation" in ran.err
    told = ran.json()
    assert [told[f"rows_{name}"] for name in ("read", "inserted", "failed")] == [42, 41, 1]
    assert told["files"][0]["rejected"] == {"line_refused": 1}
    rows = "SELECT row_number, rules, raw ->> 'why' LIKE '%\"cheap%' FROM bars_rejected"
    assert fetch(database_url, rows) == [(22, ["line_refused"], True)]
    again = forked(*args, stdin=line(60))
    assert (again.code, again.json()["rows_read"]) == (0, 1)
