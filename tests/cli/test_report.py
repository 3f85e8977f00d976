from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType

import pytest

from loader.cli.views.table import Column, details, print_json, table
from loader.text import bytes_, counted, duration, number, span, utc

NOON = datetime(2024, 3, 1, 12, 0, 5, 999_999, tzinfo=UTC)
DAY = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, "-"),
        (0, "0 ms"),
        (999, "999 ms"),
        (999.6, "1.0 s"),
        (12_345, "12.3 s"),
        (59_949, "59.9 s"),
        (59_950, "1m 00s"),
        (245_000, "4m 05s"),
        (3_599_600, "1h 00m"),
        (7_620_000, "2h 07m"),
        (86_400_000, "1d 00h"),
        (273_600_000, "3d 04h"),
    ],
)
def test_duration(ms: float | None, shown: str) -> None:
    assert duration(ms) == shown


@pytest.mark.parametrize(
    ("n", "shown"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (999_960, "1.0 MB"),
     (23_400_000, "23.4 MB"), (5 * 10**9, "5.0 GB"), (7 * 10**15, "7000.0 TB")],
)  # fmt: skip
def test_bytes(n: int | None, shown: str) -> None:
    assert bytes_(n) == shown


def test_numbers_and_times() -> None:
    assert number(1_234_567) == "1,234,567"
    assert number(None) == "-"
    assert counted(1, "run") == "1 run"
    assert counted(2000, "run") == "2,000 runs"
    assert utc(NOON.astimezone(timezone(timedelta(hours=-5)))) == "2024-03-01 12:00:05Z"
    assert utc(NOON, seconds=False) == "2024-03-01 12:00Z"
    assert utc(None) == "-"


def test_span() -> None:
    assert span(DAY, datetime(2024, 5, 31, tzinfo=UTC)) == "2024-03-01 to 2024-05-31"
    assert span(DAY, NOON.replace(second=0)) == "2024-03-01 00:00 to 2024-03-01 12:00"
    assert span(DAY, NOON) == "2024-03-01 00:00:00 to 2024-03-01 12:00:05"
    assert span(None, NOON) == "-"


@dataclass(frozen=True, slots=True)
class Record:
    at: datetime
    rules: MappingProxyType[str, int]


def test_json_of_everything_that_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    record = Record(NOON.astimezone(timezone(timedelta(hours=2))), MappingProxyType({"null_ts": 2}))
    print_json({"r": [record], "d": date(2024, 3, 1), "n": Decimal("0.10"), "s": {"b", "a"}})
    out = capsys.readouterr().out
    assert json.loads(out) == {
        "r": [{"at": "2024-03-01T12:00:05.999999Z", "rules": {"null_ts": 2}}],
        "d": "2024-03-01",
        "n": "0.10",
        "s": ["a", "b"],
    }
    with pytest.raises(TypeError, match="object has no JSON form"):
        print_json(object())


COLUMNS = [
    Column("name"),
    Column("state", "status"),
    Column("rows", "number"),
    Column("bytes", "number", spare=1),
    Column("first", "time", spare=2),
]
ROWS = [
    ["a name of [bold]many[/bold] words that has to be wrapped", "loaded", 1_234_567, 12, DAY],
    ["b", "failed", None, 3, None],
]


def terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich takes any stream for a terminal then
    monkeypatch.setenv("TERM", "xterm")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_pipe_gets_every_column_on_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    table("Files", COLUMNS, ROWS)
    title, head, _, first, second = (line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert title == "Files"
    assert head.split() == ["name", "state", "rows", "bytes", "first"]
    assert first == (
        "a name of [bold]many[/bold] words that has to be wrapped  loaded  1,234,567     12  "
        "2024-03-01 00:00:00Z"
    )
    assert second.split() == ["b", "failed", "-", "3", "-"]


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (120, ["name", "state", "rows", "bytes", "first"]),
        (60, ["name", "state", "rows", "bytes"]),
        (45, ["name", "state", "rows"]),
    ],
)
def test_a_narrow_terminal_loses_spare_columns(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    heads: list[str],
) -> None:
    terminal(monkeypatch, width)
    table(None, COLUMNS, ROWS)
    lines = plain(capsys.readouterr().out).splitlines()
    assert lines[0].split() == heads
    assert all(len(line) <= width for line in lines)


def test_no_number_is_ever_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal(monkeypatch, 32)
    table(None, COLUMNS, ROWS)
    assert "1,234,567" in capsys.readouterr().out
    terminal(monkeypatch, 20)
    table(None, COLUMNS, ROWS)
    said = " ".join(plain(capsys.readouterr().out).split())
    assert said.endswith("no room for: rows, bytes, first")


def test_details_leave_out_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    details("Run 7", {"error": None, "mode": "live", "provider": "[red]x"})
    assert capsys.readouterr().out == "Run 7\n  mode      live\n  provider  [red]x\n"
