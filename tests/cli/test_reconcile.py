"""Two providers, or two intervals, over the same symbols and time, against a slow comparison."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import psycopg
import pytest

from tests.conftest import Ran

Run = Callable[..., Ran]
T0 = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
#: open, high, low, close, volume
Bar = tuple[float, float, float, float, float | None]


@pytest.fixture
def run(forked: Run, database_url: str) -> Run:
    def run(*args: str | Path, code: int = 0) -> Ran:
        ran = forked("--database", database_url, *args)
        assert ran.code == code, (args, ran)
        return ran

    return run


def stored(
    url: str, provider: str, bars: dict[tuple[str, datetime], Bar], interval: str = "1m"
) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close,"
            " volume) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [(provider, symbol, interval, ts, *values) for (symbol, ts), values in bars.items()],
        )


def at(close: float, volume: float | None = 100.0) -> Bar:
    return (10.0, 20.0, 5.0, close, volume)


def minute(n: int) -> datetime:
    return T0 + timedelta(minutes=n)


def test_worst_first_and_by_tolerance(run: Run, tmp_path: Path, database_url: str) -> None:
    one = {("A", minute(n)): at(10.0) for n in range(1, 6)} | {("A", minute(9)): at(10.0)}
    two = {
        ("A", minute(0)): at(10.0),  # before the other side begins: not compared
        ("A", minute(1)): at(10.0), ("A", minute(2)): at(10.01), ("A", minute(3)): at(10.1),
        ("A", minute(5)): at(10.0, 101.0), ("A", minute(7)): at(10.0),
        ("A", minute(9)): at(10.0, None), ("B", minute(1)): at(1.0),
    }  # fmt: skip
    stored(database_url, "p", one)
    stored(database_url, "q", two)
    names = ("p", "q", "--interval", "1m")
    found = run("reconcile", *names, "--json", code=6).json()
    kinds = ("equal", "different", "only_a", "only_b")
    assert [found[kind] for kind in kinds] == [2, 3, 1, 1]
    assert [row["symbol"] for row in found["series"]] == ["A"]
    assert [(row["ts"][14:16], row["kind"], row["fields"]) for row in found["bars"]] == [
        ("33", "different", ["close"]), ("32", "different", ["close"]),
        ("35", "different", ["volume"]), ("34", "only_a", None), ("37", "only_b", None),
    ]  # fmt: skip
    assert round(found["bars"][0]["bps"], 6) == 100.0

    def different(*tolerance: str) -> int:
        options = [word for each in tolerance for word in ("--tolerance", each)]
        ran = run("reconcile", *names, "--tick", "0.01", *options, "--json", code=6)
        count: int = ran.json()["different"]
        return count

    assert different("close=0.1") == 1
    assert different("close=0.09") == 2
    assert different("prices=100bps") == 1
    assert different("prices=99bps", "volume=1") == 1
    assert different("close=10ticks") == 1
    assert different("all=1") == 0
    assert different("all=1", "close=0.05") == 1
    told = run("reconcile", *names, "--to", "d.csv", "--limit", "1", code=6)
    assert "and 4 more" in told.out
    assert pl.read_csv(tmp_path / "d.csv").height == 5
    assert "which interval of p?" in run("reconcile", "p", "q", code=2).err
    assert (
        "no symbol has bars of both" in run("reconcile", "p", "x", "--interval", "1m", code=2).err
    )
    wrong = ("--tolerance", "close=cheap")
    assert "prices=5bps" in run("reconcile", *names, *wrong, code=2).err


def test_days_against_minutes_like_a_slow_rollup(run: Run, database_url: str) -> None:
    dice = random.Random(3)
    minutes: dict[tuple[str, datetime], Bar] = {}
    for n in sorted(dice.sample(range(5 * 1440), 300)):
        low = float(dice.randint(1, 50))
        opened, close = low + dice.randint(0, 9), low + dice.randint(0, 9)
        minutes["A", minute(n)] = (opened, low + 9, low, close, float(dice.randint(1, 9)))
    days: dict[tuple[str, datetime], Bar] = {}
    for day in sorted({ts.date() for _, ts in minutes}):
        of = [values for (_, ts), values in sorted(minutes.items()) if ts.date() == day]
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        days["A", midnight] = (
            of[0][0], max(v[1] for v in of), min(v[2] for v in of), of[-1][3],
            sum(v[4] or 0 for v in of),
        )  # fmt: skip
    stored(database_url, "p", minutes)
    stored(database_url, "p", days, "1d")
    same = run("reconcile", "p:1d", "p:1m", "--json").json()
    assert (same["equal"], same["different"]) == (len(days), 0)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bars_ohlcv SET high = high + 1 WHERE interval = '1d'"
                           " AND ts = '2024-01-04Z'")  # fmt: skip
    (worst,) = run("reconcile", "p:1m", "p:1d", "--json", code=6).json()["bars"]
    assert (worst["ts"], worst["fields"]) == ("2024-01-04T00:00:00Z", ["high"])
    assert worst["new_high"] - worst["old_high"] == 1.0


def test_a_day_that_is_made_of_a_part_of_its_minutes(run: Run, database_url: str) -> None:
    """Six days of ten minutes, of which the last has eight yet; the first lacks its first one."""
    days, minutes = {}, {}
    for day in range(6):
        first = T0 + timedelta(days=day)
        midnight = first.replace(hour=0, minute=0)
        days["A", midnight] = (10.0, 20.0, 5.0, 10.0, 1000.0)
        for n in range(1 if day == 0 else 0, 8 if day == 5 else 10):
            minutes["A", first + timedelta(minutes=n)] = at(10.0)
    stored(database_url, "p", minutes)
    stored(database_url, "p", days, "1d")
    kinds = ("equal", "different", "only_a", "only_b", "partial")
    asked = ("reconcile", "p:1d", "p:1m")

    def counts(*given: str, code: int = 0) -> list[int]:
        found = run(*asked, *given, "--json", code=code).json()
        return [found[kind] for kind in kinds]

    assert counts() == [4, 0, 0, 0, 2]
    assert "partial" in run(*asked).out
    # A whole day more: now that day alone is short among others, and says so.
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close,"
            " volume) SELECT provider, symbol, interval, ts + interval '2 days', open, high, low,"
            " close, volume FROM bars_ohlcv WHERE ts BETWEEN '2024-01-06Z' AND '2024-01-06T23:59Z'"
        )
    (bar,) = run(*asked, "--json", code=6).json()["bars"]
    assert (bar["ts"], bar["fields"]) == ("2024-01-07T00:00:00Z", ["volume"])
    # The fourth day is cut at its fifth minute.
    assert counts("--until", "2024-01-05T14:34Z") == [2, 0, 0, 0, 2]
    assert counts("--until", "2024-01-05") == [3, 0, 0, 0, 1]
