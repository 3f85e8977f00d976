"""The command's manners: help, errors, terminals, pipes, completion."""

from __future__ import annotations

import gzip
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import polars as pl
import psycopg
import pytest

from tests.conftest import Ran
from tests.support.terminal import on_terminal

Mdload = Callable[..., Ran]


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """300 one-minute bars of AAA, with an offset, in `good.csv`; and files without bars."""
    rows = [f"2024-03-04T{9 + n // 60:02}:{n % 60:02}:00Z,AAA,10,11,9,10,5" for n in range(300)]
    text = "\n".join(["ts,symbol,open,high,low,close,volume", *rows]) + "\n"
    (tmp_path / "good.csv").write_text(text)
    (tmp_path / "local.csv").write_text(text.replace("Z,", ","))
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "empty folder").mkdir()
    (tmp_path / "page.csv").write_text("<!DOCTYPE html>\n<html><body>404</body></html>\n")
    (tmp_path / "paper.csv").write_bytes(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(text.encode())[:400])
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" + bytes(100))
    return tmp_path


@pytest.mark.parametrize(
    ("args", "code", "message", "hint"),
    [
        ("nowhere.csv", 3, "nowhere.csv does not exist", "relative paths start in"),
        ("*.xyz", 3, "nothing matches *.xyz", "quote it"),
        ("'empty folder'", 3, "the folder empty folder holds no file", "it looks for"),
        ("https://127.0.0.1:1/a.csv", 3, "cannot be reached", "check the endpoint"),
        ("paper.csv", 3, "paper.csv is not a table: it looks like a PDF", "mdload reads"),
        ("page.csv", 3, "page.csv is not a table: it looks like a web page", "ask the provider"),
        ("cut.csv.gz", 3, "cut.csv.gz ends in the middle", "get it again"),
        ("cut.parquet", 3, "cut.parquet is damaged or cut short", "get the file again"),
        ("local.csv", 3, "the times in column 'ts' are local", "--timezone"),
        ("good.csv --column close=Closs", 3, "no column 'Closs'", "did you mean 'close'"),
        ("good.csv --dialect canonicl", 3, "no dialect 'canonicl'", "did you mean canonical"),
        ("good.csv --interval 1d", 3, "the spacing of the bars is 1m", "--interval 1m"),
        ("good.csv --column clos=close", 2, "a bar has no field 'clos'", "did you mean close"),
        ("local.csv --timezone America/NewYork", 2, "'America/NewYork' is not a time zone",
         "America/New_York"),
        ("good.csv --interval 7m", 2, "--interval '7m' is not an interval", "5m"),
        ("good.csv --time-format yyyy", 2, "'yyyy' is not a strptime format", "%d.%m.%Y"),
        ("good.csv --max-rejects few", 2,
         "--max-rejects must be a number of rows, or a share such as 0.5%, not 'few'", None),
        ("good.csv --max-rejects 101%", 2, "'101%' is neither a number", "0.5%"),
        ("good.csv --symbol ' '", 2, "--symbol is blank", "AAPL"),
        ("good.csv --column close", 2, "'close' is not FIELD=NAME", None),
        ("good.csv --workers 0", 2, "0 is not in the range", None),
        ("good.csv --intervall 1m", 2, "Did you mean '--interval'?", None),
        ("", 2, "Missing argument 'SOURCE...'", None),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_one_sentence_and_the_next_step(
    forked: Mdload, database_url: str, bars: Path,
    args: str, code: int, message: str, hint: str | None,
) -> None:  # fmt: skip
    ran = forked("--database", database_url, "backfill", "--provider", "p", *shlex.split(args))
    assert ran.code == code
    errors = [line for line in ran.err.splitlines() if line.lower().startswith("error:")]
    assert len(errors) == 1
    assert message in errors[0]
    hints = [line for line in ran.err.splitlines() if line.startswith("hint:")]
    assert (len(hints) == 1 and hint in hints[0]) if hint else not hints
    assert "Traceback" not in ran.err
    with psycopg.connect(database_url) as connection:
        told = connection.execute("SELECT count(*) FROM job_runs").fetchone()
    # A wrong option fails before anything is recorded; a wrong file gets its ledger row.
    assert told == (1 if ran.out else 0,)
    assert bool(ran.out) is (code == 3 and "mdload job-runs inspect 1" in ran.out)


@pytest.mark.parametrize("command", ["backfil good.csv", "job-runs lst", "dbs"])
def test_a_command_that_is_nearly_one(forked: Mdload, command: str) -> None:
    ran = forked(*command.split())
    assert ran.code == 2
    assert "Did you mean" in ran.err


def test_errors_that_are_alike_are_told_once(forked: Mdload, database_url: str, bars: Path) -> None:
    for n in range(5):
        (bars / f"local-{n}.csv").write_text((bars / "local.csv").read_text() + "\n" * n)
    ran = forked("--database", database_url, "backfill", "local*.csv", "--provider", "p")
    assert ran.code == 3
    assert ran.err.count("error:") == 1
    assert "local-0.csv: the times in column 'ts' are local" in ran.err
    assert "(and 5 other files likewise)" in ran.err


@pytest.mark.parametrize(
    ("url", "message", "hint"),
    [
        ("postgresql://me:secret@127.0.0.1:1/x", "port 1 failed", "that the server is up"),
        ("postgresql://me:secret@nowhere.invalid/x", "nowhere.invalid", "mdload db url"),
        ("{place}/nothing_here", 'database "nothing_here" does not exist', "createdb"),
        ("{ghost}", 'role "ghost" does not exist', "user name"),
    ],
)
def test_a_database_that_cannot_be_used(
    forked: Mdload, database_url: str, bars: Path, url: str, message: str, hint: str
) -> None:
    place, _, rest = database_url.partition("?")
    url = url.format(
        place=place.rpartition("/")[0], ghost=database_url.replace("postgres@", "ghost@", 1)
    ) + (f"?{rest}" if "{place}" in url else "")
    ran = forked("--database", url, "backfill", "good.csv", "--provider", "p")
    assert ran.code == 5
    assert message in ran.err
    assert hint in ran.err
    assert "secret" not in ran.err + ran.out
    assert "Traceback" not in ran.err


def test_a_role_that_may_only_read(forked: Mdload, database_url: str, bars: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE looker LOGIN")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker")
        try:
            url = database_url.replace("postgres@", "looker@", 1)
            ran = forked("--database", url, "backfill", "good.csv", "--provider", "p")
            assert (ran.code, ran.out) == (5, "")
            assert "permission denied for table job_runs" in ran.err
            assert "docs/roles.sql" in ran.err
            dry = forked("--database", url, "backfill", "good.csv", "--provider", "p", "--dry-run",
                         "--json")  # fmt: skip
            assert (dry.code, dry.json()["rows_inserted"]) == (0, 300)
        finally:
            connection.execute("DROP OWNED BY looker")
            connection.execute("DROP ROLE looker")


def test_quiet_says_nothing_but_errors(forked: Mdload, database_url: str, bars: Path) -> None:
    ran = forked("--database", database_url, "-q", "backfill", "good.csv", "--provider", "p")
    assert (ran.code, ran.err) == (0, "")
    ran = forked("--database", database_url, "-q", "backfill", "local.csv", "--provider", "p")
    assert ran.err.startswith("error: ")


def test_inspect_gives_one_object(mdload: Mdload, bars: Path) -> None:
    one = mdload("inspect", "good.csv", "--provider", "p", "--json").json()
    assert (one["interval"], one["rows"], one["whole_file"], one["error"]) == (
        "1m",
        300,
        True,
        None,
    )
    assert one["bars"][0]["ts"] == "2024-03-04T09:00:00Z"
    ran = mdload("inspect", "*.csv", "--provider", "p", "--json")
    assert ran.code == 3
    looks = {look["path"]: look for look in ran.json()["files"]}
    assert looks["good.csv"]["symbols"] == ["AAA"]
    assert (looks["local.csv"]["rows"], looks["local.csv"]["whole_file"]) == (None, False)
    assert "time zone" in looks["local.csv"]["error"]


def test_inspect_of_a_file_that_would_not_load(forked: Mdload, bars: Path) -> None:
    ran = forked("inspect", "local.csv", "--provider", "p")
    assert ran.code == 3
    assert "found  ts, symbol, open, high, low, close, volume" in ran.out
    assert "rejected" not in ran.out  # an unknown one
    assert "--timezone" in ran.err


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal(home: Path, database_url: str, bars: Path, width: int) -> None:
    (bars / "more.csv").write_text((bars / "good.csv").read_text().replace("AAA", "BBB"))
    db = ("--database", database_url)
    load = on_terminal(home, bars, *db, "backfill", "good.csv", "more.csv", "--provider", "p",
                       columns=width)  # fmt: skip
    assert "\x1b[?25l" in load.raw  # the cursor is hidden while the bar moves
    tables = [load.end]
    for command in (("inspect", "good.csv", "--provider", "p"), ("job-runs", "list"),
                    ("job-runs", "inspect", "1")):  # fmt: skip
        tables.append(on_terminal(home, bars, *db, *command, columns=width).lines)
    for shown in tables:
        rows = [line for line in shown if "─" in line or re.match(r"(file|run|provider) ", line)]
        assert rows
        assert max(map(len, rows)) <= width
    words = " ".join(tables[0]).split()
    for count in ("read", "inserted", "updated", "unchanged", "duplicate", "skipped", "rejected"):
        assert count in words or f"{count}:" in words or f"{count}," in words


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color(home: Path, bars: Path, env: dict[str, str], coloured: bool) -> None:
    shown = on_terminal(home, bars, "inspect", "local.csv", "--provider", "p", env=env)
    assert ("\x1b[31m" in shown.raw) is coloured


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("mdload ba", "backfill"),
        ("mdload job-runs st", "stuck"),
        ("mdload backfill --time", "--timezone"),
        ("mdload job-runs list --status fa", "failure"),
        ("mdload backfill go", "file,go"),  # the shell's own completion of paths
    ],
)
def test_bash_completion(mdload: Mdload, words: str, offered: str) -> None:
    script = mdload(env={"_MDLOAD_COMPLETE": "bash_source"})
    assert "complete -o nosort -F _mdload_completion mdload" in script.out
    ran = mdload(
        env={"_MDLOAD_COMPLETE": "bash_complete", "COMP_WORDS": words,
             "COMP_CWORD": str(len(words.split()) - 1)}
    )  # fmt: skip
    assert offered in ran.out.replace("plain,", "").splitlines()


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "none.arrow"])
def test_a_file_without_rows_is_said_to_have_none(
    forked: Mdload, database_url: str, tmp_path: Path, name: str
) -> None:
    frame = pl.DataFrame({"ts": [], "open": [], "high": [], "low": [], "close": []})
    write = {"csv": frame.write_csv, "parquet": frame.write_parquet, "arrow": frame.write_ipc}
    write[name.rpartition(".")[2]](tmp_path / name)
    ran = forked("--database", database_url, "backfill", name, "--provider", "p")
    assert ran.code == 0
    assert "the file has no rows" in ran.err
