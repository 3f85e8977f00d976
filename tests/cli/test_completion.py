"""What the shell's completion offers for values, through the real executable."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.support.silent import deaf

Mdload = Callable[..., Ran]


def offered(forked: Mdload, words: str, **env: str) -> list[str]:
    ran = forked(
        env={"_MDLOAD_COMPLETE": "bash_complete", "COMP_WORDS": words,
             "COMP_CWORD": str(len(words.split(" ")) - 1), **env}
    )  # fmt: skip
    assert ran.err == ""
    return [line.removeprefix("plain,") for line in ran.out.splitlines() if line]


def at_last(forked: Mdload, words: str, **env: str) -> list[str]:
    """What is offered by a server that answers in time, which it need not on a busy machine."""
    for _ in range(8):
        if found := offered(forked, words, **env):
            return found
    return []


def test_formats_conventions_calendars_and_jobs(forked: Mdload, tmp_path: Path) -> None:
    (tmp_path / "mdload.toml").write_text(
        '[jobs.nightly]\nsource = "x.csv"\n[jobs.noon]\nsource = "x.csv"\n[jobs.eod]\n'
        'source = "x.csv"\n[dialects.polly]\nprovider = "p"\n'
    )
    assert offered(forked, "mdload backfill x.csv --dialect pol") == ["polly", "polygon"]
    assert offered(forked, "mdload inspect x.csv --symbol-convention c")[:2] == ["cms", "cqs"]
    assert offered(forked, "mdload gaps --calendar XNY") == ["XNYS"]
    assert offered(forked, "mdload run n") == ["nightly", "noon"]
    assert offered(forked, "mdload config show e") == ["eod"]
    assert "yahoo" in offered(forked, "mdload backfill x.csv --provider ya")


def test_stored_names_of_the_database_in_use(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        "ts,symbol,open,high,low,close\n"
        + "".join(f"2024-01-02,{symbol},1,2,1,2\n" for symbol in ("SPY", "SPX", "QQQ"))
    )
    db = f"--database {database_url}"
    load = ("backfill", "a.csv", "--provider", "mine", "--interval", "1d")
    assert forked("--database", database_url, *load).code == 0
    assert at_last(forked, "mdload coverage --symbol sp", MDLOAD_DATABASE_URL=database_url) == [
        "SPX", "SPY"
    ]  # fmt: skip
    assert at_last(forked, f"mdload {db} export --provider m") == ["mine"]
    assert at_last(forked, f"mdload gaps {db} --interval 1") == ["1d"]


@pytest.mark.parametrize("where", ["nothing", "away", "silent"])
def test_no_server_costs_no_time_and_no_word(mdload: Mdload, home: Path, where: str) -> None:
    with deaf() as port:
        url = {
            "nothing": "",
            "away": "postgresql://me@127.0.0.1:1/x",
            "silent": f"postgresql://me@127.0.0.1:{port}/x",
        }[where]
        began = time.monotonic()
        env = {"MDLOAD_DATABASE_URL": url} if url else {}
        assert offered(mdload, "mdload coverage --symbol S", **env) == []
        assert time.monotonic() - began < 30  # the driver itself would wait longer for the silent
    assert not list(home.glob("pg*"))
