"""What a load says on a terminal of sixty columns, and of many files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from loader.cli.views.paths import shortened
from tests.conftest import ROOT, Ran
from tests.support.terminal import on_terminal

DAYS = "Date,Open,High,Low,Close,Extra\n" + "".join(
    f"2024-02-{day:02},10,11,9,10.5,x\n" for day in range(1, 9)
)
ODD = "2024-02-09,10,9,9.5,10.5,x\n"  # below its own open and close: three rules


def test_a_load_fits_sixty_columns(home: Path, database_url: str, tmp_path: Path) -> None:
    place = tmp_path / "a folder with a long name" / "of a vendor"
    place.mkdir(parents=True)
    path = shutil.copy(ROOT / "examples" / "bars.parquet", place / "bars.parquet")
    db = ("--database", database_url)
    first = on_terminal(home, tmp_path, *db, "backfill", path, columns=60)
    assert first.code == 0, first.text
    assert max(map(len, first.end)) <= 60, first.end
    said = " ".join(" ".join(first.end).split())
    assert "stored in bars_ohlcv, database t_" in said
    assert "under provider demo, interval 1m span 2024-03-04 14:30 to" in said
    assert "rejected 5 rows, some of which break several rules: open_outside_range 2," in said
    assert "volume_negative 1" in said
    table = [line for line in first.end if ".parquet" in line]
    assert [line.split()[1:3] for line in table] == [["loaded", "3,903"]]
    assert "…" in table[0]

    again = on_terminal(home, tmp_path, *db, "backfill", path, columns=60)
    assert "nothing new: loaded already by run 1" in again.text.replace("\n", " ")
    assert not any("span" in line or "symbols" in line for line in again.end)

    for command in (("job-runs", "inspect", "1"), ("rejects", "list"), ("rejects", "show", "1"),
                    ("coverage",), ("job-runs", "list")):  # fmt: skip
        shown = on_terminal(home, tmp_path, *db, *command, columns=60)
        rule = next(n for n, line in enumerate(shown.lines) if "───" in line)
        rows = [line for line in shown.lines[rule:] if "  " in line.strip() and ": " not in line]
        assert rows
        assert max(map(len, rows)) <= 60, rows


def test_paths_and_urls_fit_sixty_columns(home: Path, database_url: str, tmp_path: Path) -> None:
    for command, said in (
        (("--database", database_url, "doctor"), "(--database)"),
        (("db", "status"), "database in use"),
        (("--database", database_url, "db", "status"), "PostgreSQL       18."),
        (("inspect", ROOT / "examples" / "bars.parquet"), "volume_negative 1"),
        (("providers", "list"), "cryptodatadownload  "),
    ):
        shown = on_terminal(home, tmp_path, *command, columns=60)
        assert said in shown.text
        assert max(len(line.rstrip()) for line in shown.lines) <= 60, shown.text
    page = on_terminal(home, tmp_path, "providers", "show", "bitstamp", columns=60).lines
    broken = [line for line in page if not line.startswith("  name")]  # a pattern has no blanks
    assert max(map(len, broken)) <= 60, page
    indented = [line for line in page if line.startswith(" " * 13)]
    assert indented  # wrapped beside its label


def test_many_files_share_lines(forked: Callable[..., Ran], database_url: str, tmp_path: Path
                                ) -> None:  # fmt: skip
    for n in range(24):
        (tmp_path / f"S{n:02}.csv").write_text(DAYS + (ODD if n == 5 else ""))
    (tmp_path / "S24.csv").write_text("nothing\n")
    load = ("backfill", "S*.csv", "--provider", "p", "--name", "{symbol}.csv", "--max-rejects", "1")
    ran = forked("--database", database_url, *load)
    assert ran.code == 3
    rows = [line.split() for line in ran.out.splitlines() if "loaded" in line or "failed" in line]
    assert [(row[0], *row[-9:]) for row in rows] == [
        ("23", "files", "loaded", "184", "184", "0", "0", "0", "0", "0"),
        ("S05.csv", "S05.csv", "loaded", "9", "8", "0", "0", "0", "0", "1"),
        ("S24.csv", "S24.csv", "failed", "0", "0", "0", "0", "0", "0", "0"),
    ]
    notes = [line for line in ran.err.splitlines() if "'Extra' left out" in line]
    assert notes == [
        "S00.csv: 'Extra' left out: a bar has no field for it",
        "23 other files likewise: 'Extra' left out: a bar has no field for it",
    ]
    assert "no volume" not in ran.err
    assert ": 0" not in ran.err
    told = forked("--database", database_url, "-v", *load, "--force").err
    assert sum("'Extra' left out" in line for line in told.splitlines()) == 24


def test_rows_left_out_are_noted_with_their_number_or_not_at_all(
    forked: Callable[..., Ran], database_url: str, tmp_path: Path
) -> None:
    head = "Date,Open,High,Low,Close,Adj Close,Volume\n"
    rows = "".join(f"2024-02-{day:02},10,11,9,10.5,10.5,100\n" for day in range(1, 9))
    (tmp_path / "whole.csv").write_text(head + rows)
    (tmp_path / "holes.csv").write_text(head + rows + "2024-02-09,null,null,null,null,null,null\n")
    how = ("--provider", "yahoo", "--symbol", "SPY")
    for name, noted in (("whole.csv", []), ("holes.csv", ["1 row left out and counted as skipped: "
                        "days without prices (the word null)"])):  # fmt: skip
        ran = forked("--database", database_url, "backfill", name, *how, "--json").json()
        assert [n for n in ran["files"][0]["notes"] if "skipped" in n] == noted


@pytest.mark.parametrize(
    ("paths", "room", "shown"),
    [
        (["examples/bars.parquet"], 21, ["examples/bars.parquet"]),
        (["examples/bars.parquet"], 14, ["exam…s.parquet"]),
        (
            ["/data/2024/01/bars.csv", "/data/2024/02/bars.csv", "all files"],
            16,
            ["/da…/01/bars.csv", "/da…/02/bars.csv", "all files"],
        ),
        (
            ["dumps/AAPL_1m_2024-01-01.csv", "dumps/MSFT_1m_2024-01-01.csv"],
            14,
            ["…/AA…01-01.csv", "…/MS…01-01.csv"],
        ),
        # nothing short tells these apart
        (["a" * 30 + "1" + "b" * 30, "a" * 30 + "2" + "b" * 30], 12, None),
    ],
)
def test_paths_are_shortened_in_their_middle(
    paths: list[str], room: int, shown: list[str] | None
) -> None:
    assert shortened(paths, room) == (shown or paths)
