"""Text of others never steers the terminal: through every command that prints it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from loader.text import visible, visible_json
from tests.conftest import Ran
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
#: Clears the screen, sets the title, turns the direction, hides, goes back, and lies on a new line.
HOSTILE = "a\x1b[2J\x1b]0;pwned\x07\u202eb\u200bc\x9b1md\re\x7f\u2066f"
STEERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(ran: Ran) -> Ran:
    for text in (ran.out, ran.err):
        assert not STEERS.search(text), ascii(text)
    return ran


def test_hostile_text_through_every_command(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    prices = {name: [1.0, 1.0] for name in ("open", "high", "low", "close")}
    times = ["2024-01-02T00:00:00Z", "2024-01-02T00:01:00Z"]
    frame = pl.DataFrame({"ts": times, "symbol": ["AAA", "AAA"], **prices, HOSTILE: [1, 2]})
    frame.write_parquet(tmp_path / "col.parquet")
    frame.rename({"close": HOSTILE + "2"}).write_parquet(tmp_path / "none.parquet")
    path = tmp_path / "\x1b[31mred.csv"
    path.write_text("ts,symbol,open,high,low,close\n2024-01-02T00:00:00Z,\x1b[2J,1,1,1,1\n")
    name = HOSTILE.encode("unicode_escape").decode().replace("\\x", "\\u00").replace("'", "")
    (tmp_path / "mdload.toml").write_text(
        f'[jobs.other]\nsource = "{name}"\nprovider = "{name}"\nschedule = "0 6 * * *"\n'
    )
    (tmp_path / "bad.toml").write_text(f'[jobs."{name}"]\n"{name}" = "{name}"\n')
    env = {"MDLOAD_DATABASE_URL": database_url}
    how = ("--provider", "demo", "--interval", "1m")

    def run(*args: str | Path) -> Ran:
        return harmless(forked(*args, env=env))

    for file in ("col.parquet", "none.parquet", path):
        for options in ((), ("--json",)):
            run("inspect", file, *how, *options)
            run("backfill", file, *how, "--job-name", HOSTILE, *options)
    assert "\\x1b[2J" in run("inspect", "col.parquet", *how).out
    run("inspect", "col.parquet", "--emit")
    run("backfill", "col.parquet", "--provider", HOSTILE, "--interval", "1m")
    run("backfill", "col.parquet", f"--{HOSTILE}")
    run("backfill", HOSTILE, *how)
    fetch(
        database_url,
        "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
        " VALUES (%s, 'S', '1m', '2024-01-02', 1, 1, 1, 1)",
        HOSTILE,
    )
    [(run_id,)] = fetch(database_url, "SELECT max(id) FROM job_runs")
    for command in (
        ("coverage",), ("gaps",), ("job-runs", "list"), ("job-runs", "inspect", str(run_id)),
        ("job-runs", "summary"), ("job-runs", "stuck"), ("config", "show"), ("config", "check"),
        ("--config", "bad.toml", "config", "check"), ("--config", "bad.toml", "run", "--all"),
        ("schedule", "show"), ("doctor",), ("run", "other"), ("run", HOSTILE), ("run", "--all"),
        ("providers", "list"), ("providers", "show", HOSTILE), ("export", "--to", HOSTILE),
    ):  # fmt: skip
        run(*command)
        run("--log-format", "json", *command)
    for command in (("coverage",), ("job-runs", "list"), ("job-runs", "inspect", str(run_id))):
        run(*command, "--json")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("AAPL é 日本 😀", "AAPL é 日本 😀"),
        ("a\nb", "a\nb"),
        ("\x1b[2J\t\x9b\u202e\ufeff\U000e0041", "\\x1b[2J\\t\\x9b\\u202e\\ufeff\\U000e0041"),
    ],
)  # fmt: skip
def test_what_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible("a\nb", "") == "a\\nb"


def test_json_means_the_same() -> None:
    assert visible_json('{\n"a\u202e": "\x7f\U000e0041é"\n}') == (
        '{\n"a\\u202e": "\\u007f\\udb40\\udc41é"\n}'
    )
