"""The past as a person asks for it: pin, pins, diff, revisions, export and coverage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import Ran
from tests.support.nights import BAD, GOOD, Nights
from tests.support.sql import fetch


@pytest.fixture
def nights(forked: Callable[..., Ran], database_url: str, tmp_path: Path) -> Nights:
    return Nights(forked, database_url, tmp_path)


def test_a_pin_reads_the_same_whatever_is_loaded_later(nights: Nights) -> None:
    nights.load(GOOD)
    made = nights.run("pin", "paper", "--note", "table 2", "--json").json()
    assert (made["name"], made["load_id"], made["note"]) == ("paper", 1, "table 2")
    nights.load(BAD)
    assert nights.closes("bars_ohlcv_at('paper')") == GOOD
    assert nights.closes() == BAD
    out = nights.run("export", "--pin", "paper", "--columns", "close", "--to", "-").out
    assert out.split() == ["close", "187.5", "187.75", "188.0"]
    (series,) = nights.run("coverage", "--pin", "paper", "--json").json()
    assert (series["bars"], series["last"]) == (3, "2024-01-02T14:32:00Z")
    (now,) = nights.run("coverage", "--json").json()
    assert now["bars"] == 4
    (listed,) = nights.run("pins", "list", "--json").json()
    assert listed == made
    assert "table 2" in nights.run("pins", "list").out
    taken = nights.run("pin", "paper", code=2)
    assert "there is a pin named 'paper' already" in taken.err
    assert nights.run("pins", "delete", "paper").err == "pin paper deleted\n"
    gone = nights.run("export", "--pin", "paper", "--to", "-", code=2)
    assert "there is no pin named 'paper'" in gone.err
    assert nights.run("pins", "delete", "paper", code=2).err == (
        "error: there is no pin named 'paper'\nhint: see them: mdload pins list\n"
    )


@pytest.mark.parametrize("name", ["now", "12", "2024-01-01", "a b", "7d", ""])
def test_a_pin_cannot_be_called_what_is_something_else(nights: Nights, name: str) -> None:
    assert "cannot name a pin" in nights.run("pin", name, code=2).err


def test_as_of_a_time(nights: Nights, tmp_path: Path) -> None:
    nights.load(GOOD)
    nights.load(BAD)
    ((first, second),) = fetch(
        nights.url, "SELECT min(known_at)::text, max(known_at)::text FROM bars_loads"
    )
    for moment, bars in ((first, GOOD), (second, BAD)):
        file = tmp_path / "out.parquet"
        nights.run("export", "--as-of", moment, "--to", file)
        found = pl.read_parquet(file)
        assert found["close"].to_list() == [price for _, price in bars.values()]
    future = nights.run("export", "--as-of", "2099-01-01", "--to", "-", code=2)
    assert "is in the future" in future.err
    both = nights.run("coverage", "--as-of", "1h", "--pin", "x", code=2)
    assert "--as-of and --pin name two instants" in both.err


def test_what_differs_between_instants_and_runs(nights: Nights, tmp_path: Path) -> None:
    nights.load(GOOD)
    nights.run("pin", "good")
    bad = nights.load({**BAD, "14:31": ("AAPL", 187.75)})
    ran = nights.run("diff", "good", "--json", code=6)
    found = ran.json()
    assert (found["added"], found["changed"], found["gone"]) == (1, 1, 0)
    by_kind = {bar["kind"]: bar for bar in found["bars"]}
    changed = by_kind["changed"]
    assert (changed["old_close"], changed["new_close"]) == (187.5, 18.75)
    assert changed["fields"] == ["open", "high", "low", "close"]
    assert changed["bps"] == pytest.approx(9000)
    assert changed["ticks"] == 16875  # of 0.01: 187.5 and 18.75
    assert by_kind["added"]["old_close"] is None
    assert ran.err == "error: 2 bars differ\n"
    of_run = nights.run("diff", f"{bad}^", f"run:{bad}", "--json", code=6).json()
    assert of_run["bars"] == found["bars"]
    back = nights.run("diff", "now", "good", "--json", code=6).json()
    assert (back["added"], back["changed"], back["gone"]) == (0, 1, 1)
    assert nights.run("diff", "good", "good").out == "no bar differs between good and good\n"
    file = tmp_path / "diff.csv"
    table = nights.run("diff", "good", "--to", file, "--limit", "1", code=6).out
    assert "187.5 > 18.75" in table
    assert "and 1 more" in table
    assert pl.read_csv(file)["kind"].to_list() == ["changed", "added"]
    nobody = nights.run("diff", "good", "--symbol", "MSFT")
    assert "no bar differs" in nobody.out
    assert "there is no pin named 'absent'" in nights.run("diff", "absent", code=2).err
    assert "there is no job run 99" in nights.run("diff", "99", code=2).err


def test_what_was_restated(nights: Nights) -> None:
    nights.load(GOOD)
    bad = nights.load(BAD)
    fix = nights.load({**GOOD, "14:31": ("AAPL", 187.76)})
    found = nights.run("revisions", "list", "--json").json()
    assert found["total"] == 3
    assert [row["run_id"] for row in found["revisions"]] == [fix, bad, fix]
    assert [row["bps"] for row in found["revisions"]] == pytest.approx([90000, 9000, 0.5326], 1e-3)
    (series,) = found["series"]
    assert (series["symbol"], series["updated"], series["deleted"]) == ("AAPL", 3, 0)
    for narrowed, left in (
        (("--run", str(bad)), 1), (("--min-bps", "1"), 2), (("--symbol", "MSFT"), 0),
        (("--since", "2024-01-02T14:31"), 1), (("--known-since", "1h"), 3),
        (("--known-until", "1h"), 0),
    ):  # fmt: skip
        assert nights.run("revisions", "list", "--json", *narrowed).json()["total"] == left
    table = nights.run("revisions", "list", "--limit", "1").out
    assert "3 revisions" in table
    assert "18.75 > 187.5" in table
    assert "and 2 more: --limit N" in table


def test_the_example_for_other_tools_runs(nights: Nights) -> None:
    """docs/past.md, "From SQL": its statements, one after the other."""
    import psycopg

    from tests.conftest import ROOT

    nights.load(GOOD)
    nights.run("pin", "backtest-2024-03")
    text = (ROOT / "docs" / "past.md").read_text()
    (sql,) = [part.split("```")[0] for part in text.split("```sql\n")[1:]]
    with psycopg.connect(nights.url, autocommit=True) as connection:
        for statement in sql.split(";\n"):
            if statement.strip():
                connection.execute(statement.encode())
        frame = pl.read_database(
            "SELECT ts, close FROM bars_ohlcv_at('backtest-2024-03') WHERE symbol = 'AAPL'"
            " ORDER BY ts",
            connection,
        )
    assert frame["close"].to_list() == [187.5, 187.75, 188.0]
    assert json.dumps(frame["ts"].dt.minute().to_list()) == "[30, 31, 32]"
