"""Numbers that no database or clock can hold, text that no setting can hold: a usage error that
names them, through the real executable; and the same for programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import psycopg
import pytest

from loader.cli import root
from loader.client import StoreClient
from loader.errors import UnknownRun
from loader.store.runs import JobRunTracker
from tests.conftest import Ran
from tests.support.candles import Candle
from tests.support.commands import every_command
from tests.support.jobs import bars, config
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
HUGE = "1" + 20 * "0"


NUMBERS = [
    pytest.param(words, param, id=f"{words} {param.name}")
    for words, command in every_command(root)
    for param in command.params
    if isinstance(param.type, (click.IntRange, click.FloatRange, click.types.IntParamType))
]


@pytest.mark.parametrize(("command", "param"), NUMBERS)
def test_every_number_of_the_command_line_has_bounds(command: str, param: click.Parameter) -> None:
    if param.is_flag if isinstance(param, click.Option) else False:
        return
    if param.multiple or (isinstance(param, click.Option) and param.count):
        return
    assert isinstance(param.type, (click.IntRange, click.FloatRange)), command
    assert param.type.max is not None
    assert param.type.max <= 2**63 - 1
    for wild in (HUGE, "-" + HUGE, "nan", "1e400"):
        with pytest.raises(click.BadParameter):
            param.type.convert(wild, param, None)


@pytest.mark.parametrize(
    "command",
    [f"revisions list --limit {HUGE}", f"diff 2024-01-01 2024-02-01 --limit {HUGE}",
     f"job-runs list --limit {HUGE}", f"job-runs inspect {HUGE}", f"gaps --withdraw {HUGE}",
     f"run a --wait {HUGE}", f"run a --wait {HUGE}d", f"run a --set deadline={HUGE}d",
     f"run a --set settle={HUGE}", f"run a --set retry_wait={HUGE}h",
     f"run a --set hook_timeout={HUGE}d", f"run a --set workers={HUGE}",
     f"run a --set commit_every={HUGE}", f"backfill a.csv --commit-every {HUGE}",
     f"backfill a.csv --batch-rows {HUGE}", f"live a.csv --flush-ms {HUGE}",
     "job-runs summary --hours nan", "job-runs stuck --minutes nan", "revisions list --min-bps nan",
     "verify --rollup --tolerance nan", f"coverage --since {HUGE}d", f"inspect a.csv --rows {HUGE}",
     "run a --set workers=" + 20_000 * "["],
)  # fmt: skip
def test_numbers_beyond_all_bounds(
    forked: Mdload, tmp_path: Path, database_url: str, command: str
) -> None:
    bars(tmp_path / "a.csv", 3)
    config(tmp_path, database_url, '[jobs.a]\nsource = "a.csv"')
    ran = forked(*command.split())
    assert ran.code == 2, ran.err
    assert "a fault of mdload" not in ran.err
    assert "Traceback" not in ran.err


def test_a_wait_longer_than_the_server_can_count(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    bars(tmp_path / "a.csv", 3)
    config(tmp_path, database_url, '[jobs.a]\nsource = "a.csv"')
    assert forked("run", "a", "--wait", "30d").code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [("a = '\0'", "not TOML"),
     ('[jobs.a]\nsource = "a\\u0000.csv"', "has a NUL character"),
     ('[jobs."a\\u0000"]\nsource = "a.csv"', "has a NUL character"),
     ("[defaults]\nprovider = " + 20_000 * "[" + 20_000 * "]", "nested deeper than 50 times"),
     ("[defaults]\nprovider = " + 100 * "[" + 100 * "]", "nested deeper than 50 times"),
     ("[defaults]\nprovider = " + 20_000 * "{a=", "nested deeper than 50 times"),
     ("[" + ".".join(2000 * "a") + "]", "nested deeper than 50 times"),
     ("[defaults]\nworkers = " + 5000 * "9", "cannot be used"),
     ("[defaults]\nworkers = " + HUGE, "defaults.workers must be a whole number")],
)  # fmt: skip
def test_a_configuration_that_no_setting_can_hold(
    forked: Mdload, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "mdload.toml").write_text(text)
    for command in (("config", "check"), ("backfill", "a.csv"), ("run", "a")):
        ran = forked(*command)
        assert ran.code == 2, ran.err
        assert said in ran.err + ran.out
        assert "a fault of mdload" not in ran.err


WILD: list[tuple[Any, type[Exception]]] = [
    (None, TypeError), (True, TypeError), ("1", TypeError), (1.0, TypeError),
    (2**63, ValueError), (-1, ValueError),
]  # fmt: skip


@pytest.mark.parametrize(("run_id", "error"), WILD)
def test_runs_that_cannot_be(database_url: str, run_id: Any, error: type[Exception]) -> None:
    with JobRunTracker(database_url) as tracker:
        tracker.start_run("a")
        calls: list[Callable[[Any], object]] = [
            tracker.get_run, tracker.heartbeat, tracker.complete_run, tracker.update_progress,
            tracker.get_files, tracker.get_loads, tracker.get_rollbacks, tracker.get_rejects,
            lambda each: tracker.mark_failed([each], "lost"),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(error, match="run_id"):
                call(run_id)
        with pytest.raises(UnknownRun):
            tracker.get_run(2**63 - 1)
    if run_id is not None:
        with pytest.raises(error):
            StoreClient(database_url, run_id=run_id)
    assert fetch(database_url, "SELECT status FROM job_runs") == [("running",)]


def test_counts_that_cannot_be(database_url: str) -> None:
    with JobRunTracker(database_url) as tracker:
        run_id = tracker.start_run("a")
        for wild, error in ((True, TypeError), (1.5, TypeError), (10**20, ValueError)):
            with pytest.raises(error):
                tracker.update_progress(run_id, wild)  # type: ignore[arg-type]
            with pytest.raises(error):
                tracker.update_progress(run_id, rows_skipped=wild)  # type: ignore[arg-type]
        for wild in (True, float("nan"), -1, 1e300):
            with pytest.raises((TypeError, ValueError)):
                tracker.get_summary(wild)
            with pytest.raises((TypeError, ValueError)):
                tracker.get_stuck_runs(wild)
        for limit in (True, None, 2**63, -1):
            with pytest.raises((TypeError, ValueError)):
                tracker.get_recent_runs(limit)  # type: ignore[arg-type]
        for days in (True, None, 10**9, -1):
            with pytest.raises((TypeError, ValueError)):
                tracker.cleanup_old_runs(days)  # type: ignore[arg-type]
        assert tracker.get_run(run_id).rows_read == 0


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume", "vwap", "trade_count"])
def test_a_truth_is_no_number(database_url: str, name: str) -> None:
    good, bad = Candle(), Candle()
    values = {
        key: getattr(bad, key)
        for key in (
            "provider",
            "symbol",
            "interval",
            "ts",
            "open",
            "high",
            "low",
            "close",
            "volume",
        )
    }
    wild = SimpleNamespace(**values | {name: True})
    with StoreClient(database_url) as store:
        with pytest.raises(TypeError, match=rf"bars\[1\].{name} is True \(bool\), not a number"):
            store.write_bars([good, wild])
        with store.buffered() as feed, pytest.raises(TypeError, match=f"{name} is True"):
            feed.write(wild)
        for size in (True, 1.0, None):
            with pytest.raises(TypeError, match="batch_size"):
                store.write_bars([good], batch_size=size)  # type: ignore[arg-type]
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM bars_ohlcv").fetchone() == (0,)
