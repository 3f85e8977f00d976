"""Ctrl-C at moments that a signal seldom meets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loader.ingest import pipeline
from loader.ingest.run import LoadRun
from loader.read.sources import find
from loader.results.events import Event, FileStarted
from loader.settings import Settings
from tests.support.sql import fetch


@pytest.mark.parametrize("started", [1, 2])
def test_while_the_threads_of_a_load_start(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: int
) -> None:
    """The files that have begun commit nothing, and the run ends at once."""
    cancel, cancelled = LoadRun.cancel, threading.Event()

    def heard(run: LoadRun) -> None:
        cancel(run)
        cancelled.set()

    class Interrupted(ThreadPoolExecutor):
        asked = 0

        def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
            self.asked += 1
            if self.asked > started:
                raise KeyboardInterrupt
            return super().submit(work, *given, **named)

    def listener(event: Event) -> None:
        if isinstance(event, FileStarted):
            cancelled.wait(5)

    monkeypatch.setattr(LoadRun, "cancel", heard)
    monkeypatch.setattr(pipeline, "ThreadPoolExecutor", Interrupted)
    files = [written(tmp_path, name) for name in "ABCD"]
    with find(files) as sources, pytest.raises(KeyboardInterrupt):
        pipeline.load(Settings(workers=3), database_url, sources, [listener])
    assert cancelled.is_set()
    for thread in threading.enumerate():
        if thread.name.startswith("mdload-file"):
            thread.join(60)
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]
    assert fetch(database_url, "SELECT status FROM job_runs") == [("cancelled",)]


def written(folder: Path, name: str) -> str:
    pl.DataFrame(
        {"symbol": name, "interval": "1d", "ts": [datetime(2024, 3, 4, tzinfo=UTC)], "open": 1.0,
         "high": 2.0, "low": 0.5, "close": 1.5, "volume": 10.0, "provider": "made"}
    ).write_parquet(folder / f"{name}.parquet")  # fmt: skip
    return str(folder / f"{name}.parquet")
