"""Files of one load that restate each other: editions of one series, or different series."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import Ran
from tests.support.stores import web_server

Mdload = Callable[..., Ran]
DAYS = ("2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08")
SAID = ("--provider", "p", "--interval", "1d")


@pytest.fixture
def load(forked: Mdload, database_url: str) -> Mdload:
    def run(*args: str | Path) -> Ran:
        return forked("--database", database_url, "backfill", *args)

    return run


def stored(url: str) -> list[tuple[Any, ...]]:
    """Provider, symbol, number of bars, and the sum of their closes."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT provider, symbol, count(*), sum(close) FROM bars_ohlcv GROUP BY 1, 2 ORDER BY 1"
        ).fetchall()


def table(path: Path, price: int, days: tuple[str, ...] = DAYS, symbol: str = "") -> Path:
    """A bar a day with all prices the same; with a column of symbols if there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = "date,open,high,low,close" + (",symbol" if symbol else "")
    end = f",{symbol}" if symbol else ""
    rows = (f"{day},{price},{price},{price},{price}{end}" for day in days)
    path.write_text("\n".join([header, *rows, ""]))
    return path


@pytest.mark.parametrize("workers", ["1", "2"])
def test_files_of_different_series_under_one_name(
    load: Mdload, database_url: str, tmp_path: Path, workers: str
) -> None:
    for folder, price in (("adjusted", 20), ("raw", 40)):
        table(tmp_path / folder / "KILO.csv", price)
    said = (tmp_path, *SAID, "--name", "{symbol}.csv", "--workers", workers)
    first = load(*said)
    assert first.code == 3
    assert "5 bars of KILO would be laid over" in first.err
    kept = stored(database_url)
    assert kept in ([("p", "KILO", 5, 100.0)], [("p", "KILO", 5, 200.0)])
    assert load(*said).code == 3  # the file that is stored is known now, and still of this load
    assert stored(database_url) == kept
    for folder in ("raw", "adjusted"):
        assert f"--provider p-{folder}" in first.err
        apart = load(tmp_path / folder, "--provider", f"p-{folder}", *SAID[2:],
                     "--name", "{symbol}.csv")  # fmt: skip
        assert apart.code == 0, apart.err
    assert stored(database_url)[1:] == [
        ("p-adjusted", "KILO", 5, 100.0), ("p-raw", "KILO", 5, 200.0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("KILO_adj.csv", "KILO_raw.csv"), ("KILO_expiry_1.csv", "KILO_expiry_2.csv"),
        ("KILO.bid.csv", "KILO.last.csv"), ("KILO_1.csv", "KILO_2.csv"),
        ("acme/x.csv", "zeta/x.csv"), ("KILO_4500.csv", "KILO_4600.csv"),
    ],
)  # fmt: skip
def test_names_that_nothing_reads(
    load: Mdload, database_url: str, tmp_path: Path, one: str, other: str
) -> None:
    table(tmp_path / one, 20, symbol="KILO")
    table(tmp_path / other, 40, symbol="KILO")
    refused = load(tmp_path, *SAID)
    assert refused.code == 3, refused.err
    assert stored(database_url) == [("p", "KILO", 5, 100.0)]
    alone = load(tmp_path / other, *SAID)
    assert alone.code == 0
    assert stored(database_url) == [("p", "KILO", 5, 200.0)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2024-07-08.csv", "2024-07-09.csv"), ("KILO_20240708.csv", "KILO_20240709.csv"),
        ("KILO.csv", "KILO_v2.csv"), ("KILO.csv", "KILO_corrected.csv"),
        ("KILO.csv", "corrections/KILO.csv"), ("part-1.csv", "part-2.csv"),
        ("KILO (1).csv", "KILO (2).csv"), ("dump_1720396800.csv", "dump_1720483200.csv"),
        ("run=1/KILO.csv", "run=2/KILO.csv"), ("KILO_full.csv", "KILO_update.csv"),
    ],
)  # fmt: skip
def test_editions_of_one_series_restate_each_other(
    load: Mdload, database_url: str, tmp_path: Path, one: str, other: str
) -> None:
    table(tmp_path / one, 20, symbol="KILO")
    table(tmp_path / other, 40, symbol="KILO")
    loaded = load(tmp_path / one, tmp_path / other, *SAID)
    assert loaded.code == 0, loaded.err
    assert stored(database_url) == [("p", "KILO", 5, 200.0)]


def test_a_seam_is_not_a_contradiction(load: Mdload, database_url: str, tmp_path: Path) -> None:
    """One bar of forty is restated where the second file begins."""
    days = tuple(f"2024-{month:02}-{day:02}" for month in (1, 2, 3, 4) for day in range(1, 21))
    table(tmp_path / "acme.csv", 20, days[:40], symbol="KILO")
    table(tmp_path / "zeta.csv", 40, days[39:], symbol="KILO")
    assert load(tmp_path, *SAID).code == 0
    assert stored(database_url) == [("p", "KILO", 80, 39 * 20.0 + 41 * 40.0)]


def test_dumps_that_each_restate_the_last_days(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    days = tuple(f"2024-07-{day:02}" for day in range(1, 11))
    for last in range(3, 11):
        table(tmp_path / f"2024-07-{last:02}.csv", last, days[:last], symbol="KILO")
    assert load(tmp_path, *SAID).code == 0
    assert stored(database_url) == [("p", "KILO", 10, 100.0)]


def test_archived_dumps_of_a_known_time_restate_each_other(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    table(tmp_path / "acme_20240101.csv", 20, symbol="KILO")
    table(tmp_path / "zeta_20240102.csv", 40, symbol="KILO")
    assert load(tmp_path, *SAID, "--known-at-from", "name:%Y%m%d").code == 0
    assert stored(database_url) == [("p", "KILO", 5, 200.0)]


@pytest.mark.parametrize("months", [("202404", "202405"), ("2024-04", "2024-05")])
def test_contracts_called_by_their_months(
    load: Mdload, database_url: str, tmp_path: Path, months: tuple[str, str]
) -> None:
    """Bars that go beyond the month of their file's name are of a contract that expires then."""
    for month, price in zip(months, (20, 40), strict=True):
        table(tmp_path / f"CL_{month}.csv", price)
    contracts = load(tmp_path, *SAID, "--symbol", "CL", "--interval", "1d")
    assert contracts.code == 3
    assert f"('{months[1]}' and '{months[0]}')" in contracts.err
    assert stored(database_url) == [("p", "CL", 5, 100.0)]


def test_dumps_of_months_that_overlap(load: Mdload, database_url: str, tmp_path: Path) -> None:
    table(tmp_path / "KILO_202406.csv", 20, ("2024-06-27", "2024-06-28"))
    table(tmp_path / "KILO_202407.csv", 40, DAYS)
    table(tmp_path / "new/KILO_202407.csv", 40, DAYS)
    assert load(tmp_path, *SAID, "--symbol", "KILO").code == 0
    assert stored(database_url) == [("p", "KILO", 7, 240.0)]


@pytest.mark.parametrize("ranges", [True, False])
def test_dumps_from_the_web(load: Mdload, database_url: str, tmp_path: Path, ranges: bool) -> None:
    """A server that gives no parts has its files copied: no copy is known by its folder."""
    dumps = [("2024-07-08", 20), ("2024-07-09", 40)]
    with web_server() as web:
        web.ranges = ranges
        for day, price in dumps:
            file = table(tmp_path / f"{day}.csv", price, symbol="KILO")
            web.files[f"/{file.name}"] = file.read_bytes()
        ran = load(*(f"http://{web.address}/{day}.csv" for day, _ in dumps), *SAID)
    assert ran.code == 0, ran.err
    assert stored(database_url) == [("p", "KILO", 5, 200.0)]
