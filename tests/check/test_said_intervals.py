"""An interval that a person gives, against the spacing of the bars and the name of the file."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loader.errors import ColumnMismatch
from loader.settings import Settings
from tests.support.golden import Loaded, taken_in


def load(path: Path, minutes: int, bars: int, **options: Any) -> Loaded:
    path.parent.mkdir(exist_ok=True)
    first = datetime(2024, 7, 1)
    rows = [f"{first + timedelta(minutes=minutes * bar)}Z,1,2,0.5,1.5" for bar in range(bars)]
    path.write_text("\n".join(["time,open,high,low,close", *rows, ""]))
    said = {"provider": "p", "symbol": "KILO"} | options
    return taken_in(path, Settings(**said), 1_000)


DAY = 1440
REFUSED = [
    (60, 6, "1m", "1h"), (DAY, 4, "1h", "1d"), (1, 4, "5m", "1m"), (240, 6, "1h", "4h"),
    (7 * DAY, 6, "1d", "1w"), (DAY, 8, "3d", "1d"),
]  # fmt: skip


@pytest.mark.parametrize(("minutes", "bars", "said", "found"), REFUSED)
def test_the_spacing_contradicts_it(
    tmp_path: Path, minutes: int, bars: int, said: str, found: str
) -> None:
    path = tmp_path / "x.csv"
    with pytest.raises(ColumnMismatch, match=f"--interval {said} contradicts the spac") as raised:
        load(path, minutes, bars, interval=said)
    assert f"is {found} (" in str(raised.value)
    assert str(raised.value.hint).startswith(f"say --interval {found}, or leave it out")
    for options in ({"interval": found}, {}):
        assert {bar[2] for bar in load(path, minutes, bars, **options).bars} == {found}
    forced = load(path, minutes, bars, interval=said, check_grid=False)
    assert {bar[2] for bar in forced.bars} == {said}
    assert any("but their spacing is" in note for note in forced.notes)


@pytest.mark.parametrize(("minutes", "said"), [(14, "1d"), (45, "1h"), (7, "15m")])
def test_a_spacing_that_no_interval_has(tmp_path: Path, minutes: int, said: str) -> None:
    """Days that count in another unit come fourteen minutes apart."""
    with pytest.raises(ColumnMismatch, match=f"--interval {said} contradicts the spac") as raised:
        load(tmp_path / "x.csv", minutes, 40, interval=said)
    assert "--time-format names another form or unit" in str(raised.value.hint)
    if said != "1d":  # of which the dates are asked for next
        forced = load(tmp_path / "x.csv", minutes, 40, interval=said, check_grid=False)
        assert len(forced.bars) == 40


@pytest.mark.parametrize(("minutes", "bars"), [(7, 8), (5, 4), (1, 30)])
def test_gaps_do_not(tmp_path: Path, minutes: int, bars: int) -> None:
    """Steps that no interval has, or too few of them, are left to gaps."""
    assert len(load(tmp_path / "x.csv", minutes, bars, interval="1m").bars) == bars


@pytest.mark.parametrize(
    ("name", "said", "says"),
    [("K_1d.csv", "1h", "1d"), ("K_daily.csv", "1h", "1d"), ("4h/K.csv", "1h", "4h")],
)
def test_the_name_contradicts_it(tmp_path: Path, name: str, said: str, says: str) -> None:
    with pytest.raises(ColumnMismatch, match=f"contradicts the file's path, which says {says}"):
        load(tmp_path / name, 240 if says == "4h" else DAY, 2, interval=said)
    assert len(load(tmp_path / name, DAY, 2, interval=says).bars) == 2


@pytest.mark.parametrize("folder", ["tmp_5t__vwh", "tmpbjcyy_2t", "temp_4h"])
def test_a_folder_that_a_program_has_named(tmp_path: Path, folder: str) -> None:
    assert len(load(tmp_path / folder / "K.csv", 240, 2, interval="1h").bars) == 2


@pytest.mark.parametrize(
    "name", ["K_1d.csv", "daily/K.csv", "K_1y_1m.csv", "K_5d_1m.csv", "KI30.csv"]
)
def test_a_name_that_may_mean_something_else(tmp_path: Path, name: str) -> None:
    """Days of minutes: the bars settle it."""
    assert {bar[2] for bar in load(tmp_path / name, 1, 5, interval="1m").bars} == {"1m"}


def test_a_name_or_folder_that_the_bars_contradict(tmp_path: Path) -> None:
    pattern = {"name_pattern": "{symbol}_{interval}.csv", "symbol": None}
    with pytest.raises(ColumnMismatch, match="which contradicts the spacing") as raised:
        load(tmp_path / "K_1h.csv", DAY, 6, **pattern)
    assert "leave {interval} out of --name" in str(raised.value.hint)
    pattern["name_pattern"] = "{symbol}_*.csv"
    assert {bar[2] for bar in load(tmp_path / "K_1h.csv", DAY, 6, **pattern).bars} == {"1d"}


def test_a_name_that_agrees_leaves_it_to_gaps(tmp_path: Path) -> None:
    loaded = load(tmp_path / "K_1min.csv", 5, 8, interval="1m")
    assert {bar[2] for bar in loaded.bars} == {"1m"}
    assert any("but their spacing is 5m" in note for note in loaded.notes)


@pytest.mark.parametrize("days", [2, 4, 10])
def test_days_that_are_regularly_farther_apart(tmp_path: Path, days: int) -> None:
    """A file of every fourth day is of four days, which no interval is, rather than of days."""
    with pytest.raises(ColumnMismatch, match=f"the usual step between them is {days} d") as raised:
        load(tmp_path / "x.csv", days * DAY, 8, interval="1d")
    assert raised.value.hint == "if they are bars of 1d all the same: --off-grid"
    forced = load(tmp_path / "x.csv", days * DAY, 8, interval="1d", check_grid=False)
    assert len(forced.bars) == 8
    assert len(load(tmp_path / "x_daily.csv", days * DAY, 8, interval="1d").bars) == 8
