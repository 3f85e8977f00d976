"""Histories of several writers at once: every instant, asked for at once and at the end, against
the oracle of `tests.support.histories`.

A few hundred here. All ten thousand, in ten pieces of a process each:

    for piece in $(seq 0 9); do
        MDLOAD_TEST_HISTORIES=1000 MDLOAD_TEST_SEED=$((piece * 1000)) \\
            python -m pytest -q -s tests/store/versions/test_interleavings.py
    done
"""

from __future__ import annotations

import os

import pytest

from loader.db import queries
from tests.conftest import no_triggers
from tests.support.histories import Histories

pytestmark = no_triggers  # a trigger is the witness of all that happens
HISTORIES = int(os.environ.get("MDLOAD_TEST_HISTORIES", "60"))
SEED = int(os.environ.get("MDLOAD_TEST_SEED", "0"))


def test_every_instant_of_many_interleavings(either_url: str) -> None:
    histories = Histories(either_url)
    try:
        for seed in range(SEED, SEED + HISTORIES):
            histories.run(seed)
            assert histories.found.failures == []
            assert histories.found.wrong == []
            assert histories.found.moved == []
    finally:
        histories.close()
    found = histories.found
    print(f"\n{found.histories:,} histories: {found.loads:,} loads, {found.asked:,} instants, "
          f"refused {found.refused}")  # fmt: skip
    assert found.loads > HISTORIES
    assert found.asked > HISTORIES


def test_they_find_that_the_start_of_a_transaction_is_too_early(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With now() for the time at which a load is known, instants move."""
    known = dict(queries.queries())
    for name in ("load_record", "job_run_add_counts"):
        wrong = known[name].replace("greatest(clock_timestamp(),", "greatest(now(),")
        wrong = wrong.replace("(SELECT max(known_at) + interval '1 microsecond' FROM bars_loads)",
                              "now()")  # fmt: skip
        assert wrong != known[name]
        known[name] = wrong
    monkeypatch.setattr(queries, "queries", lambda *_, **__: known)
    histories = Histories(database_url)
    try:
        for seed in range(1_000):
            histories.run(seed)
            assert histories.found.failures == []
            if histories.found.moved:
                break
    finally:
        histories.close()
    assert histories.found.moved
