"""`TenantClient` on a real server, as the least privileged role of docs/roles.sql."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader import TenantClient
from loader.errors import ColumnMismatch, DatabaseError, HistoryRefused, SettingsError
from loader.ingest.ways.tenants.undo import rollback, tenant_run
from loader.store.runs import JobRunTracker
from tests.support.granted import run_roles_sql
from tests.support.sql import fetch
from tests.support.tenants import loaded, stored, with_tenants, written

#: How many random operations of two tenants are tried.
OPERATIONS = int(os.environ.get("MDLOAD_TEST_OPERATIONS", "200"))
DAY = datetime(2024, 1, 2, tzinfo=UTC)
BAR = {"symbol": "aapl", "timeframe": "1d", "ts": DAY, "open": Decimal("185.10"), "high": 186.4,
       "low": "183.00000001", "close": 184, "volume": 10}  # fmt: skip


def as_role(url: str, role: str) -> str:
    return f"{url}&options=-crole%3D{role}"


@pytest.fixture
def url(database_url: str) -> str:
    with_tenants(database_url, "acme", "globex")
    with psycopg.connect(database_url, autocommit=True) as connection:
        run_roles_sql(connection)
    return as_role(database_url, "mdload_tenant")


@pytest.fixture
def acme(url: str) -> Iterator[TenantClient]:
    with TenantClient(url, "acme", vendor="v") as client:
        yield client


def test_rows_in_and_prices_out(acme: TenantClient, url: str) -> None:
    done = acme.write("bars", [BAR, {**BAR, "ts": DAY + timedelta(days=1), "close": "184.25"}])
    assert (done, done.inserted, done.rejected) == (2, 2, 0)
    again = acme.write("bars", [BAR, {**BAR, "volume": 11}, {**BAR, "high": 1}])
    assert (again.updated, again.duplicate, again.rejected) == (1, 1, 1)
    assert again.rejects["rules"].to_list() == [
        ["high_below_low", "open_outside_range", "close_outside_range"]
    ]
    assert acme.latest_prices(["AAPL", "MSFT"]) == {"AAPL": Decimal("184.25")}
    window = acme.bars_window("aapl", "1d", DAY, DAY + timedelta(days=1))
    assert window.rows() == [
        ("v", "AAPL", "1d", DAY, Decimal("185.10"), Decimal("186.4"), Decimal("183.00000001"),
         Decimal(184), 11)
    ]  # fmt: skip
    assert window.schema["close"] == pl.Decimal(20, 8)
    with TenantClient(url, "globex") as other:
        assert other.latest_prices(["AAPL"]) == {}
        assert other.bars_window("AAPL", "1d", DAY, DAY + timedelta(days=9)).is_empty()


def test_a_frame_and_every_dataset(acme: TenantClient) -> None:
    assert acme.write("bars", pl.DataFrame([{**BAR, "low": "183", "open": 185.1}], strict=False))
    figures = {"symbol": "A", "period_end": date(2023, 3, 31), "filed_at": DAY, "eps": 1.5}
    assert acme.write("fundamentals", figures).inserted == 1
    assert acme.write("news", {"published": "2024-01-02T10:00Z", "headline": "Up"}).inserted == 1
    option = {"symbol": "A", "ts": DAY, "expiry": date(2024, 1, 19), "type": "put", "strike": 190}
    assert acme.write("options_snap", [option]).inserted == 1
    assert acme.write("bars", []) == 0


def test_what_it_refuses(acme: TenantClient, url: str) -> None:
    with pytest.raises(SettingsError, match="there is no tenant"):
        TenantClient(url, "initech")
    with pytest.raises(SettingsError, match="is not a dataset"):
        acme.write("bar", [BAR])
    with pytest.raises(ColumnMismatch, match="there is no column for close"):
        acme.write("bars", [{k: v for k, v in BAR.items() if k != "close"}])
    with pytest.raises(ValueError, match="time zone"):
        acme.bars_window("AAPL", "1d", datetime(2024, 1, 1), DAY)
    other = acme.write("bars", [{**BAR, "tenant": "globex"}])
    assert other.rejects["rules"].to_list() == [["other_tenant"]]
    assert acme.write("bars", [BAR]).inserted == 1  # after errors


def test_the_role_has_no_more_than_it_needs(database_url: str, url: str) -> None:
    for statement in (
        "DELETE FROM bars", "TRUNCATE bars", "SELECT FROM job_runs", "SELECT FROM bars_ohlcv",
        "INSERT INTO tenants (name) VALUES ('x')", "UPDATE bars_revisions SET old_close = 1",
        "ALTER TABLE bars DISABLE ROW LEVEL SECURITY", "SELECT FROM bars_rejected",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            fetch(url, statement)


def test_the_loader_loads_and_the_owner_undoes(database_url: str, url: str, tmp_path: Path) -> None:
    loads, owns = as_role(database_url, "mdload_loader"), as_role(database_url, "mdload_owner")
    rows = [{**BAR, "ts": "2024-01-02", "tenant": "acme"}, {**BAR, "ts": "x", "tenant": ""}]
    result = loaded(loads, "bars", "acme", written(tmp_path, rows), provider="v")
    assert (result.counts.inserted, result.counts.rejected, result.error) == (1, 1, None)
    ((run_id,),) = fetch(loads, "SELECT id FROM job_runs")
    which = tenant_run(owns, run_id)
    assert which is not None
    with pytest.raises(DatabaseError, match="permission denied"):
        rollback(loads, which, None)
    with JobRunTracker(owns, metrics=None) as tracker, tracker.run("rollback") as run:
        assert rollback(owns, which, run.id).deleted == 1


class Model:
    """What two tenants should have: bars by symbol and day."""

    def __init__(self) -> None:
        self.bars: dict[str, dict[tuple[str, datetime], tuple[Any, ...]]]
        self.bars = {"acme": {}, "globex": {}}

    def write(self, tenant: str, rows: list[dict[str, Any]]) -> tuple[int, int, int, int]:
        """Inserted, updated, unchanged, duplicate."""
        last = {(row["symbol"], row["ts"]): (row["close"], row["volume"]) for row in rows}
        own = self.bars[tenant]
        inserted = sum(key not in own for key in last)
        updated = sum(key in own and own[key] != value for key, value in last.items())
        own.update(last)
        counts = inserted, updated, len(last) - inserted - updated
        return (*counts, len(rows) - len(last))


def operations(url: str, number: int, seed: int) -> dict[str, int]:
    """Random operations of two tenants, checked against the model one by one. Rows that a tenant
    saw or changed of the other would show as rows that the model does not have."""
    rng, model, done = random.Random(seed), Model(), dict.fromkeys(("write", "prices", "window"), 0)
    ids = {name: stored_id(url, name)[0] for name in model.bars}
    clients = {name: TenantClient(url, name, vendor="v") for name in model.bars}
    for _ in range(number):
        tenant = rng.choice(list(clients))
        other = "globex" if tenant == "acme" else "acme"
        client, kind = clients[tenant], rng.choice(["write", "write", "prices", "window"])
        done[kind] += 1
        own = model.bars[tenant]
        if kind == "write":
            rows = [
                {**BAR, "symbol": rng.choice("ABC"), "ts": DAY + timedelta(days=rng.randrange(20)),
                 "open": 2, "low": 1, "high": 9, "close": Decimal(rng.randrange(10, 90)) / 10,
                 "volume": rng.randrange(3)}
                for _ in range(rng.randrange(1, 6))
            ]  # fmt: skip
            foreign = [{**BAR, "tenant_id": ids[other]}] * rng.randrange(2)
            given = [{"tenant_id": rng.choice(["", tenant, ids[tenant]]), **row} for row in rows]
            result = client.write("bars", [*given, *foreign])
            assert result.rejected == len(foreign)
            found = result.inserted, result.updated, result.unchanged, result.duplicate
            assert found == model.write(tenant, rows)
        elif kind == "prices":
            newest = {symbol: max(ts for s, ts in own if s == symbol) for symbol, _ in own}
            expected = {symbol: own[symbol, ts][0] for symbol, ts in newest.items()}
            assert client.latest_prices(["A", "B", "C"]) == expected
        else:
            symbol, start = rng.choice("ABC"), DAY + timedelta(days=rng.randrange(20))
            end = start + timedelta(days=rng.randrange(10))
            window = client.bars_window(symbol, "1d", start, end)
            expected_bars = [
                (ts, *value) for (s, ts), value in sorted(own.items(), key=lambda item: item[0])
                if s == symbol and start <= ts < end
            ]  # fmt: skip
            assert window.select("ts", "close", "volume").rows() == expected_bars
    for client in clients.values():
        client.close()
    return done


def stored_id(url: str, name: str) -> list[str]:
    found = fetch(
        url.partition("&options=")[0], "SELECT CAST(id AS text) FROM tenants WHERE name = %s", name
    )
    return [str(row[0]) for row in found]


def test_two_tenants_at_random_see_and_write_nothing_across(database_url: str, url: str) -> None:
    done = operations(url, OPERATIONS, seed=21)
    assert all(done.values())
    # What the server has, as one that no policy binds sees it: each row once, in its tenant.
    ids = [stored_id(url, name)[0] for name in ("acme", "globex")]
    owned = fetch(database_url, "SELECT DISTINCT tenant_id::text FROM bars ORDER BY 1")
    assert [tenant for (tenant,) in owned] == sorted(ids)
    for tenant in ids:
        ((own,),) = stored(database_url, tenant, "SELECT count(*) FROM bars")
        ((all_,),) = fetch(
            database_url, "SELECT count(*) FROM bars WHERE tenant_id::text = %s", tenant
        )
        assert own == all_ > 0


def test_figures_of_other_periods_are_refused_or_accepted(acme: TenantClient) -> None:
    quarter = {"symbol": "A", "asof": "2023-09-30", "revenue": 89_498, "net_income": 22_956}
    year = {**quarter, "revenue": 383_285, "net_income": 96_995}
    acme.write("fundamentals", [quarter])
    with pytest.raises(HistoryRefused, match=r"1 of 1 periods .* 4\.23 to 4\.28") as caught:
        acme.write("fundamentals", [year])
    assert "provider='NAME-annual'" in caught.value.__notes__[0]
    assert "accept='period'" in caught.value.__notes__[0]
    assert acme.write("fundamentals", [year], accept={"period"}).updated == 1
