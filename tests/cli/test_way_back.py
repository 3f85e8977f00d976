"""The way back as a person goes it: rollback, delete, rename, prune."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran, environment
from tests.support.nights import BAD, GOOD, Nights
from tests.support.sql import fetch


@pytest.fixture
def nights(forked: Callable[..., Ran], either_url: str, tmp_path: Path) -> Nights:
    return Nights(forked, either_url, tmp_path)


def test_a_bad_night_is_undone(nights: Nights) -> None:
    nights.load(GOOD)
    before = fetch(nights.url, "SELECT ts, close, created_at FROM bars_ohlcv ORDER BY ts")
    bad = nights.load(BAD)
    looked = nights.run("rollback", str(bad), "--dry-run", "--json").json()
    assert nights.closes() == BAD
    done = nights.run("rollback", str(bad), "--yes", "--json").json()
    for said in (looked, done):
        counts = [said[f"rows_{what}"] for what in ("inserted", "updated", "deleted", "kept")]
        assert counts == [0, 1, 1, 0]
        assert said["rolled_back"] == [bad]
    assert (looked["run_id"], looked["dry_run"]) == (None, True)
    assert nights.closes() == GOOD
    after = fetch(nights.url, "SELECT ts, close, created_at FROM bars_ohlcv ORDER BY ts")
    assert after == before
    shown = nights.run("job-runs", "inspect", str(bad))
    assert f"rolled back by run {done['run_id']} at " in shown.out
    inspected = nights.run("job-runs", "inspect", str(bad), "--json").json()
    assert [load["inserted"] for load in inspected["loads"]] == [1]
    assert [run["id"] for run in inspected["rolled_back_by"]] == [done["run_id"]]
    twice = nights.run("rollback", str(bad), "--yes", code=2)
    assert f"run {bad} was rolled back already: see run {done['run_id']}" in twice.err
    nights.run("rollback", str(done["run_id"]), "--yes")
    assert nights.closes() == BAD


def test_later_loads_are_not_harmed(nights: Nights) -> None:
    nights.load(GOOD)
    bad = nights.load({**BAD, "14:31": ("AAPL", 18.9)})
    fix = nights.load({"14:30": ("AAPL", 187.6)})
    refused = nights.run("rollback", str(bad), "--yes", code=4)
    assert f"1 of the bars were changed later, so nothing was undone: by run {fix}" in refused.err
    assert "--keep-later" in refused.err
    done = nights.run("rollback", str(bad), "--keep-later", "--yes", "--json").json()
    assert (done["rows_kept"], done["rows_updated"], done["rows_deleted"]) == (1, 1, 1)
    assert [later["run_id"] for later in done["later"]] == [fix]
    assert nights.closes() == {**GOOD, "14:30": ("AAPL", 187.6)}


def test_the_last_runs_are_undone_one_by_one(nights: Nights) -> None:
    """What a rollback has undone is in nobody's way, other bars of it neither."""
    nights.load(GOOD)
    first = nights.load({"14:30": ("AAPL", 1.0), "14:31": ("AAPL", 1.0)})
    second = nights.load({"14:30": ("AAPL", 2.0), "14:32": ("AAPL", 2.0)})
    nights.run("rollback", str(second), "--yes")
    nights.load({"14:32": ("AAPL", 3.0)})
    nights.run("rollback", str(first), "--yes")
    assert nights.closes() == {**GOOD, "14:32": ("AAPL", 3.0)}


def test_back_to_a_time_and_to_a_pin(nights: Nights) -> None:
    nights.load(GOOD)
    nights.run("pin", "good")
    ((moment,),) = fetch(nights.url, "SELECT (max(stamped_at) + '1 us')::text FROM bars_loads")
    for back in (("--since", moment), ("--to", "good")):
        nights.load(BAD)
        nights.load({"14:40": ("MSFT", 370.0)})
        nights.run("rename", "MSFT", "MSF", "--yes")
        nights.run("rollback", *back, "--yes")
        assert nights.closes() == GOOD
        nights.run("diff", "good")


def test_deleted_and_brought_back(nights: Nights) -> None:
    nights.load(GOOD)
    assert nights.run("delete", "--yes", code=2).err.endswith(
        "say which bars: --provider, --symbol, --interval, --since, --until\n"
    )
    looked = nights.run("delete", "--symbol", "aapl", "--dry-run").out
    assert "3 would be deleted (dry run" in looked
    done = nights.run(
        "delete", "--symbol", "aapl", "--since", "2024-01-02T14:31", "--yes", "--json"
    ).json()
    assert done["rows_deleted"] == 2
    assert nights.closes() == {"14:30": GOOD["14:30"]}
    assert nights.run("delete", "--symbol", "MSFT", "--yes", code=2).err.startswith(
        "error: no such bars are stored"
    )
    nights.run("rollback", str(done["run_id"]), "--yes")
    assert nights.closes() == GOOD


def test_renamed_and_back(nights: Nights) -> None:
    nights.load(GOOD)
    nights.load({"14:31": ("APPL", 1.0)})
    met = nights.run("rename", "APPL", "AAPL", "--yes", code=2)
    assert "1 bars of AAPL stand where bars of APPL would go" in met.err
    done = nights.run("rename", "aapl", "FB", "--yes", "--json").json()
    assert (done["rows_inserted"], done["rows_deleted"]) == (3, 3)
    assert {
        symbol for symbol, _ in nights.closes("bars_ohlcv WHERE symbol <> 'APPL'").values()
    } == {"FB"}
    nights.run("rollback", str(done["run_id"]), "--yes")
    assert nights.closes("bars_ohlcv WHERE symbol <> 'APPL'") == GOOD


def test_nobody_is_asked_in_a_pipe_and_a_person_may_say_no(nights: Nights, home: Path) -> None:
    run = nights.load(GOOD)
    for command in (("rollback", str(run)), ("delete", "--symbol", "AAPL"), ("rename", "A", "B"),
                    ("prune", "--revisions-days", "1")):  # fmt: skip
        assert "there is nobody to ask: add --yes" in nights.run(*command, code=2).err
    for answer, code, left in ((b"n\n", 130, 3), (b"y\n", 0, 0)):
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "loader", "--database", nights.url, "rollback", str(run)],
            env=environment(home), stdin=terminal, stdout=subprocess.PIPE, stderr=terminal,
        )  # fmt: skip
        os.close(terminal)
        os.write(controller, answer)
        out, _ = process.communicate(timeout=120)
        os.close(controller)
        assert process.returncode == code, out
        assert b"3 would be deleted (dry run" in out
        assert len(nights.closes()) == left


def test_prune_keeps_what_a_pin_needs(nights: Nights) -> None:
    nights.load(GOOD)
    nights.run("pin", "good")
    first = nights.load(BAD)
    nights.load(GOOD | {"14:33": ("AAPL", 188.5)})
    assert nights.run("prune", code=2).err.endswith(
        "say what: --revisions-days, --loads-days, --runs-days, --rejects-days\n"
    )
    nights.run("prune", "--revisions-days", "0", "--loads-days", "0", "--yes")
    assert nights.closes("bars_ohlcv_at('good')") == GOOD
    nights.run("pins", "delete", "good")
    looked = nights.run("prune", "--revisions-days", "0", "--dry-run", "--json").json()
    assert (looked["revisions"], looked["all_revisions"]) == (3, 3)
    assert looked["unreadable_before"]
    done = nights.run(
        "prune", "--revisions-days", "0", "--loads-days", "0", "--yes", "--json"
    ).json()
    assert done["revisions"] == 3
    assert fetch(nights.url, "SELECT count(*) FROM bars_ohlcv_revisions") == [(0,)]
    assert nights.closes() == GOOD | {"14:33": ("AAPL", 188.5)}
    # The history that said the bars of the bad file were changed is gone; the file is not known.
    ran = nights.run("backfill", nights.place / "night2.csv", "--provider", "v", "--interval", "1m",
                     "--json")  # fmt: skip
    assert ran.json()["files"][0]["state"] == "loaded"
    assert first


def test_folded_loads(nights: Nights) -> None:
    run = nights.load({f"14:{n}": ("AAPL", float(n)) for n in range(30, 40)}, "--commit-every", "2")
    assert fetch(nights.url, "SELECT count(*), sum(inserted) FROM bars_loads") == [(5, 10)]
    nights.run("prune", "--loads-days", "0", "--yes")
    assert fetch(nights.url, "SELECT count(*), sum(inserted), sum(folded) FROM bars_loads") == [
        (1, 10, 4)
    ]
    assert len(nights.closes("bars_ohlcv_as_of(now())")) == 10
    refused = nights.run("rollback", str(run), "--yes", code=2)
    assert "prune has folded loads" in refused.err


def test_what_prune_removed_cannot_be_undone(nights: Nights) -> None:
    """The bars that the run changed have no former values any more: they must not be deleted."""
    nights.load(GOOD)
    bad = nights.load(BAD)
    nights.run("prune", "--revisions-days", "0", "--yes")
    refused = nights.run("rollback", str(bad), "--yes", code=2)
    assert "the old values of 1 bars are gone" in refused.err
    assert nights.closes() == BAD
    fresh = nights.load({"15:00": ("AAPL", 190.0)})
    assert nights.run("rollback", str(fresh), "--yes", "--json").json()["rows_deleted"] == 1
    assert nights.closes() == BAD
