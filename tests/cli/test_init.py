"""`mdload init`: a first mdload.toml, asked for on a terminal or made from options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loader.errors import InputError
from loader.jobs.first import asked_for, without_password
from tests.conftest import Ran
from tests.support.sql import fetch
from tests.support.terminal import on_terminal

Mdload = Callable[..., Ran]
MINUTES = "Date,Open,High,Low,Close,Volume\n" + "".join(
    f"2024-02-05 09:{minute},10,11,9,10.5,100\n" for minute in range(30, 35)
)


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """Files of two symbols, which lack provider, symbol and time zone."""
    for name in ("2024/AAA.csv", "2024/BBB.csv", "2024/README.txt"):
        (tmp_path / "dumps" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dumps" / name).write_text(MINUTES)
    return tmp_path / "dumps"


def test_on_a_terminal_it_asks_for_what_it_needs(
    home: Path, mdload: Mdload, database_url: str, tmp_path: Path, dumps: Path
) -> None:
    (tmp_path / "mdload.toml").write_text("# mine\n")
    kept = on_terminal(home, tmp_path, "init", answers={"Overwrite it? [y/N]": "n"})
    assert kept.code == 130
    assert (tmp_path / "mdload.toml").read_text() == "# mine\n"

    answers = {
        "Overwrite it? [y/N]": "y",
        "Folder (or files) with bars [.]": "dumps",
        "Database URL (empty: mdload runs a PostgreSQL of its own)": database_url,
        "--provider (Source of the bars": "demo",
        "--name (What the files' names give": "{symbol}.csv",
        "--timezone (Time zone of timestamps": "America/New_York",
        "Name of the job [dumps]": "nightly",
        "Write mdload.toml? [Y/n]": "y",
    }
    asked = on_terminal(home, tmp_path, "init", answers=answers, columns=100)
    assert asked.code == 0, asked.text
    assert "next: mdload run nightly --dry-run;  mdload run nightly" in asked.text
    text = (tmp_path / "mdload.toml").read_text()
    assert text.startswith("# What mdload loads, and where to; made by mdload init on ")
    assert f'url = "{database_url}"' in text
    assert text.partition("[jobs.nightly]\n")[2].splitlines()[3:] == [
        'source = "dumps/**/*.csv"', 'provider = "demo"', 'name = "{symbol}.csv"',
        'timezone = "America/New_York"',
    ]  # fmt: skip
    ran = mdload("run", "nightly")
    assert ran.code == 0, ran.err
    assert fetch(database_url, "SELECT symbol, count(*) FROM bars_ohlcv GROUP BY 1 ORDER BY 1") == [
        ("AAA", 5), ("BBB", 5)
    ]  # fmt: skip


def test_elsewhere_it_takes_options_and_says_what_is_missing(
    forked: Mdload, tmp_path: Path, dumps: Path
) -> None:
    target = tmp_path / "mdload.toml"
    ran = forked("init")
    assert (ran.code, "name the bars that the first job loads" in ran.err) == (2, True)
    ran = forked("init", "dumps", "--provider", "demo")
    assert ran.code == 3
    assert "hint: name them: --name '{symbol}.csv' --timezone America/New_York" in ran.err
    assert not target.exists()
    whole = ("init", "dumps", "--provider", "demo", "--name", "{symbol}.csv",
             "--timezone", "America/New_York")  # fmt: skip
    made = forked(*whole, "--json")
    assert made.code == 0, made.err
    assert made.json() == {
        "file": str(target), "job": "dumps", "source": "dumps/**/*.csv", "files": 2
    }  # fmt: skip
    assert forked("config", "check").out == "mdload.toml: 1 job, nothing wrong\n"
    again = forked(*whole)
    assert (again.code, "error: mdload.toml exists\nhint: --force" in again.err) == (2, True)
    target.write_text("old")
    assert forked(*whole, "--force").code == 0
    assert "[jobs.dumps]" in target.read_text()


def test_a_database_is_tried_and_its_password_kept_out_of_the_file(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "bars.csv").write_text("ts,symbol,open,high,low,close\n2024-02-05,A,1,2,1,2\n")
    init = ("init", "bars.csv", "--provider", "p", "--interval", "1d", "--database")
    away = forked(*init, "postgresql://me:hush@127.0.0.1:1/x")
    assert away.code == 5
    assert "hush" not in away.err
    assert not (tmp_path / "mdload.toml").exists()
    secret = database_url.replace("postgres@/", "postgres:hush@/")
    made = forked(*init, secret)
    assert made.code == 0, made.err
    assert "the password is not in the file: export MDLOAD_DB_PASSWORD=" in made.err
    text = (tmp_path / "mdload.toml").read_text()
    assert "postgres:${MDLOAD_DB_PASSWORD}@/" in text
    assert "hush" not in text + made.out + made.err
    assert made.out.splitlines()[0].endswith("mdload.toml: job bars-csv, 1 file of bars.csv")


@pytest.mark.parametrize(
    ("hint", "known", "asked"),
    [
        ("name it: --timezone TZ", {}, ("timezone", None)),
        ("name it: --name '{symbol}.csv'", {}, ("name", "{symbol}.csv")),
        ("say which: --column close='Adj Close'", {}, ("columns", "close=Adj Close")),
        ("say --interval 1m, or leave it out", {}, ("interval", "1m")),
        ("--provider NAME, then --symbol AAA", {"provider": "p"}, ("symbol", None)),
        ("--provider NAME", {"provider": "p"}, None),
        ("get it again", {}, None),
    ],
)
def test_the_option_that_a_hint_asks_for(
    hint: str, known: dict[str, str], asked: tuple[str, str | None] | None
) -> None:
    assert asked_for(InputError("no", hint=hint), known) == asked


def test_passwords_leave_urls_as_they_are_written() -> None:
    assert without_password("postgresql://me:a%40b@db/x?sslmode=require") == (
        "postgresql://me:${MDLOAD_DB_PASSWORD}@db/x?sslmode=require", "a%40b"
    )  # fmt: skip
    assert without_password("postgresql://me@db/x") == ("postgresql://me@db/x", None)
    assert without_password("postgresql:///x") == ("postgresql:///x", None)
