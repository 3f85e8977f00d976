"""When a file that was loaded before is loaded again, and when archived dumps were known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Ran
from tests.support.nights import BAD, GOOD, Nights, csv
from tests.support.sql import fetch

CASE = ROOT.parent / "shared" / "cases" / "94-vendor-reverts-correction"


@pytest.fixture
def nights(forked: Callable[..., Ran], database_url: str, tmp_path: Path) -> Nights:
    return Nights(forked, database_url, tmp_path)


def state(nights: Nights, path: Path, *args: str) -> str:
    ran = nights.run("backfill", path, "--provider", "v", "--interval", "1m", "--json", *args)
    found: str = ran.json()["files"][0]["state"]
    return found


@pytest.mark.skipif(not CASE.is_dir(), reason="../shared/cases is not here")
def test_a_correction_that_is_taken_back(nights: Nights) -> None:
    for version in ("2024-01-02.csv", "v2/2024-01-02.csv", "v3/2024-01-02.csv"):
        assert state(nights, CASE / version) == "loaded"
    assert fetch(nights.url, "SELECT close FROM bars_ohlcv ORDER BY ts") == [(187.5,), (187.75,)]
    assert state(nights, CASE / "v3" / "2024-01-02.csv") == "known"


def test_another_file_s_changes_elsewhere_leave_it_known(nights: Nights, tmp_path: Path) -> None:
    good = csv(tmp_path / "good.csv", GOOD)
    nights.load({"14:30": ("MSFT", 370.0), "15:00": ("AAPL", 190.0)})
    assert state(nights, good) == "loaded"
    nights.load({"14:30": ("MSFT", 371.0), "15:00": ("AAPL", 191.0)})
    assert state(nights, good) == "known"
    nights.load({"14:31": ("AAPL", 191.0)})
    assert state(nights, good) == "loaded"
    assert nights.closes("bars_ohlcv WHERE symbol = 'AAPL' AND ts < '2024-01-02 15:00Z'") == GOOD


def test_a_file_in_parts_is_loaded_again_from_its_beginning(nights: Nights, tmp_path: Path) -> None:
    good = csv(tmp_path / "good.csv", GOOD)
    assert state(nights, good, "--commit-every", "2") == "loaded"
    nights.load({"14:30": ("AAPL", 1.0)})
    assert state(nights, good, "--commit-every", "2") == "loaded"
    assert nights.closes() == GOOD


def test_another_content_under_the_same_path(nights: Nights, tmp_path: Path) -> None:
    path = csv(tmp_path / "today.csv", GOOD)
    assert state(nights, path) == "loaded"
    csv(path, {"15:00": ("AAPL", 190.0)})
    assert state(nights, path) == "loaded"
    csv(path, GOOD)
    ran = nights.run("backfill", path, "--provider", "v", "--interval", "1m")
    assert "found another content under this path since" in ran.err
    assert state(nights, path) == "known"


def test_a_file_is_loaded_again_after_its_rollback(nights: Nights, tmp_path: Path) -> None:
    run = nights.load(GOOD, path=tmp_path / "a.csv")
    nights.run("rollback", str(run), "--yes")
    assert nights.closes() == {}
    assert state(nights, tmp_path / "a.csv") == "loaded"
    assert nights.closes() == GOOD


@pytest.mark.parametrize("is_job", [False, True], ids=["backfill", "run"])
def test_archived_dumps_answer_as_if_they_had_been_loaded_nightly(
    nights: Nights, tmp_path: Path, is_job: bool
) -> None:
    csv(tmp_path / "old" / "dump-20210307.csv", BAD)
    csv(tmp_path / "old" / "dump-20210305.csv", GOOD)
    nights.run("pin", "empty")
    if is_job:
        toml = tmp_path / "mdload.toml"
        toml.write_text(
            '[jobs.archive]\nsource = "old"\nprovider = "v"\ninterval = "1m"\n'
            'known_at_from = "name:%Y%m%d"\n'
        )
        nights.run("--config", toml, "run", "archive")
    else:
        rule = ("--known-at-from", "name:%Y%m%d")
        nights.run("backfill", tmp_path / "old", "--provider", "v", "--interval", "1m", *rule)
    for moment, bars in (("2021-03-04", {}), ("2021-03-05", GOOD), ("2021-03-06T23:59", GOOD),
                         ("2021-03-07", BAD)):  # fmt: skip
        assert nights.closes(f"bars_ohlcv_as_of('{moment}Z')") == bars
    assert nights.closes("bars_ohlcv_at('empty')") == {}
    late = csv(tmp_path / "dump.csv", {"14:30": ("AAPL", 1.0)})
    refused = nights.run("backfill", late, "--provider", "v", "--interval", "1m",
                         "--known-at", "2021-03-06", code=4)  # fmt: skip
    assert "the store knows more of v AAPL 1m since 2021-03-07" in refused.err
    assert nights.closes() == BAD
    nights.run("backfill", csv(tmp_path / "other.csv", {"14:30": ("MSFT", 1.0)}), "--provider", "v",
               "--interval", "1m", "--known-at", "2021-03-06")  # fmt: skip


@pytest.mark.parametrize("is_job", [False, True], ids=["backfill", "run"])
def test_a_time_of_a_load_of_its_own_is_nearer_than_the_rule_of_all(
    nights: Nights, tmp_path: Path, is_job: bool
) -> None:
    dump = csv(tmp_path / "dump-20210307.csv", GOOD)
    toml = tmp_path / "mdload.toml"
    rule = '[defaults]\nknown_at_from = "name:%Y%m%d"\n'
    if is_job:
        toml.write_text(
            f'{rule}[jobs.archive]\nsource = "{dump.name}"\nprovider = "v"\ninterval = "1m"\n'
            'known_at = "2021-03-01"\n'
        )
        nights.run("--config", toml, "run", "archive")
    else:
        toml.write_text(rule)
        nights.run("--config", toml, "backfill", dump, "--provider", "v", "--interval", "1m",
                   "--known-at", "2021-03-01")  # fmt: skip
    assert nights.closes("bars_ohlcv_as_of('2021-02-28Z')") == {}
    assert nights.closes("bars_ohlcv_as_of('2021-03-01Z')") == GOOD


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--known-at", "2099-01-01"), "--known-at is in the future"),
        (("--known-at-from", "size"), "is not understood"),
        (("--known-at-from", "name:("), "is not understood"),
        (("--known-at-from", "mtime", "--known-at", "2021-01-01"), "exclude each other"),
    ],
)
def test_what_cannot_be_a_date_is_refused(
    nights: Nights, tmp_path: Path, args: tuple[str, ...], said: str
) -> None:
    ran = nights.run("backfill", csv(tmp_path / "a.csv", GOOD), "--provider", "v",
                     "--interval", "1m", *args, code=2)  # fmt: skip
    assert said in ran.err


def test_a_name_without_a_date_is_refused(nights: Nights, tmp_path: Path) -> None:
    ran = nights.run("backfill", csv(tmp_path / "a.csv", GOOD), "--provider", "v",
                     "--interval", "1m", "--known-at-from", r"name:-(\d{8})\.", code=3)  # fmt: skip
    assert "a.csv does not say when it was known" in ran.err
