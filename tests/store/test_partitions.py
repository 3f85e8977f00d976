"""The set-up of docs/scale.md: a store of which the bars become a partitioned table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

import loader
from loader import StoreClient
from loader.db.embedded import embedded
from loader.results import LoadResult
from loader.store import schema
from tests.conftest import ROOT, database, hurried, plain_only, temporary_home
from tests.store.versions.test_other_servers import programs
from tests.support.histories import check_histories
from tests.support.sql import fetch
from tests.support.tenants import loaded, with_tenants, written

pytestmark = plain_only


def set_up(by: str) -> str:
    """The statement of the page, or the same by provider."""
    page = (ROOT / "docs" / "scale.md").read_text()
    found = re.search(r"```sql\n(DO \$\$.*?END \$\$;)\n```", page, re.DOTALL)
    assert found is not None
    if by == "time":
        return found[1]
    made = found[1].replace("PARTITION BY RANGE (ts)", "PARTITION BY LIST (provider)")
    made = re.sub(r"FOR VALUES FROM \('2023.*?\) TO \(.*?\)", "FOR VALUES IN ('p')", made)
    return re.sub(r"FOR VALUES FROM \('2024.*?\) TO \(.*?\)", "FOR VALUES IN ('q')", made)


@contextmanager
def server(major: int, monkeypatch: pytest.MonkeyPatch, own: str) -> Iterator[str]:
    """The maintenance database of a server of this version: `own` is that of the tests."""
    if major == 18:
        yield own
        return
    place = programs().get(major)
    if place is None:
        pytest.skip(f"there is no PostgreSQL {major} here: see MDLOAD_TEST_PG_BINS")
    monkeypatch.setenv("MDLOAD_PG_BIN", str(place))
    with temporary_home("mdload-tests-") as home, embedded(home) as url:
        yield hurried(url, "fsync", "synchronous_commit", "full_page_writes")


def rows(path: Path, close: float, *, from_month: int = 1) -> Path:
    """Daily bars of two providers' symbol from December 2022 on, 28 a month, fourteen months."""
    lines = ["provider,symbol,ts,open,high,low,close"]
    for n in range(from_month - 1, 14):
        year, month = divmod(2022 * 12 + 11 + n, 12)
        lines += [f"{provider},AA,{year}-{month + 1:02}-{day:02},5,99,1,{close + day / 100}"
                  for provider in ("p", "q") for day in range(1, 29)]  # fmt: skip
    path.write_text("\n".join([*lines, ""]))
    return path


def load(path: Path, url: str, **options: object) -> LoadResult:
    return loader.load(path, url, interval="1d", **options)


@pytest.mark.parametrize("by", ["time", "provider"])
@pytest.mark.parametrize("major", [15, 16, 17, 18])
def test_a_store_that_becomes_partitioned(
    major: int, by: str, server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(major, monkeypatch, server_url) as maintenance, database(maintenance) as url:
        schema.upgrade(url)
        path = tmp_path / "bars.csv"
        half = load(rows(path, 10.0, from_month=8), url)
        assert half.counts.inserted == 2 * 28 * 7
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(set_up(by).encode())
        assert fetch(url, "SELECT relkind FROM pg_class WHERE oid = 'bars_ohlcv'::regclass") == [
            ("p",)
        ]
        assert load(path, url).files[0].state == "known"
        whole = load(rows(path, 10.0), url)
        assert (whole.counts.inserted, whole.counts.unchanged) == (2 * 28 * 7, 2 * 28 * 7)
        ((before,),) = fetch(url, "SELECT now()")
        # All of them once more, through the stage: restated, and some new ones among them.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DELETE FROM bars_ohlcv WHERE extract(day FROM ts) = 28")
        restated = load(rows(path, 11.0), url, accept="restated")
        assert restated.exit_code == 0, restated.files[0].error
        assert (restated.counts.inserted, restated.counts.updated) == (28, 2 * 27 * 14)
        assert fetch(url, "SELECT count(*) FROM bars_ohlcv_revisions") == [(2 * 27 * 14,)]
        assert fetch(url, "SELECT min(close) FROM bars_ohlcv") == [(11.01,)]
        past = fetch(url, "SELECT count(*) FROM bars_ohlcv_as_of(%s) WHERE close < 11", before)
        assert past == [(2 * 27 * 14,)]
        refused = load(rows(path, 0.011), url)
        assert (refused.exit_code, refused.files[0].state) == (4, "refused")
        with StoreClient(url) as client:
            kept = {"provider": "p", "symbol": "AA", "interval": "1d", "open": 5.0, "high": 99.0,
                    "low": 1.0, "volume": None}  # fmt: skip
            done = client.write_bars([
                {**kept, "ts": datetime(2023, 3, 1, tzinfo=UTC), "close": 77.0},
                {**kept, "ts": datetime(2025, 3, 1, tzinfo=UTC), "close": 78.0},
            ])  # fmt: skip
        assert (done.inserted, done.updated) == (1, 1)


@pytest.mark.parametrize("major", [15, 17])
def test_histories_on_partitions_of_an_older_server(
    major: int, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loads, clients, rollbacks, deletes and renames of several writers, against the oracle."""
    with server(major, monkeypatch, server_url) as maintenance, database(maintenance) as url:
        schema.upgrade(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(set_up("time").encode())
        check_histories(url, 6)


TENANTS_BARS = """
CREATE TABLE bars (
    tenant_id uuid NOT NULL, vendor text COLLATE "C" NOT NULL, symbol text COLLATE "C" NOT NULL,
    timeframe text COLLATE "C" NOT NULL, ts timestamptz NOT NULL, open numeric(20,8) NOT NULL,
    high numeric(20,8) NOT NULL, low numeric(20,8) NOT NULL, close numeric(20,8) NOT NULL,
    volume bigint, created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, vendor, symbol, timeframe, ts)) PARTITION BY RANGE (ts);
CREATE TABLE bars_2024 PARTITION OF bars FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE bars_others PARTITION OF bars DEFAULT;
"""


@pytest.mark.parametrize("major", [15, 17, 18])
def test_a_partitioned_table_of_tenants(
    major: int, server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def days(year: int, close: float) -> list[dict[str, object]]:
        return [{"symbol": "AA", "ts": f"{year}-03-{day:02}", "open": 5, "high": 99, "low": 1,
                 "close": close} for day in range(1, 8)]  # fmt: skip

    with server(major, monkeypatch, server_url) as maintenance, database(maintenance) as url:
        schema.upgrade(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TENANTS_BARS)
        with_tenants(url, "acme")
        for rows_, inserted, updated, unchanged in [
            (days(2023, 10), 7, 0, 0),
            ([*days(2023, 10)[:3], *days(2023, 11)[3:], *days(2024, 12)], 7, 4, 3),
            ([*days(2024, 12), *days(2023, 13)], 0, 7, 7),
        ]:
            done = loaded(
                url, "bars", "acme", written(tmp_path, rows_), provider="p", interval="1d",
            )  # fmt: skip
            assert done.error is None
            counts = done.counts
            assert (counts.inserted, counts.updated, counts.unchanged) == (
                inserted, updated, unchanged
            )  # fmt: skip
        assert fetch(url, "SELECT count(*) FROM ONLY bars_2024") == [(7,)]
        kept = "SELECT old_close, count(*) FROM bars_revisions GROUP BY 1 ORDER BY 1"
        assert fetch(url, kept) == [(10, 7), (11, 4)]
