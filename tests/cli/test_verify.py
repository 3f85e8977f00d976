"""A file beside the store, against a slow comparison of rows; nothing is written."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from tests.conftest import Ran
from tests.support.sql import fetch
from tests.support.terminal import on_terminal

Run = Callable[..., Ran]
T0 = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
Bar = tuple[float, float, float, float, float | None]
Key = tuple[str, datetime]


@pytest.fixture
def run(forked: Run, database_url: str) -> Run:
    def run(*args: str | Path, code: int = 0) -> Ran:
        ran = forked("--database", database_url, *args)
        assert ran.code == code, (args, ran)
        return ran

    return run


def bar(price: float, volume: float | None = 100.0) -> Bar:
    return (price, price + 1, price - 1, price, volume)


def csv(path: Path, bars: dict[Key, Bar]) -> Path:
    lines = ["symbol,ts,open,high,low,close,volume"]
    for (symbol, ts), values in bars.items():
        cells = ["" if value is None else repr(value) for value in values]
        lines.append(",".join([symbol, f"{ts:%Y-%m-%dT%H:%M:%SZ}", *cells]))
    path.write_text("\n".join(lines) + "\n")
    return path


def stored(url: str, bars: dict[Key, Bar], interval: str = "1m", provider: str = "v") -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close,"
            " volume) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [(provider, symbol, interval, ts, *values) for (symbol, ts), values in bars.items()],
        )


def minute(n: int) -> datetime:
    return T0 + timedelta(minutes=n)


OPTIONS = ("--provider", "v", "--interval", "1m")


def test_each_kind_is_told(run: Run, tmp_path: Path, database_url: str) -> None:
    stored(database_url, {("A", minute(n)): bar(10) for n in (0, 1, 2, 4, 9)})
    file = {("A", minute(n)): bar(10) for n in (0, 1, 3, 5)} | {("A", minute(4)): bar(10.5)}
    path = csv(tmp_path / "a.csv", dict(sorted(file.items())))
    before = fetch(database_url, "SELECT count(*) FROM job_runs")
    found = run("verify", path, *OPTIONS, "--json", code=6).json()
    kinds = ("equal", "missing", "different", "extra")
    assert [found[kind] for kind in kinds] == [2, 2, 1, 1]
    assert [(one["kind"], one["ts"], one["fields"]) for one in found["bars"]] == [
        ("different", "2024-01-02T14:34:00Z", ["open", "high", "low", "close"]),
        ("extra", "2024-01-02T14:32:00Z", None),
        ("missing", "2024-01-02T14:33:00Z", None),
        ("missing", "2024-01-02T14:35:00Z", None),
    ]
    assert (found["bars"][0]["old_close"], found["bars"][0]["new_close"]) == (10.0, 10.5)
    told = run("verify", path, *OPTIONS, code=6)
    assert "4 bars differ" in told.err
    assert "10 > 10.5" in told.out
    narrow = on_terminal(tmp_path, tmp_path, "--database", database_url, "verify", path, *OPTIONS,
                         columns=60).text  # fmt: skip
    # Of one series, which a line under the table names: the values stay.
    assert "10 > 10.5" in narrow
    assert "all of v A 1m" in narrow.splitlines()
    assert max(map(len, narrow.splitlines()[3:])) <= 60
    alone = csv(tmp_path / "b.csv", {("A", minute(0)): (10, 11, 9, 10.25, 100)})
    narrow = on_terminal(tmp_path, tmp_path, "--database", database_url, "verify", alone, *OPTIONS,
                         columns=60).text  # fmt: skip
    assert "10 > 10.25" in narrow  # the other values are the same, and give way
    run("verify", path, *OPTIONS, "--to", "differ.csv", "--limit", "0", code=6)
    written = pl.read_csv(tmp_path / "differ.csv")
    assert sorted(written["kind"]) == ["different", "extra", "missing", "missing"]
    assert fetch(database_url, "SELECT count(*) FROM job_runs") == before
    run("backfill", path, *OPTIONS)
    again = run("verify", path, *OPTIONS, "--json", code=6).json()
    assert [again[kind] for kind in kinds] == [5, 0, 0, 1]


def test_prices_whose_unit_changes(run: Run, tmp_path: Path, database_url: str) -> None:
    """Whether they are right was said when they were loaded."""
    file = {("A", minute(n)): bar(10 if n < 4 else 1000) for n in range(8)}
    path = csv(tmp_path / "a.csv", file)
    refused = run("backfill", path, *OPTIONS, code=3)
    assert "prices of A are 100 times those of the bar before at row 5" in refused.err
    loaded = run("backfill", path, *OPTIONS, "--accept", "price_scale")
    assert "(--accept price_scale)" in loaded.err
    assert run("verify", path, *OPTIONS, "--json").json()["equal"] == 8


def test_rows_that_are_no_bars_are_named(run: Run, tmp_path: Path, database_url: str) -> None:
    good = {("A", minute(n)): bar(10) for n in range(3)}
    stored(database_url, good)
    path = csv(tmp_path / "a.csv", good | {("A", minute(5)): (10, 8, 9, 10, 1)})
    found = run("verify", path, *OPTIONS)
    assert "of 4 rows not compared: 1 rejected" in found.out
    assert "name the files" in run("verify", code=2).err


@pytest.mark.parametrize("shuffled", [False, True])
def test_like_a_slow_comparison(
    run: Run, tmp_path: Path, database_url: str, shuffled: bool
) -> None:
    """Two years of minutes with gaps, over several stretches, in any order."""
    dice = random.Random(7)
    here: dict[Key, Bar] = {}
    there: dict[Key, Bar] = {}
    for symbol in ("A", "B", "C"):
        for n in sorted(dice.sample(range(1_000_000), 400)):
            key, price = (symbol, minute(n)), float(dice.randint(5, 99))
            chance = dice.random()
            if chance < 0.9:
                here[key] = bar(price)
            if chance > 0.1 and symbol != "C":
                there[key] = bar(price if chance < 0.8 else price + 0.5)
    stored(database_url, there)
    keys = list(here)
    if shuffled:
        dice.shuffle(keys)
    path = csv(tmp_path / "a.csv", {key: here[key] for key in keys})
    expected: dict[str, int] = dict.fromkeys(("equal", "missing", "different", "extra"), 0)
    for key, values in here.items():
        kind = "missing" if key not in there else "equal"
        expected["different" if there.get(key, values) != values else kind] += 1
    for symbol in ("A", "B", "C"):
        own = [ts for name, ts in here if name == symbol]
        expected["extra"] += sum(
            1 for name, ts in there
            if name == symbol and (name, ts) not in here and min(own) <= ts <= max(own)
        )  # fmt: skip
    limit = ("--batch-rows", "100", "--limit", "5")
    found: dict[str, Any] = run("verify", path, *OPTIONS, *limit, "--json", code=6).json()
    assert {kind: found[kind] for kind in expected} == expected
    assert len(found["bars"]) == 5
