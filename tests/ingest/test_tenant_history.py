"""What tenants' rows were: by filing, by load, and after a rollback."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from loader.errors import LaterChanges, NothingStored
from loader.ingest.ways.tenants.undo import rollback, tenant_run
from loader.store.runs import JobRunTracker
from loader.store.versions.undo import Undone
from tests.support.sql import fetch
from tests.support.tenants import loaded, stored, with_tenants, written

Q1, Q2 = {"symbol": "A", "asof": "2023-03-31"}, {"symbol": "A", "asof": "2023-06-30"}
BAR = {"symbol": "A", "ts": "2024-01-02", "open": 1, "high": 3, "low": 1, "close": 2}


@pytest.fixture
def tenants(database_url: str) -> tuple[str, str, str]:
    """The URL and the ids of two tenants."""
    return (database_url, *with_tenants(database_url, "acme", "globex"))  # type: ignore[return-value]


def put(url: str, tenant: str, folder: Path, dataset: str, *rows: dict[str, object]) -> int:
    """The id of the run that loads these rows."""
    result = loaded(url, dataset, tenant, written(folder, rows), provider="p", interval="1d",
                    force=True)  # fmt: skip
    assert result.error is None, result.error
    return int(fetch(url, "SELECT max(id) FROM job_runs")[0][0])


def undone(url: str, run_id: int) -> Undone:
    which = tenant_run(url, run_id)
    assert which is not None
    would = rollback(url, which, None)
    with JobRunTracker(url, metrics=None) as tracker, tracker.run("rollback") as run:
        assert rollback(url, which, run.id) == would
    return would


def eps_as_of(url: str, tenant: str, at: str) -> list[tuple[date, Decimal]]:
    sql = "SELECT asof, eps FROM fundamentals_as_of(%s) ORDER BY asof"
    return [(day, eps) for day, eps in stored(url, tenant, sql, at)]


def test_a_restated_old_period_hides_nothing_and_nothing_is_known_early(
    tenants: tuple[str, str, str], tmp_path: Path
) -> None:
    url, acme, globex = tenants
    put(
        url, acme, tmp_path, "fundamentals",
        {**Q2, "eps": "2.0", "filed_at": "2023-08-01T12:00Z"},
        {**Q1, "eps": "1.1", "filed_at": "2023-09-01T12:00Z"},  # restated after Q2 was filed
    )  # fmt: skip
    put(url, acme, tmp_path, "fundamentals", {**Q1, "eps": "1.0", "filed_at": "2023-05-01T12:00Z"})
    q1, q2 = date(2023, 3, 31), date(2023, 6, 30)
    for at, expected in {
        "2023-05-01T11:59Z": [],
        "2023-05-01T12:00Z": [(q1, Decimal("1.0"))],
        "2023-08-01T12:00Z": [(q1, Decimal("1.0")), (q2, Decimal("2.0"))],
        "2023-09-01T11:59Z": [(q1, Decimal("1.0")), (q2, Decimal("2.0"))],
        "2023-09-01T12:00Z": [(q1, Decimal("1.1")), (q2, Decimal("2.0"))],
    }.items():
        assert eps_as_of(url, acme, at) == expected, at
        assert eps_as_of(url, globex, at) == []
    latest = "SELECT asof, eps, known_at FROM fundamentals_latest(%s)"
    assert stored(url, acme, latest, "2024-01-01Z") == [
        (q2, Decimal("2.0"), datetime(2023, 8, 1, 12, tzinfo=UTC))
    ]


def test_a_correction_of_a_filing_counts(tenants: tuple[str, str, str], tmp_path: Path) -> None:
    url, acme, _ = tenants
    filed = {**Q1, "filed_at": "2023-05-01T12:00Z"}
    for eps in ("1.0", "1.2"):
        put(url, acme, tmp_path, "fundamentals", {**filed, "eps": eps})
    newer = {**Q1, "eps": "3", "filed_at": "2024-05-01T12:00Z"}
    put(url, acme, tmp_path, "fundamentals", newer)
    assert eps_as_of(url, acme, "2023-06-01Z") == [(date(2023, 3, 31), Decimal("1.2"))]
    put(url, acme, tmp_path, "fundamentals", {**filed, "eps": "1.3"})  # of the older version
    assert eps_as_of(url, acme, "2023-06-01Z") == [(date(2023, 3, 31), Decimal("1.3"))]
    assert eps_as_of(url, acme, "2024-06-01Z") == [(date(2023, 3, 31), Decimal("3"))]


def test_a_rollback_takes_versions_and_changes_back(
    tenants: tuple[str, str, str], tmp_path: Path
) -> None:
    url, acme, _ = tenants
    good = {**Q1, "eps": "1.0", "filed_at": "2023-05-01T12:00Z"}
    put(url, acme, tmp_path, "fundamentals", good)
    wrong = put(
        url, acme, tmp_path, "fundamentals",
        {**Q1, "eps": "9", "filed_at": "2023-06-01T12:00Z"},
        {**Q1, "eps": "8", "filed_at": "2023-04-01T12:00Z"},
        {**Q2, "eps": "7", "filed_at": "2023-08-01T12:00Z"},
    )  # fmt: skip
    assert eps_as_of(url, acme, "2024-01-01Z")[0][1] == 9
    assert undone(url, wrong) == Undone((wrong,), 1, 0, 1, 2)
    for at in ("2023-05-02Z", "2024-01-01Z"):
        assert eps_as_of(url, acme, at) == [(date(2023, 3, 31), Decimal("1.0"))]
    assert eps_as_of(url, acme, "2023-04-02Z") == []
    assert stored(url, acme, "SELECT eps FROM fundamentals") == [(Decimal("1.0"),)]
    which = tenant_run(url, wrong)
    assert which is not None
    with pytest.raises(LaterChanges):  # by its rollback
        rollback(url, which, None)


def test_bars_as_of_a_time_and_after_a_rollback(
    tenants: tuple[str, str, str], tmp_path: Path
) -> None:
    url, acme, globex = tenants
    closes = "SELECT close FROM bars_as_of(%s)"

    def now() -> object:
        return fetch(url, "SELECT clock_timestamp()")[0][0]

    before = now()
    put(url, acme, tmp_path, "bars", {**BAR})
    first = now()
    put(url, globex, tmp_path, "bars", {**BAR, "close": 3})
    changed = put(url, acme, tmp_path, "bars", {**BAR, "close": 3}, {**BAR, "ts": "2024-01-03"})
    second = now()
    assert undone(url, changed) == Undone((changed,), 1, 0, 1, 1)
    assert stored(url, acme, closes, before) == []
    assert stored(url, acme, closes, first) == [(2,)]
    assert sorted(stored(url, acme, closes, second)) == [(2,), (3,)]
    assert stored(url, acme, closes, now()) == [(2,)]
    assert stored(url, globex, closes, now()) == [(3,)]


def test_what_a_later_load_changed_is_not_undone(
    tenants: tuple[str, str, str], tmp_path: Path
) -> None:
    url, acme, globex = tenants
    first = put(url, acme, tmp_path, "bars", BAR)
    put(url, globex, tmp_path, "bars", {**BAR, "close": 3})
    which = tenant_run(url, first)
    assert which is not None
    assert rollback(url, which, None) == Undone((first,), 1, 0, 0, 1)
    put(url, acme, tmp_path, "bars", {**BAR, "close": 3})
    with pytest.raises(LaterChanges):
        rollback(url, which, None)
    same = put(url, acme, tmp_path, "bars", {**BAR, "close": 3})
    nothing = tenant_run(url, same)
    assert nothing is not None
    with pytest.raises(NothingStored):
        rollback(url, nothing, None)
