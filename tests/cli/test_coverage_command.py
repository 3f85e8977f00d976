"""`mdload coverage` and `mdload gaps` in terminals, in pipes and for programs."""

from __future__ import annotations

import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Ran, environment

Mdload = Callable[..., Ran]


@pytest.fixture
def stored(database_url: str) -> str:
    """URL of a store with days of two symbols; AAPL misses two in March, SPY begins in June."""
    with psycopg.connect(database_url) as connection:
        for symbol, first in (("AAPL", "2024-01-02"), ("SPY", "2024-06-03")):
            connection.execute(
                'INSERT INTO bars_ohlcv (provider, symbol, "interval", ts, open, high, low, close)'
                " SELECT 'polygon', %s, '1d', day, 1, 1, 1, 1"
                "   FROM generate_series(%s::timestamptz, '2024-12-31Z', '1 day') day"
                "  WHERE extract(isodow FROM day AT TIME ZONE 'UTC') < 6",
                [symbol, first + "Z"],
            )
        connection.execute(
            "DELETE FROM bars_ohlcv WHERE symbol = 'AAPL' AND ts IN ('2024-03-13Z', '2024-03-14Z')"
        )
        connection.execute(
            "DELETE FROM bars_ohlcv"
            " WHERE symbol = 'AAPL' AND ts BETWEEN '2024-08-01Z' AND '2024-09-30Z'"
        )
    return database_url


def seen(url: str, home: Path, width: int, *args: str, **env: str) -> str:
    """What a terminal of that width shows, with its escape sequences."""
    controller, terminal = pty.openpty()
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    known = environment(home, {"TERM": "xterm-256color", **env})
    known = {k: v for k, v in known.items() if k != "COLUMNS" and v}
    process = subprocess.Popen(
        [sys.executable, "-m", "loader", "--database", url, *args],
        env=known, stdin=terminal, stdout=terminal, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # the other end was closed
        while piece := os.read(controller, 4096):
            shown += piece
    os.close(controller)
    process.communicate(timeout=60)
    return shown.decode().replace("\r", "")


def test_a_strip_for_each_series(mdload: Mdload, stored: str) -> None:
    ran = mdload("--database", stored, "coverage")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].split()[-2:] == ["2024-01-02", "2025-01-01"]
    aapl, spy = (line.partition("  2024-12-31  ")[2].strip().partition("  ") for line in lines[2:4])
    assert (aapl[0], spy[0]) == ("216", "152")
    assert re.fullmatch(r"[█▓]{27,28}[░▒▓]?·{7,8}[░▒▓]?[█▓]{12}", aapl[2])
    assert re.fullmatch(r" {19,21}[█▓]{27,28}", spy[2].rjust(48))
    assert lines[-1] == "2 series, 368 bars"


def test_json_has_the_cells_as_shares(forked: Mdload, stored: str) -> None:
    series = forked("--database", stored, "coverage", "--symbol", "SPY", "--json").json()
    strip = series[0].pop("strip")
    assert series == [
        {"provider": "polygon", "symbol": "SPY", "interval": "1d", "bars": 152, "exact": True,
         "first": "2024-06-03T00:00:00Z", "last": "2024-12-31T00:00:00Z"}
    ]  # fmt: skip
    assert (strip["from"], len(strip["filled"])) == ("2024-06-03T00:00:00Z", 48)
    assert all(0 < share <= 1 for share in strip["filled"])


@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 40])
def test_it_fits_the_terminal(stored: str, home: Path, width: int) -> None:
    shown = seen(stored, home, width, "coverage")
    lines = re.sub(r"\x1b\[[\d;]*m", "", shown).splitlines()
    assert "\x1b[31m" not in shown  # NO_COLOR
    if width >= 60:  # where it is narrower, the strip gives way
        assert all("·" in line for line in lines if "AAPL" in line)
        assert max(map(len, lines)) <= width


def test_colours_mark_only_what_is_not_full(stored: str, home: Path) -> None:
    shown = seen(stored, home, 120, "coverage", NO_COLOR="")
    (aapl,) = (line for line in shown.splitlines() if "AAPL" in line)
    assert re.search(r"█+(\x1b\[33m[▒░]+\x1b\[0m)?\x1b\[31m·+\x1b\[0m", aapl)


def test_where_letters_must_be_plain(mdload: Mdload, stored: str) -> None:
    ran = mdload("--database", stored, "coverage", env={"PYTHONIOENCODING": "ascii"})
    (aapl,) = (line for line in ran.out.splitlines() if "AAPL" in line)
    assert re.search(r"\|[#%]{27,28}[-=%]?\.{7,8}[-=%]?[#%]{12}$", aapl)


def test_nothing_stored(forked: Mdload, stored: str, empty_url: str) -> None:
    assert forked("--database", empty_url, "migrate").code == 0
    ran = forked("--database", empty_url, "coverage")
    assert (ran.code, ran.out) == (0, "no bars are stored\n")
    assert ran.err == "hint: load some: mdload backfill FILE --provider NAME\n"
    ran = forked("--database", empty_url, "coverage", "--json")
    assert (ran.code, ran.json(), ran.err) == (0, [], "")
    for url in (empty_url, stored):
        ran = forked("--database", url, "coverage", "--symbol", "X")
        assert (ran.code, ran.out) == (2, "")
        assert "no bars of X are stored\nhint: see what there" in ran.err
    ran = forked("--database", stored, "coverage", "--since", "2030-01-01")
    assert (ran.code, ran.out) == (0, "no bars in that time\n")


def test_gaps_since_a_day_after_the_last_bar(forked: Mdload, stored: str) -> None:
    """AAPL and the others end in 2024: all sessions of the last days are missing."""
    check = (
        "--database",
        stored,
        "gaps",
        "--calendar",
        "24/7",
        "--since",
        "7d",
        "--interval",
        "1d",
    )
    ran = forked(*check, "--json")
    assert ran.code == 6, ran.err
    found = ran.json()
    assert {series["stored"] for series in found["series"]} == {0}
    assert {series["missing"] for series in found["series"]} == {7}  # the day of today goes on
    assert "bars missing in" in ran.err
    early = forked("--database", stored, "gaps", "--calendar", "24/7", "--until", "1999-01-01")
    assert (early.code, "0 bars expected" in early.out) == (0, True), early.err


def test_gaps_end_with_six_until_they_are_waived(forked: Mdload, stored: str) -> None:
    check = ("--database", stored, "gaps", "--calendar", "XNYS", "--symbol", "aapl")
    ran = forked(*check)
    assert ran.code == 6
    rows = [line.split() for line in ran.out.splitlines()[2:4]]
    assert rows == [
        ["polygon", "AAPL", "1d", "2024-03-13", "2024-03-14", "2", "2"],
        ["polygon", "AAPL", "1d", "2024-08-01", "2024-09-30", "42", "42"],
    ]
    assert ran.out.endswith("XNYS: 1 series, 252 bars expected, 208 stored, 44 missing\n")
    assert ran.err.startswith("error: 44 bars missing in 1 of 1 series\nhint: load them, or waive")

    waived = forked(*check, "--waive", "AAPL:2024-08-01:2024-09-30", "--reason", "not bought")
    assert waived.code == 6
    assert waived.out.endswith("208 stored, 42 waived, 2 missing\n")
    both = ("--waive", "aapl:2024-03-13T00:00:2024-03-14T00:00", "--reason", "lost")
    done = forked(*check, *both)
    assert (done.code, done.err) == (0, "")
    assert done.out == "XNYS: 1 series, 252 bars expected, 208 stored, 44 waived, none missing\n"

    kept = forked("--database", stored, "gaps", "--waivers", "--json").json()
    assert [(w["id"], w["first"], w["last"], w["reason"], w["interval"]) for w in kept] == [
        (1, "2024-08-01", "2024-09-30", "not bought", None),
        (2, "2024-03-13T00:00:00Z", "2024-03-14T00:00:00Z", "lost", None),
    ]
    left = forked("--database", stored, "gaps", "--withdraw", "1")
    assert left.code == 0
    assert "lost" in left.out
    assert "not bought" not in left.out
    assert forked(*check).code == 6


def test_gaps_for_programs(forked: Mdload, stored: str) -> None:
    ran = forked(
        "--database", stored, "gaps", "--calendar", "XNYS", "--since", "2024-05-30",
        "--until", "2024-06-04", "--symbol", "SPY", "--json",
    )  # fmt: skip
    assert ran.code == 6
    day = {"provider": "polygon", "symbol": "SPY", "interval": "1d"}
    assert ran.json() == {
        "calendar": "XNYS", "missing": 2, "waived": 0, "not_checked": [],
        "series": [
            {**day, "first": "2024-05-30T00:00:00Z", "last": "2024-06-04T00:00:00Z", "expected": 4,
             "stored": 2, "waived": 0, "missing": 2, "outside": 0, "counted_from": "open"}
        ],
        "gaps": [
            {**day, "first": "2024-05-30T00:00:00Z", "last": "2024-05-31T00:00:00Z", "bars": 2,
             "sessions": 2, "first_session": "2024-05-30", "last_session": "2024-05-31"}
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ("", 2, "name the exchange's calendar"),
        ("--calendar NYSEE", 2, "there is no exchange calendar 'NYSEE'"),
        (
            "--calendar XNYS --waive AAPL:2024-01-02:2024-01-02",
            2,
            "--waive and --reason go together",
        ),
        ("--calendar XNYS --reason x", 2, "--waive and --reason go together"),
        ("--calendar XNYS --reason x --waive AAPL:2024-01-02", 2, "is not SYMBOL:FROM:TO"),
        ("--calendar XNYS --reason x --waive A:2024-01-03:2024-01-02", 2, "ends before it begins"),
        ("--calendar XNYS --reason x --waive A:2024-02-30:2024-03-01", 2, "has an invalid date"),
        ("--calendar XNYS --reason x --waive A:2024-01-02:2024-01-03T10:00", 2, "mixes a session"),
        ("--calendar XNYS --symbol NOPE", 6, "no bars of NOPE are stored"),
        ("--withdraw 7", 2, "there is no waiver 7"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    forked: Mdload, stored: str, args: str, code: int, message: str
) -> None:
    ran = forked("--database", stored, "gaps", *args.split())
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert forked("--database", stored, "gaps", "--waivers", "--json").json() == []


def test_a_wrong_calendar_is_suspected(forked: Mdload, stored: str) -> None:
    with psycopg.connect(stored) as connection:
        connection.execute(
            'INSERT INTO bars_ohlcv (provider, symbol, "interval", ts, open, high, low, close)'
            " SELECT 'p', 'X', '1m', day + make_interval(mins => n), 1, 1, 1, 1"
            "   FROM generate_series('2024-07-08T13:30Z'::timestamptz, '2024-07-12Z', '1 day') day"
            "  CROSS JOIN generate_series(0, 389) n"
        )
    ran = forked("--database", stored, "gaps", "--calendar", "XHKG", "--symbol", "X")
    assert ran.code == 6
    assert "more bars lie outside of the calendar's sessions than within: X 1m" in ran.err


@pytest.mark.parametrize(
    "command",
    ["coverage", "gaps --calendar XNYS", "export --to b.csv", "verify --rollup"],
)
@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("--since 2024-03-02 --until 2024-03-01", "--since 2024-03-02 is after --until 2024-03-01"),
        ("--until 2024-03-01 --since 2024-03-01T00:00Z", None),
        ("--symbol ''", "a symbol is not empty"),
    ],
)
def test_bounds_in_the_wrong_order(
    forked: Mdload, command: str, args: str, message: str | None
) -> None:
    nobody = "postgresql://127.0.0.1:1/nobody"
    ran = forked("--database", nobody, *command.split(), *shlex.split(args))
    assert ran.code == (2 if message else 5)
    assert (message or "127.0.0.1") in ran.err
