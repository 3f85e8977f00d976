"""The table of options: what is in the fingerprint, and what is made of a row."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from loader.bars.symbol_map import parse
from loader.cli.backfill import backfill
from loader.cli.inspect import inspect
from loader.cli.live import live
from loader.jobs.config.keys import DEFAULTS, JOB
from loader.settings import Meaning, Part, Place, RejectLimit, Settings, Shard, load
from loader.settings.load import MEANING, OPTIONS, as_fields
from loader.store.runs.fingerprint import compute_config_fingerprint

#: Fields of `Settings` that do not change which bars a file turns into. One that is neither here
#: nor a field of `Meaning` could change what a file means while a rerun says that it is known.
DECIDES_NOTHING = {
    "max_rejects", "workers", "batch_rows", "commit_every", "recompress", "job_name", "dataset",
    "tenant", "mode", "dry_run", "force", "leaves_unfinished", "known_at", "known_at_from",
    "max_restated", "max_gone", "delete_gone", "accept", "shard", "on",
}  # fmt: skip
#: Fields that decide which of its bars are loaded.
DECIDES_THE_PART = {"part"}

MAP = "from,to,provider,valid_from,valid_to\nFB,META,polygon,2012-05-18,2022-06-09\nabc,XYZ,,,\n"
ACME = {
    "header": ["Date", "Settle"],
    "columns": {"ts": "Date", "close": "Settle"},
    "price_divisor": 100,
}
#: Another value than the default for every field.
OTHERS: dict[str, Any] = {
    "provider": "polygon", "interval": "1m", "symbol": "SPY", "timezone": "America/New_York",
    "columns": {"close": "Settle", "open": "First"}, "dialect": "acme",
    "own_dialects": {"acme": ACME}, "symbol_convention": "cqs",
    "where": {"SERIES": "EQ"}, "name_pattern": "{symbol}.csv",
    "symbol_map": parse(MAP, "m.csv"), "time_format": "%d.%m.%Y %H:%M", "stamp": "end",
    "price_exponent": -4, "volume_exponent": 2, "keep_skipped": True,
    "decimal": ",", "thousands": ".",
    "allow_nonpositive_prices": True, "check_grid": False,
    "max_rejects": RejectLimit(rows=5), "workers": 7, "batch_rows": 123, "commit_every": 9,
    "recompress": True, "job_name": "nightly", "dataset": "us",
    "tenant": "acme", "mode": "live", "dry_run": True,
    "force": True, "leaves_unfinished": True, "known_at": datetime(2021, 3, 5, tzinfo=UTC),
    "known_at_from": "mtime", "max_restated": RejectLimit(share=0.02),
    "max_gone": RejectLimit(rows=3), "delete_gone": True, "accept": ("shift", "gone"),
    "part": Part(symbols=("SPY",)), "shard": Shard(3, 16),
    "on": Place(processes=8),
}  # fmt: skip


def fingerprint(settings: Settings) -> str:
    return compute_config_fingerprint(settings.fingerprinted)


def test_the_fingerprints_of_loads_that_are_recorded_already() -> None:
    """Made by the version before the table was. If they change, every file that anybody has loaded
    is read again after the upgrade. Fields that are newer are left out here."""
    first = load._ALWAYS | DECIDES_NOTHING
    assert (
        fingerprint(Settings())
        == "4840c85391285717ca738bf8422fec93fd29de2e867b67b58545507d60e794ee"
    )
    assert (
        fingerprint(Settings(**{name: OTHERS[name] for name in first}))
        == "010698b741418c14395ebb2f604fbb289d84fac8d474968700325bf3aac80308"
    )


def test_a_new_option_leaves_recorded_loads_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_ALWAYS", load._ALWAYS - {"keep_skipped"})
    assert "keep_skipped" not in Settings().meaning.as_config()
    assert Settings(keep_skipped=True).meaning.as_config()["keep_skipped"] is True


def test_every_field_is_in_the_fingerprint_or_decides_nothing() -> None:
    of_meaning = {each.name for each in fields(Meaning)}
    assert {
        each.name for each in fields(Settings)
    } == of_meaning | DECIDES_NOTHING | DECIDES_THE_PART
    assert not of_meaning & DECIDES_NOTHING
    assert set(OTHERS) == of_meaning | DECIDES_NOTHING | DECIDES_THE_PART


@pytest.mark.parametrize("name", OTHERS)
def test_what_changes_the_fingerprint(name: str) -> None:
    changed = replace(Settings(), **{name: OTHERS[name]})
    assert getattr(changed, name) != getattr(Settings(), name)
    assert (fingerprint(changed) == fingerprint(Settings())) is (name in DECIDES_NOTHING)


def test_defaults_as_they_are_written_are_those_of_the_fields() -> None:
    written = {name: option.default for name, option in OPTIONS.items()}
    assert Settings(**as_fields(written)) == Settings()


def test_every_row_is_an_option_of_the_commands_and_a_key() -> None:
    of = {
        command: {name for each in command.params for name in (each.name,)}
        for command in (backfill, inspect, live)
    }
    typed = {name for name, option in OPTIONS.items() if option.flag}
    assert typed <= of[backfill]
    assert {*MEANING, "batch_rows"} <= of[inspect] & of[live]
    assert {name for name, option in OPTIONS.items() if "jobs" in option.sections} <= set(JOB)
    assert {name for name, o in OPTIONS.items() if "defaults" in o.sections} <= set(DEFAULTS)


@pytest.mark.parametrize("command", [(), ("backfill",), ("run",), ("config",)])
def test_help_waits_for_nothing_heavy(command: tuple[str, ...]) -> None:
    script = (
        "import sys\nfrom loader.cli import root\nroot.main(sys.argv[1:], standalone_mode=False)\n"
        "sys.exit(', '.join({'polars', 'pyarrow', 'psycopg'} & set(sys.modules)) or 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, *command, "--help"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Usage: " in ran.stdout
