"""Every command on a Citus cluster does and says what it does on one server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader import bars
from loader.db.prepared import Prepared
from loader.db.queries import query
from loader.store import merge
from tests.conftest import Ran, needs_citus
from tests.store.citus.cluster import distributed
from tests.support.crashing import contents

pytestmark = needs_citus
#: What no two runs have in common.
OWN = re.compile(r"time|_at$|_ms$|wal|host|database|version|rate|known|elapsed|heartbeat|^at$|^id$")


@pytest.fixture
def cluster(mdload: Callable[..., Ran]) -> Iterator[str]:
    with distributed() as url:
        assert mdload("migrate", env={"DATABASE_URL": url}).code == 0
        yield url


def alike(said: Any) -> Any:
    if isinstance(said, dict):
        return {key: alike(value) for key, value in said.items() if not OWN.search(key)}
    return [alike(each) for each in said] if isinstance(said, list) else said


def stored(url: str) -> dict[str, list[bytes]]:
    """A bar can have several revisions, which have no order here."""
    return {name: sorted(text.splitlines()) for name, text in contents(url).items()}


def times_of_no_load(url: str) -> list[int]:
    """How many times of bars and revisions no load has: a shard's own, for example."""
    with psycopg.connect(url) as connection:
        loads, bars, revisions = (
            {at for (at,) in connection.execute(f"SELECT DISTINCT {column} FROM {table}".encode())}
            for table, column in (
                ("bars_loads", "xact_at"),
                ("bars_ohlcv", "updated_at"),
                ("bars_ohlcv_revisions", "revised_at"),
            )
        )
    return [len(bars - loads), len(revisions - loads)]


def rows(first: int, count: int, price: float) -> Iterator[str]:
    for symbol in range(12):
        for minute in range(first, first + count):
            o = price + (symbol * 7 + minute) % 50
            ts = f"2024-01-02T{minute // 60:02}:{minute % 60:02}:00Z"
            yield f"SYM{symbol},{ts},{o},{o + 1},{o - 1},{o + 0.5},{100 + minute}\n"


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("symbol,ts,open,high,low,close,volume\n" + "".join(lines))
    return path


def test_every_command_says_the_same(
    cluster: str, one_url: str, mdload: Callable[..., Ran], tmp_path: Path
) -> None:
    first = list(rows(0, 300, 100.0))
    a = write(tmp_path / "a.csv", first)
    b = write(tmp_path / "b.csv", [*list(rows(0, 200, 100.0))[:900], *rows(200, 150, 100.25)])
    bad = [first[0], "SYM1,2024-01-03T00:00:00Z,5,4,3,4,1\n", "SYM2,bad,5,6,3,4,1\n"]
    c = write(tmp_path / "c.csv", list(reversed([*rows(340, 60, 99.0), *bad])))
    e, f = (write(tmp_path / f"{n}.csv", list(rows(n, 60, 98.0))) for n in (400, 460))
    fresh = write(tmp_path / "g.csv", [line.replace("SYM", "NEW") for line in first])
    lacking = write(tmp_path / "d.csv", [line for line in first if ":07:00" not in line])
    enabled = mdload("citus", "enable", "--yes", env={"DATABASE_URL": cluster})
    assert enabled.code == 0, enabled.err
    load = ("backfill", "--provider", "p", "--interval", "1m", "--json")
    steps: list[tuple[int | None, tuple[str | Path, ...]]] = [
        (0, (*load, a)),
        (0, (*load, a, "--force")),
        (0, (*load, b, "--dry-run")),
        (0, (*load, b)),
        (0, (*load, c, "--max-rejects", "10%")),
        (0, (*load, a, "--force", "--commit-every", "700")),
        (0, ("pin", "early")),
        (0, ("verify", a, "--provider", "p", "--interval", "1m", "--json")),
        (0, (*load, b, "--force", "--plan", "plan.parquet")),
        (0, ("apply", "plan.parquet", "--json")),
        (0, (*load, lacking, "--delete-gone", "--max-gone", "100%", "--force")),
        (0, ("coverage", "--json")),
        (0, ("coverage", "--pin", "early", "--json")),
        (6, ("gaps", "--calendar", "24/7", "--json")),
        (0, ("export", "--to", "now.csv")),
        (0, ("export", "--pin", "early", "--to", "early.csv")),
        (0, ("export", "--symbol", "SYM3", "--to", "one.csv")),
        (6, ("diff", "early", "now", "--json")),
        (0, ("revisions", "list", "--json")),
        (0, ("rejects", "list", "--json")),
        (None, ("rejects", "replay", "4", "--json")),
        (4, ("rollback", "4", "--yes", "--json")),
        (0, ("rollback", "4", "--keep-later", "--yes", "--json")),
        (0, (*load, fresh)),
        (0, ("rollback", "LAST", "--yes", "--json")),
        (0, ("delete", "--symbol", "SYM7", "--yes", "--json")),
        (0, ("rename", "SYM9", "OTHER", "--yes", "--json")),
        (0, (*load[:-1], e, f, "--workers", "2")),
        (0, ("prune", "--revisions-days", "400", "--yes", "--json")),
        (0, ("report", "--to", "report.html")),
        (0, ("query", "SELECT count(*), sum(close) FROM bars_ohlcv")),
        (0, ("live", "--provider", "live", "--interval", "1m", "--json")),
    ]
    line = '{"symbol": "SYM1", "ts": "2024-01-02T00:00:00Z", "open": 1, "high": 1, "low": 1,'
    line += ' "close": 1}\n'
    for code, args in steps:
        ran = {}
        with psycopg.connect(one_url) as connection:
            last = connection.execute("SELECT max(id) FROM job_runs").fetchone() or ()
        words = [str(*last) if arg == "LAST" else arg for arg in args]
        for name, url in (("one", one_url), ("many", cluster)):
            (tmp_path / name).mkdir(exist_ok=True)
            stdin = line if args[0] == "live" else ""
            ran[name] = mdload(*words, env={"DATABASE_URL": url}, cwd=tmp_path / name, stdin=stdin)
        one, many = ran["one"], ran["many"]
        assert many.code == one.code == (one.code if code is None else code), (args, many.err)
        if "--json" in args and (one.out or many.out):
            assert alike(many.json()) == alike(one.json()), args
        assert stored(cluster) == stored(one_url), args
        assert times_of_no_load(cluster) == times_of_no_load(one_url) == [0, 0], args
    for name in ("now.csv", "early.csv", "one.csv"):
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_the_tables_come_first(mdload: Callable[..., Ran]) -> None:
    with distributed() as url:
        env = {"DATABASE_URL": url}
        doctor = mdload("doctor", "--json", env=env).json()["checks"]
        refused = mdload("citus", "enable", "--yes", env=env)
    found = {check["name"]: (check["state"], check["hint"]) for check in doctor}
    assert (found["schema"], found["citus"]) == (("fail", "run: mdload migrate"), ("ok", None))
    assert (refused.code, refused.err.splitlines()[-1]) == (5, "hint: run: mdload migrate")


def test_enable_keeps_what_is_stored_and_says_so(
    cluster: str, mdload: Callable[..., Ran], tmp_path: Path
) -> None:
    env = {"DATABASE_URL": cluster}
    a = write(tmp_path / "a.csv", list(rows(0, 100, 100.0)))
    assert mdload("backfill", a, "--provider", "p", "--interval", "1m", env=env).code == 0
    before = stored(cluster)
    doctor = {c["name"]: c for c in mdload("doctor", "--json", env=env).json()["checks"]}
    assert doctor["citus"]["state"] == "warn"
    assert "would: distribute bars_ohlcv by symbol" in mdload("citus", "enable", env=env).out
    assert mdload("citus", "status", "--json", env=env).json()["by"] is None
    done = mdload("citus", "enable", "--yes", "--json", env=env)
    assert done.code == 0, done.err
    assert done.json()["done"]
    assert stored(cluster) == before
    assert "nothing to do" in mdload("citus", "enable", "--yes", env=env).out
    status = mdload("citus", "status", "--json", env=env).json()
    assert status["by"] == "symbol"
    assert sum(server["shards"] for server in status["on"]) == 32
    doctor = {c["name"]: c for c in mdload("doctor", "--json", env=env).json()["checks"]}
    assert doctor["citus"]["state"] == "ok", doctor["citus"]
    with psycopg.connect(cluster) as connection:
        times = connection.execute(
            "SELECT count(DISTINCT updated_at), count(*) FILTER (WHERE l.id IS NULL)"
            " FROM bars_ohlcv b LEFT JOIN bars_loads l ON l.xact_at = b.updated_at"
        ).fetchone()
    assert times == (1, 0)


def test_a_look_for_any_bar_brings_one_row_of_a_shard(
    cluster: str, mdload: Callable[..., Ran]
) -> None:
    enabled = mdload("citus", "enable", "--yes", env={"DATABASE_URL": cluster})
    assert enabled.code == 0, enabled.err
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
            " SELECT 'p', 'S' || n % 50, '1d', timestamptz '2024-01-01Z' + n * interval '1 day',"
            " 1, 1, 1, 1 FROM generate_series(1, 1000) n"
        )
        plan = connection.execute(f"EXPLAIN (ANALYZE) {query('bars_any')}".encode()).fetchall()
    rows = [float(n) for (line,) in plan for n in re.findall(r"actual .*?rows=([\d.]+)", line)]
    assert rows
    assert max(rows) <= 32


def test_a_batch_for_one_shard_commits_in_two_phases(
    cluster: str, mdload: Callable[..., Ran]
) -> None:
    """Else its bars would be committed before its revisions and counts, and might stay alone."""
    assert mdload("citus", "enable", "--yes", env={"DATABASE_URL": cluster}).code == 0
    issued: list[str] = []
    at = datetime(2024, 1, 2, tzinfo=UTC)
    with closing(Prepared(cluster)) as session:
        session._connection.add_notice_handler(
            lambda notice: issued.append(notice.message_primary or "")
        )
        session._connection.execute(
            "SET citus.log_remote_commands = on; SET client_min_messages = notice"
        )
        session._connection.commit()
        for price in (1.0, 2.0):
            for number in range(12):
                frame = pl.DataFrame(
                    [("p", f"S{number}", "1m", at, price, price, price, price, 1.0, None, None)],
                    schema=bars.SCHEMA, orient="row",
                )  # fmt: skip
                statement = merge.Statement.of(frame)
                with session.transaction():
                    merge.merge_statement(session, statement, None)
    commits = [text for text in issued if re.search(r"issuing COMMIT$", text, re.MULTILINE)]
    assert commits == []
    assert [text for text in issued if "issuing COMMIT PREPARED" in text]
