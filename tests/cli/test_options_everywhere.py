"""The options of the whole command count before a subcommand and after it; help is in groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loader.cli import COMMANDS
from tests.conftest import Ran

Mdload = Callable[..., Ran]


def test_the_database_is_named_last(mdload: Mdload, database_url: str) -> None:
    ran = mdload("query", "SELECT current_database() AS name", "--csv", "--database", database_url)
    assert ran.out.splitlines()[1] in database_url
    later = mdload("--database", "postgresql://nobody@127.0.0.1:1/x", "job-runs", "list", "--json",
                   "--database", database_url)  # fmt: skip
    assert (later.code, later.json()) == (0, [])


def test_the_configuration_is_named_last(forked: Mdload, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('[defaults]\nprovider = "mine"\n')
    (tmp_path / "bars.csv").write_text(
        "symbol,ts,open,high,low,close\nA,2024-03-04T14:30Z,1,2,1,2\nA,2024-03-04T14:31Z,1,2,1,2\n"
    )
    inspect = ("inspect", "bars.csv", "--interval", "1m", "--json")
    found = forked(*inspect, "--config", "other.toml")
    assert (found.code, found.json()["provider"]) == (0, "mine")
    own = forked(*inspect, "--config", "other.toml", "--provider", "p")
    assert own.json()["provider"] == "p"


def test_a_broken_configuration_that_another_one_replaces(forked: Mdload, tmp_path: Path) -> None:
    (tmp_path / "mdload.toml").write_text("[defaults")
    (tmp_path / "good.toml").write_text("")
    assert forked("inspect", "none.csv").code == 2
    assert forked("inspect", "none.csv", "--config", "good.toml").code == 3


def test_quiet_and_json_lines(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("symbol,ts,open,high,low,close\nA,2024-03-04T14:30Z,1,2,1,2\n")
    options = ("backfill", "a.csv", "--database", database_url, "--provider", "p", "--interval",
               "1m", "--dry-run")  # fmt: skip
    assert forked(*options, "-q").err == ""
    assert forked(*options, "--log-format", "json", "-v").err.startswith("{")
    refused = forked("backfill", "gone.csv", "--database", database_url, "--log-format", "json")
    assert '"level": "error"' in refused.err or '"error"' in refused.err


def test_psql_gets_its_own_options(forked: Mdload, database_url: str) -> None:
    ran = forked("--database", database_url, "db", "psql", "-q", "-At", "-c", "SELECT 7")
    assert ran.out == "7\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_does_not_read_the_configuration(forked: Mdload, tmp_path: Path, name: str) -> None:
    (tmp_path / "mdload.toml").write_text("[defaults")
    assert forked(name, "--help").code == 0


def test_help_as_wide_as_the_terminal(mdload: Mdload) -> None:
    text = mdload("backfill", "--help", env={"COLUMNS": "200"}).out
    assert 90 < max(map(len, text.splitlines())) <= 100
    narrow = mdload("backfill", "--help", env={"COLUMNS": "60"}).out
    assert max(map(len, narrow.splitlines())) <= 60


def test_where_the_configuration_is_looked_for(forked: Mdload, tmp_path: Path) -> None:
    own = tmp_path / "config" / "mdload" / "mdload.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[database]\nurl = "postgresql://of@the.user/x"\n')
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    shown = forked("config", "show", env=env)
    assert shown.out.splitlines()[0] == f"file      {own}"
    assert "the.user/x" in forked("db", "url", env=env).out
    assert f"configuration: {own}" in forked("-v", "db", "url", env=env).err
    (tmp_path / "mdload.toml").write_text('[database]\nurl = "postgresql://of@the.folder/x"\n')
    assert "the.folder/x" in forked("db", "url", env=env).out
    named = tmp_path / "named.toml"
    named.write_text('[database]\nurl = "postgresql://of@a.name/x"\n')
    assert "a.name/x" in forked("db", "url", env=env | {"MDLOAD_CONFIG": str(named)}).out
    assert "the.folder/x" in forked("db", "url", "--config", "mdload.toml", env=env).out
