"""Prices of one series that change their unit midway, and splits, which are none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from loader.check.file import Checking
from loader.check.guard import jumps
from loader.check.unique import in_order
from loader.errors import ColumnMismatch
from loader.read.formats import read
from loader.read.sources import find
from loader.settings import Settings

#: A multiple of the size, so that a batch ends with each of the bars around the jump in turn.
SIZES = (10_000, 12, 13, 14, 15, 17)
UNCHANGED = "400"


def rows(
    factor: Callable[[int], float], volume: Callable[[int], str], name: str = "", bars: int = 26
) -> list[str]:
    """`bars` days of prices around 40 that are multiplied by `factor` of their number."""
    found = []
    for at in range(bars):
        day = date(2024, 3, 1) + timedelta(days=at)
        prices = (round(each * factor(at), 6) for each in (40 + at / 40, 42, 38, 41 - at / 40))
        found.append(",".join([name, f"{day}", *map(str, prices), volume(at)]).lstrip(","))
    return found


def check(
    tmp_path: Path, lines: list[str], header: str = "date,open,high,low,close,volume",
    accept: tuple[str, ...] = (), sizes: tuple[int, ...] = SIZES,
) -> tuple[str, ...]:  # fmt: skip
    """The notes on all bars of the file, however it is cut."""
    path = tmp_path / "x.csv"
    path.write_text("\n".join([header, *lines, ""]))
    symbol = None if "symbol" in header else "KILO"
    settings = Settings(provider="p", symbol=symbol, interval="1d", accept=accept)
    found = []
    for size in sizes:
        with find([str(path)]) as (source,), read(source, size) as reading:
            checking = Checking(reading, source, settings)
            list(in_order(checking.pieces()))
            found.append(tuple(note.text for note in checking.late_notes))
    assert len(set(found)) == 1
    return found[0]


def from_14th(factor: float) -> Callable[[int], float]:
    return lambda at: 1 if at < 13 else factor


@pytest.mark.parametrize(
    ("factor", "sentence"),
    [(100, "100 times"), (1000, "1,000 times"), (0.01, "1/100 of"), (1e-4, "1/10,000 of")],
)
@pytest.mark.parametrize("volume", ["400", ""])
def test_another_unit(tmp_path: Path, factor: float, sentence: str, volume: str) -> None:
    lines = rows(from_14th(factor), lambda _: volume)
    for size in SIZES:
        with pytest.raises(ColumnMismatch) as raised:
            check(tmp_path, lines, sizes=(size,))
        assert f"prices of KILO are {sentence}" in str(raised.value)
        assert "at row 14 (2024-03-14 00:00Z)" in str(raised.value)
        assert "--accept price_scale" in str(raised.value.hint)
    (note,) = check(tmp_path, lines, accept=("price_scale",))
    assert note.endswith("(--accept price_scale)")


def test_newest_first(tmp_path: Path) -> None:
    with pytest.raises(ColumnMismatch, match="1/100 of those of the bar before at row 14 "):
        check(tmp_path, rows(from_14th(100), lambda _: UNCHANGED)[::-1])


@pytest.mark.parametrize("factor", [2, 3, 10, 20, 25, 50, 0.5, 0.1, 0.05, 0.04])
def test_splits(tmp_path: Path, factor: float) -> None:
    assert check(tmp_path, rows(from_14th(factor), lambda _: UNCHANGED)) == ()


@pytest.mark.parametrize(("factor", "volumes"), [(100, ("90000", "1200")), (0.01, ("7", "450"))])
def test_a_split_that_changes_volumes(
    tmp_path: Path, factor: float, volumes: tuple[str, str]
) -> None:
    assert check(tmp_path, rows(from_14th(factor), lambda at: volumes[at >= 13])) == ()


@pytest.mark.parametrize("at", [5, 11, 12, 25])
def test_single_wrong_rows_are_a_note(tmp_path: Path, at: int) -> None:
    notes = check(tmp_path, rows(lambda each: 100 if each == at else 1, lambda _: UNCHANGED))
    assert [note.partition(" at row")[0] for note in notes] == [
        "prices of KILO are 100 times those of the bar before"
    ]
    assert f"at row {at + 1} " in notes[0]


def test_rows_in_another_unit_that_end_again_are_a_note(tmp_path: Path) -> None:
    (note,) = check(tmp_path, rows(lambda at: 100 if 8 <= at < 18 else 1, lambda _: UNCHANGED))
    assert "at row 9 (2024-03-09 00:00Z)" in note
    assert note.endswith(", and 1 more jump")


def test_many_wrong_rows(tmp_path: Path) -> None:
    with pytest.raises(ColumnMismatch, match="and 11 more jumps"):
        check(tmp_path, rows(lambda at: 100 if at % 4 == 1 else 1, lambda _: UNCHANGED)[:25])


def test_a_series_that_moves_much(tmp_path: Path) -> None:
    """Options near their end, and shares for a tenth of a cent."""
    steps = [1, 4, 1, 5, 2, 8, 1, 100, 120, 450, 100, 90]
    assert check(tmp_path, rows(lambda at: steps[at], lambda _: UNCHANGED, bars=12)) == ()


def test_steps_of_several_factors(tmp_path: Path) -> None:
    """Several instruments, one behind the other: another fault."""
    lines = rows(lambda at: (1, 1e-6, 1e5)[at // 9], lambda _: UNCHANGED)
    assert check(tmp_path, lines) == ()


@pytest.mark.parametrize("by_time", [False, True])
def test_series_of_different_levels(tmp_path: Path, by_time: bool) -> None:
    levels = {"A": 1.0, "B": 100.0, "C": 0.01}
    lines = [each for name, level in levels.items()
             for each in rows(lambda _, level=level: level, lambda _: UNCHANGED, name)]  # fmt: skip
    lines = sorted(lines, key=lambda line: line.split(",")[1]) if by_time else lines
    header = "symbol,date,open,high,low,close,volume"
    assert check(tmp_path, lines, header) == ()
    lines = [line for line in lines if not line.startswith("B")]
    lines += rows(from_14th(100), lambda _: UNCHANGED, "B")
    lines = sorted(lines, key=lambda line: line.split(",")[1]) if by_time else lines
    with pytest.raises(ColumnMismatch, match="prices of B are 100 times") as raised:
        check(tmp_path, lines, header)
    assert "(2024-03-14 00:00Z)" in str(raised.value)


def test_a_series_in_two_stretches(tmp_path: Path) -> None:
    """Neither of them spans enough for a jump."""
    changed = rows(from_14th(100), lambda _: UNCHANGED, "A")
    lines = [*changed[:13], *rows(lambda _: 0.01, lambda _: UNCHANGED, "B"), *changed[13:]]
    with pytest.raises(ColumnMismatch, match=r"prices of A are 100 times .* at row 40 "):
        check(tmp_path, lines, "symbol,date,open,high,low,close,volume")


def test_one_series_of_a_market_is_a_note(tmp_path: Path) -> None:
    lines = rows(from_14th(100), lambda _: UNCHANGED, "X")
    for at in range(24):
        lines += rows(lambda _: 1, lambda _: UNCHANGED, f"Y{at:02}")
    (note,) = check(tmp_path, lines, "symbol,date,open,high,low,close,volume")
    assert note.startswith("prices of X are 100 times those of the bar before at row 14 ")


def test_prices_of_zero_and_below() -> None:
    looked = jumps.Jumps("x.csv", ())
    prices = [0.0, -4.0, 400.0, 4.0, 0.0, 400.0]
    ts = pl.Series([date(2024, 3, 1 + at) for at in range(6)]).cast(pl.Datetime("us", "UTC"))
    frame = pl.DataFrame({"provider": ["p"] * 6, "symbol": ["S"] * 6, "interval": ["1d"] * 6})
    frame = frame.with_columns(ts=ts, volume=pl.lit(None, pl.Float64), row_number=pl.int_range(6))
    looked.look(frame.with_columns(pl.Series(n, prices) for n in ("open", "high", "low", "close")))
    looked.refuse()
