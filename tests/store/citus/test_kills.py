"""Servers of a cluster that stop at once, at any moment of a load: no file is torn.

MDLOAD_TEST_CITUS_STOP is a command that stops a server at once and starts it again, with its port
behind it; MDLOAD_TEST_CITUS_ROUNDS is how many times that is done.
"""

from __future__ import annotations

import os
import random
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import environment, needs_citus
from tests.store.citus.cluster import distributed

STOP = os.environ.get("MDLOAD_TEST_CITUS_STOP")
ROUNDS = int(os.environ.get("MDLOAD_TEST_CITUS_ROUNDS", "6"))
pytestmark = [
    needs_citus,
    pytest.mark.skipif(not STOP, reason="MDLOAD_TEST_CITUS_STOP names no command"),
]
SYMBOLS, MINUTES = 40, 250
ROWS = SYMBOLS * MINUTES


def write(path: Path, price: float) -> Path:
    lines = [
        f"SYM{s},2024-01-02T{m // 60:02}:{m % 60:02}:00Z,{price},{price},{price},{price},1\n"
        for s in range(SYMBOLS)
        for m in range(MINUTES)
    ]
    path.write_text("symbol,ts,open,high,low,close,volume\n" + "".join(lines))
    return path


def backfill(home: Path, url: str, path: Path, *options: str) -> subprocess.Popen[bytes]:
    args = ["backfill", str(path), "--provider", "p", "--interval", "1m", "--force", *options]
    return subprocess.Popen(
        [sys.executable, "-m", "loader", *args],
        env=environment(home, {"DATABASE_URL": url}),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def asked(url: str, sql: str) -> tuple[object, ...]:
    """Waits for a server that starts again."""
    for _ in range(120):
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                return connection.execute(sql.encode()).fetchone() or ()
        except psycopg.Error as error:
            last = error
            time.sleep(0.5)
    raise last


def ports(url: str) -> Iterator[int]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield from (
            port for (port,) in connection.execute("SELECT nodeport FROM pg_dist_node ORDER BY 1")
        )


def test_no_file_is_torn(home: Path, tmp_path: Path) -> None:
    rng = random.Random(int(os.environ.get("MDLOAD_TEST_CITUS_SEED", "1")))
    ended = {"done": 0, "failed": 0, "waited": 0, "retried": 0}
    with distributed() as url:
        for command in (["migrate"], ["citus", "enable", "--yes"]):
            subprocess.run(
                [sys.executable, "-m", "loader", *command], check=True,
                env=environment(home, {"DATABASE_URL": url}), capture_output=True,
            )  # fmt: skip
        nodes = list(ports(url))
        price = 1.0
        backfill(home, url, write(tmp_path / "f.csv", price)).communicate()
        began = time.monotonic()
        price += 1
        backfill(home, url, write(tmp_path / "f.csv", price)).communicate()
        usual = time.monotonic() - began
        revisions = ROWS
        for number in range(ROUNDS):
            new = price + 1
            running = backfill(home, url, write(tmp_path / "f.csv", new))
            time.sleep(rng.uniform(0.2, 0.95) * usual)
            hit_running = running.poll() is None
            node = rng.choice(nodes)
            subprocess.run([*shlex.split(STOP or ""), str(node)], check=True, capture_output=True)
            said = (running.communicate(timeout=300)[0] or b"").decode()
            asked(url, "SELECT recover_prepared_transactions()")
            ended["waited"] += not hit_running
            ended["retried"] += "attempt" in said
            committed = running.returncode == 0
            ended["done" if committed else "failed"] += 1
            if not committed:
                print(f"round {number}, {node}: exit {running.returncode}: {said[-400:]!r}")
            for _ in range(100):  # what another session has prepared may still be on its way
                counts = f"count(*), count(*) FILTER (WHERE open = {new})"
                found = asked(url, f"SELECT {counts} FROM bars_ohlcv")
                if found in ((ROWS, ROWS), (ROWS, 0)):
                    break
                time.sleep(0.2)
                asked(url, "SELECT recover_prepared_transactions()")
            stored = found == (ROWS, ROWS)
            assert found in ((ROWS, ROWS), (ROWS, 0)), (number, node, found, said)
            assert stored or not committed, (number, node, said)
            if stored:
                price, revisions = new, revisions + ROWS
            (kept,) = asked(url, "SELECT count(*) FROM bars_ohlcv_revisions")
            assert kept == revisions, (number, node, said)
            (written,) = asked(
                url, "SELECT sum(rows_written) FROM job_run_files WHERE state = 'loaded'"
            )
            assert written == revisions + ROWS, (number, node, said)
        before = "lag(new_open, 1, old_open) OVER (PARTITION BY symbol, ts ORDER BY revised_at)"
        chain = asked(
            url,
            f"SELECT count(*) FROM (SELECT old_open <> {before} AS broken"
            " FROM bars_ohlcv_revisions) AS r WHERE broken",
        )
        assert chain == (0,)
    print(f"{ROUNDS} rounds: {ended}")
