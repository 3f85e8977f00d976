"""Conventions and symbol maps from the command line to the tables of a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import Ran

Mdload = Callable[..., Ran]


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql.encode()).fetchall()


def daily(path: Path, *bars: tuple[str, str]) -> Path:
    """One daily bar of each (date, symbol), O=H=L=C=10."""
    lines = [f"{day},{symbol},10,10,10,10,100" for day, symbol in bars]
    path.write_text("\n".join(["date,symbol,open,high,low,close,volume", *lines, ""]))
    return path


@pytest.fixture
def load(forked: Mdload, database_url: str) -> Mdload:
    def run(*args: str | Path) -> Ran:
        return forked("--database", database_url, "backfill", *args, "--provider", "p",
                      "--interval", "1d", "--json")  # fmt: skip

    return run


SPELLINGS = "SELECT source_symbol, symbol, convention FROM provider_symbols ORDER BY 1"


def test_a_rename_from_one_day_to_another(load: Mdload, database_url: str, tmp_path: Path) -> None:
    bars = daily(
        tmp_path / "bars.csv",
        ("2022-06-07", "FB"), ("2022-06-08", "FB"), ("2022-06-09", "META"), ("2022-06-10", "META"),
        ("2022-06-10", "FB"), ("2022-06-10", " aapl"),
    )  # fmt: skip
    names = tmp_path / "map.csv"
    names.write_text("from,to,provider,valid_from,valid_to\nFB,META,p,,2022-06-09\n")
    expected = [
        ("AAPL", "2022-06-10"), ("FB", "2022-06-10"), ("META", "2022-06-07"),
        ("META", "2022-06-08"), ("META", "2022-06-09"), ("META", "2022-06-10"),
    ]  # fmt: skip
    stored = (
        "SELECT symbol, to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM bars_ohlcv ORDER BY 1, 2"
    )

    first = load(bars, "--symbol-map", names)
    assert first.code == 0, first.err
    told = first.json()
    assert (told["rows_read"], told["rows_inserted"], told["symbols"]) == (
        6,
        6,
        ["AAPL", "FB", "META"],
    )
    assert query(database_url, stored) == expected
    assert "1 symbol renamed by the symbol map: FB -> META" in (told["files"][0]["notes"])
    assert any("trimmed/upper-cased: ' aapl' -> AAPL" in note for note in told["files"][0]["notes"])
    assert "by the symbol map: FB -> META" in first.err

    # The same map in another place is the same configuration; a changed map is not.
    elsewhere = tmp_path / "other.csv"
    elsewhere.write_text("valid_to,to,from,provider\n2022-06-09,META,FB,p\n")
    assert load(bars, "--symbol-map", elsewhere).json()["files"][0]["state"] == "known"
    forced = load(bars, "--symbol-map", names, "--force").json()
    assert (forced["rows_inserted"], forced["rows_unchanged"]) == (0, 6)
    names.write_text("from,to\nFB,FB\nMETA,FB\n")
    changed = load(bars, "--symbol-map", names, "--dry-run").json()
    assert changed["files"][0]["state"] == "loaded"
    assert (changed["rows_inserted"], changed["rows_unchanged"]) == (3, 2)
    assert query(database_url, stored) == expected


def test_two_spellings_that_fall_together(load: Mdload, database_url: str, tmp_path: Path) -> None:
    """In one file and over time; a map declares it as intended."""
    day = "2024-01-02"
    both = daily(tmp_path / "both.csv", (day, "BRK-B"), ("2024-01-03", "BRK.B"))
    names = tmp_path / "map.csv"
    names.write_text("from,to\nBRK.B,BRK.B\n")

    refused = load(both, "--symbol-convention", "yahoo")
    assert refused.code == 3
    (file,) = refused.json()["files"]
    assert file["error"] == "two symbols of p become BRK.B: 'BRK-B' and 'BRK.B'"
    assert file["hint"] == "tell them apart: --symbol-map FILE, with a line for each"
    assert query(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]

    assert load(both, "--symbol-convention", "yahoo", "--dry-run").json()["files"] == [file]

    meant = load(both, "--symbol-convention", "yahoo", "--symbol-map", names)
    assert meant.code == 0, meant.err
    assert query(database_url, SPELLINGS) == [
        ("BRK-B", "BRK.B", "yahoo"), ("BRK.B", "BRK.B", "map"),
    ]  # fmt: skip

    # Over time: the map's join stays, and a third spelling is an error again.
    again = load(
        daily(tmp_path / "again.csv", ("2024-01-04", "BRK-B")), "--symbol-convention", "yahoo"
    )
    assert again.code == 0, again.err
    third = daily(tmp_path / "third.csv", ("2024-01-05", "BRK/B"))
    assert load(third, "--symbol-convention", "bloomberg").code == 3
    names.write_text("from,to\nBRK/B,BRK.B\n")
    assert load(third, "--symbol-map", names).code == 0


def test_a_map_does_not_merge_two_securities(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    """META was a fund until January 2022, and Facebook became META in June."""
    bars, names = tmp_path / "bars.csv", tmp_path / "map.csv"
    bars.write_text(
        "date,symbol,open,high,low,close,volume\n"
        "2022-01-03,FB,338,341,337,338,14\n2022-01-03,META,15,16,14,15,1\n"
        "2022-06-08,FB,194,202,194,196,22\n2022-06-09,META,194,199,183,184,23\n"
    )
    names.write_text("from,to\nFB,META\n")
    for fresh in ((), ("--dry-run",)):
        refused = load(bars, "--symbol-map", names, *fresh)
        assert refused.code == 3
        assert (
            "the symbol map turns both 'FB' and 'META' of p into META, but they have different "
            "bars at 2022-01-03 00:00Z" in (refused.err)
        )
        assert "valid_from, valid_to" in refused.err
    assert query(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]
    names.write_text("from,to,valid_from,valid_to\nFB,META,,2022-06-09\nMETA,METV,,2022-01-31\n")
    assert load(bars, "--symbol-map", names).code == 0
    stored = "SELECT symbol, close FROM bars_ohlcv ORDER BY 1, 2"
    assert query(database_url, stored) == [
        ("META", 184),
        ("META", 196),
        ("META", 338),
        ("METV", 15),
    ]


def test_case_that_means_something_is_no_lower_case_spelling(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    bars = daily(
        tmp_path / "polygon.csv",
        *(("2024-01-02", s) for s in ("ALpA", "ALPA", "TpC", "TPC", "msft", "MSFT ")),
    )
    refused = load(bars)
    assert refused.code == 3
    (file,) = refused.json()["files"]
    assert file["error"] == "two symbols of p become ALPA: 'ALPA' and 'ALpA'"
    assert "--symbol-convention cqs" in file["hint"]

    loaded = load(bars, "--symbol-convention", "cqs")
    assert loaded.code == 0, loaded.err
    assert loaded.json()["symbols"] == ["AL.PRA", "ALPA", "MSFT", "T.PRC", "TPC"]
    assert loaded.json()["files"][0]["notes"][-2:] == [
        "2 symbols converted by the convention cqs: ALpA -> AL.PRA, TpC -> T.PRC",
        "2 symbols trimmed/upper-cased: 'MSFT ' -> MSFT, msft -> MSFT",
    ]
    assert ("ALpA", "AL.PRA", "cqs") in query(database_url, SPELLINGS)


def test_in_parts_every_spelling_is_counted_once(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    symbols = ["BRK-A", "BRK-B", "AAPL", "BRK-A", "BF-B"]
    bars = daily(tmp_path / "b.csv", *((f"2024-01-0{n}", s) for n, s in enumerate(symbols, 1)))
    ran = load(bars, "--symbol-convention", "yahoo", "--commit-every", "2", "--batch-rows", "1")
    note = (
        "3 symbols converted by the convention yahoo: BF-B -> BF.B, BRK-A -> BRK.A, BRK-B -> BRK.B"
    )
    assert ran.json()["files"][0]["notes"][-1] == note
    assert ran.err.count("converted by the convention") == 1
    assert query(database_url, "SELECT notes[cardinality(notes)] FROM job_run_files") == [(note,)]


def test_inspect_tells_of_a_collision(forked: Mdload, tmp_path: Path) -> None:
    bars = daily(tmp_path / "b.csv", ("2024-01-02", "ALpA"), ("2024-01-03", "ALPA"))
    looked = forked("inspect", bars, "--interval", "1d", "--provider", "p")
    assert looked.code == 3
    assert "2024-01-02 to 2024-01-03" in looked.out
    assert "two symbols of p become ALPA: 'ALPA' and 'ALpA'" in looked.err


def test_inspect_and_the_configuration_file(forked: Mdload, tmp_path: Path) -> None:
    bars = daily(tmp_path / "b.csv", ("2024-01-02", "BRK-B"), ("2024-01-02", "FB"))
    (tmp_path / "map.csv").write_text("from,to\nFB,META\n")
    (tmp_path / "mdload.toml").write_text(
        '[defaults]\nsymbol_convention = "yahoo"\nsymbol_map = "map.csv"\nprovider = "p"\n'
    )
    looked = json.loads(forked("inspect", bars, "--interval", "1d", "--json").out)
    assert looked["symbols"] == ["BRK.B", "META"]
    assert [note for note in looked["notes"] if "1 symbol" in note] == [
        "1 symbol renamed by the symbol map: FB -> META",
        "1 symbol converted by the convention yahoo: BRK-B -> BRK.B",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--symbol-convention", "yaho"), "--symbol-convention 'yaho' is not a symbol convention"),
        (("--symbol-convention", "yaho"), "did you mean yahoo?"),
        (("--symbol-map", "absent.csv"), "--symbol-map absent.csv cannot be read"),
        (
            ("--symbol-map", "wrong.csv"),
            "wrong.csv, line 2: 'Meta' is not a symbol as it is stored",
        ),
    ],
)
def test_errors_before_anything_is_read(
    forked: Mdload, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "wrong.csv").write_text("from,to\nFB,Meta\n")
    bars = daily(tmp_path / "b.csv", ("2024-01-02", "A"))
    ran = forked("inspect", bars, "--provider", "p", *options)
    assert ran.code == 2
    assert message in ran.err
