"""Ended sessions and commits without an answer: the one run ends as if nothing had happened.

MDLOAD_KILLS sets how often sessions are ended in each way.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import adbc_driver_manager
import psycopg
import pytest

from loader.db.adbc import AdbcSession
from loader.results import LoadResult
from tests.conftest import database
from tests.support.crashing import (
    COUNTS,
    SMALL,
    assert_like,
    assert_run_counts,
    contents,
    counted,
    loaded,
    prepare,
    write_file,
    write_shuffled,
)
from tests.support.sql import fetch, wait_for

KILLS = int(os.environ.get("MDLOAD_KILLS", "1"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("crashes")
    ordered = write_file(SMALL, folder / "bars.parquet")
    return {"ordered": ordered, "shuffled": write_shuffled(ordered, folder / "shuffled.parquet")}


@pytest.fixture(scope="module")
def prepared(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Name of a database in which the stored bars are stored."""
    with database(server_url, template) as url:
        prepare(SMALL, url, tmp_path_factory.mktemp("crashes") / "stored.parquet")
        yield url.split("/")[-1].split("?")[0]


@pytest.fixture(scope="module")
def undisturbed(
    server_url: str, prepared: str, files: dict[str, Path]
) -> tuple[dict[str, bytes], float]:
    """What a load leaves behind, and the seconds that it takes."""
    with database(server_url, prepared) as url:
        began = time.monotonic()
        assert loaded(SMALL, url, files["ordered"]).status == "success"
        return contents(url), time.monotonic() - began


WAYS = pytest.mark.parametrize("order", ["ordered", "shuffled"])
IN_PARTS = pytest.mark.parametrize("in_parts", [False, True], ids=["whole", "in parts"])
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def assert_as_if_nothing_was(
    result: LoadResult, url: str, undisturbed: dict[str, bytes], order: str
) -> None:
    """Checks that one run has loaded everything once."""
    assert result.status == "success", result.files[0].error
    assert_like(contents(url), undisturbed, SMALL, ordered=order == "ordered")
    assert_run_counts(url)
    expected = SMALL.expected
    assert counted(url) == expected
    assert result.counts.as_columns() == {
        "rows_read": sum(expected.values()),
        "rows_written": expected["inserted"] + expected["updated"],
        **{f"rows_{name}": expected[name] for name in COUNTS},
    }
    assert fetch(url, "SELECT status FROM job_runs") == [("success",)]
    assert fetch(url, "SELECT state FROM job_run_files") == [("loaded",)]


@WAYS
@IN_PARTS
def test_sessions_that_are_ended_in_the_middle(
    server_url: str,
    prepared: str,
    undisturbed: tuple[dict[str, bytes], float],
    files: dict[str, Path],
    order: str,
    in_parts: bool,
) -> None:
    """All of them at a time, the run's own too, up to three times."""
    whole, takes = undisturbed
    seed = random.Random(f"{order} {in_parts}")
    for _ in range(KILLS):
        with database(server_url, prepared) as url, ThreadPoolExecutor(1) as pool:
            load = pool.submit(loaded, SMALL, url, files[order], in_parts=in_parts)
            with psycopg.connect(url, autocommit=True) as admin:
                wait_for(url, "SELECT 1 FROM job_runs")
                for _ in range(seed.randint(1, 3)):
                    time.sleep(seed.uniform(0, 1.0) * takes)
                    admin.execute(TERMINATE)
            assert_as_if_nothing_was(load.result(), url, whole, order)


@WAYS
@IN_PARTS
@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_without_an_answer(
    server_url: str,
    prepared: str,
    undisturbed: tuple[dict[str, bytes], float],
    files: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    order: str,
    in_parts: bool,
    committed: bool,
) -> None:
    """Every other commit that books something loses its connection; whether it came through or not,
    nothing is counted twice."""
    commit = AdbcSession.commit
    number = 0

    def lose(self: AdbcSession) -> None:
        nonlocal number
        held = self.execute(
            "SELECT 1 FROM pg_locks WHERE pid = pg_backend_pid()"
            " AND relation = 'job_run_files'::regclass AND mode = 'RowExclusiveLock'"
        )
        books = held.read_all().num_rows
        number += bool(books)
        if not books or number % 2 == 0:
            commit(self)
            return
        if committed:
            commit(self)
        raise adbc_driver_manager.OperationalError(
            "IO: [libpq] Failed to commit: server closed the connection unexpectedly",
            status_code=adbc_driver_manager.AdbcStatusCode.IO,
        )

    monkeypatch.setattr(AdbcSession, "commit", lose)
    monkeypatch.setattr("loader.db.retries.ATTEMPTS", 50)
    monkeypatch.setattr("loader.db.retries.pause", lambda _: 0.0)
    with database(server_url, prepared) as url:
        result = loaded(SMALL, url, files[order], in_parts=in_parts)
        assert number >= (2 if not committed else 1)
        assert_as_if_nothing_was(result, url, undisturbed[0], order)
