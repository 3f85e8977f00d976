"""`mdload providers`, your own dialects, and `inspect --emit`, through the command line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from loader.dialects.known import dialects
from loader.dialects.own import from_table
from loader.errors import SettingsError
from tests.conftest import Ran

FILE = """Stamp,Ticker,O,H,L,C,Lots,Junk
2024-01-02 09:31:00,abc,10000,20000,5000,15000,3,x
2024-01-02 09:32:00,abc,15000,15000,15000,15000,0,x
2024-01-02 09:33:00,abc,0,0,0,0,0,x
"""
TOML = """
[dialects.acme]
title = "Acme's minute files"
header = ["Stamp", "Ticker", "O", "H", "L", "C", "Lots"]
columns = {ts = "Stamp", symbol = "Ticker", open = "O", high = "H", low = "L", close = "C", volume = "Lots"}
left_out = {Junk = "junk"}
stamp = "end"
timezone = "America/Chicago"
interval = "1m"
price_divisor = 10000
volume_factor = 100
provider = "acme-{side}"
names = ['acme_(?P<side>bid|ask)\\.csv$']
skip = {C = "0"}
"""  # noqa: E501 - one TOML line


def test_a_dialect_of_ones_own(forked: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "acme_bid.csv").write_text(FILE)
    (tmp_path / "mdload.toml").write_text(TOML)
    ran = forked(
        "--config", tmp_path / "mdload.toml", "inspect", tmp_path / "acme_bid.csv", "--json"
    )
    seen = json.loads(ran.out)
    assert (seen["dialect"], seen["provider"], seen["error"]) == ("acme", "acme-bid", None)
    assert [(bar["ts"], bar["open"], bar["high"], bar["volume"]) for bar in seen["bars"]] == [
        ("2024-01-02T15:30:00Z", 1.0, 2.0, 300.0),
        ("2024-01-02T15:31:00Z", 1.5, 1.5, 0.0),
    ]
    assert "'Junk' left out: junk" in seen["notes"]
    assert "1 row left out and counted as skipped: C is 0" in seen["notes"]


def test_providers_list_names_each(forked: Callable[..., Ran]) -> None:
    listed = json.loads(forked("providers", "list", "--json").out)
    assert [each["name"] for each in listed] == sorted(dialects())
    table = forked("providers", "list").out
    assert all(name in table for name in dialects())


@pytest.mark.parametrize("name", dialects())
def test_providers_show_documents_each(forked: Callable[..., Ran], name: str) -> None:
    page = forked("providers", "show", name).out
    assert dialects()[name].title in page
    assert all(trap in page for trap in dialects()[name].traps)


def test_an_unknown_name_is_told_what_is_near(forked: Callable[..., Ran]) -> None:
    ran = forked("providers", "show", "binanse")
    assert ran.code == 3
    assert "did you mean binance" in ran.err


def test_what_emit_writes_reads_the_file(forked: Callable[..., Ran], tmp_path: Path) -> None:
    config, file = tmp_path / "mdload.toml", tmp_path / "acme_bid.csv"
    file.write_text(FILE)
    written = forked("inspect", file, "--emit").out
    table = tomllib.loads(written)["dialects"]["acme_bid"]
    assert table["header"] == ["Stamp", "Ticker", "O", "H", "L", "C", "Lots", "Junk"]
    assert table["columns"] == {
        "symbol": "Ticker",
        "open": "O",
        "high": "H",
        "low": "L",
        "close": "C",
    }
    assert "# columns must name these too: ts" in written
    assert '# not used so far: "Stamp", "Lots", "Junk"' in written
    finished = written.replace("columns = {", 'columns = {ts = "Stamp", ') + 'timezone = "UTC"\n'
    config.write_text(finished)
    ran = forked("--config", config, "inspect", file, "--json", "--interval", "1m")
    assert json.loads(ran.out)["dialect"] == "acme_bid"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"headers": ["a"]}, "dialects.x.headers is not a setting of a dialect"),
        ({"header": "a"}, "dialects.x.header must be a list of text, not 'a'"),
        ({"columns": {"ts": "a"}}, "does not say how to know such a file"),
        ({"header": ["a"]}, "does not say which columns bars are in"),
        ({"header": ["a"], "columns": {"ts": "a"}, "stamp": "middle"}, "must be one of start, end"),
        ({"price_divisor": 3}, "dialects.x.price_divisor must be a power of ten such"),
        ({"names": ["("]}, "is not a valid pattern"),
    ],
)
def test_a_wrong_table_is_refused_by_its_key(table: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        from_table("x", table)


PACKAGE = """
from loader.dialects.dialect import Dialect, Shape
DIALECT = Dialect("acme", "Acme of another package", {}, shapes=(Shape(header=("a",)),))
TWIN = Dialect("binance", "A second binance", {})
NONE = "no dialect"
"""


@pytest.mark.parametrize(
    ("announced", "code", "said"),
    [
        ("DIALECT", 0, "Acme of another package"),
        ("TWIN", 2, "acme_mdload:TWIN, announced under mdload.dialects as 'acme', has the name of"),
        (
            "NONE",
            2,
            "acme_mdload:NONE, announced under mdload.dialects as 'acme', is not a dialect",
        ),
        ("GONE", 2, "as 'acme', cannot be imported: module 'acme_mdload' has no attribute 'GONE'"),
    ],
)
def test_a_dialect_that_a_package_brings(
    mdload: Callable[..., Ran], tmp_path: Path, announced: str, code: int, said: str
) -> None:
    (tmp_path / "acme_mdload.py").write_text(PACKAGE)
    info = tmp_path / "acme_mdload-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-mdload\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[mdload.dialects]\nacme = acme_mdload:{announced}\n")
    ran = mdload("providers", "show", "acme", env={"PYTHONPATH": str(tmp_path)})
    assert ran.code == code
    assert said in ran.out + ran.err
