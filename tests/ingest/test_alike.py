"""Files of several series that are checked by what another one has shown, and by themselves."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.ingest.run.small import checked
from tests.support.both_ways import (
    MIDNIGHT,
    NEW_YORK_OPEN,
    at,
    day,
    dearer,
    frame,
    of_several,
    symbol,
)
from tests.support.several import ODDITIES, ORDERS, Kind, checked_both_ways, kinds, series, tables

#: Groups of files that are tried.
EXAMPLES: Final = int(os.environ.get("MDLOAD_ALIKE_EXAMPLES", "40"))


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_files_of_any_series(data: st.DataObject) -> None:
    """What is plain alone is plain among others, up to the first that is not."""
    kind = data.draw(kinds())
    made = [data.draw(tables(kind.step, odd=number > 0)) for number in range(6)]
    with tempfile.TemporaryDirectory(prefix="alike") as folder:
        files = [kind.written(Path(folder), n, table) for n, table in enumerate(made)]
        together, alone, _ = checked_both_ways(files, kind.settings)
    first_odd = next((n for n, is_plain in enumerate(alone) if not is_plain), len(alone))
    assert together == (first_odd if len(alone) > 1 else 0)


def kind(step: int, suffix: str, **settings: Any) -> Kind:
    ts = "typed" if suffix == ".parquet" else "ISO 8601"
    return Kind(step, settings, (), ts, (), suffix, {})


def several(step: int) -> pl.DataFrame:
    """Three days, or nine minutes, of four symbols of different prices."""
    begin, rows = (MIDNIGHT, 3) if step == 86_400 else (NEW_YORK_OPEN, 9)
    return pl.concat(series(symbol(n), begin, rows, step, 20.0 * 5**n) for n in range(4))


def is_plain(folder: Path, how: Kind, table: pl.DataFrame) -> bool:
    """Whether the table is, behind a plain one that shows how it is read."""
    files = [how.written(folder, n, each) for n, each in enumerate([several(how.step), table])]
    together, alone, _ = checked_both_ways(files, how.settings)
    assert alone[:1] == [True]
    assert together == (2 if alone == [True, True] else len(alone[:1]) if len(alone) > 1 else 0)
    return alone == [True, True]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("step", [60, 86_400])
@pytest.mark.parametrize("order", ORDERS)
def test_the_times_of_each_series_rise(tmp_path: Path, order: str, step: int, suffix: str) -> None:
    """The series themselves stand in any order, also in turns."""
    other = {"in halves", "newest first", "mixed"}
    assert is_plain(tmp_path, kind(step, suffix), ORDERS[order](several(step))) == (
        order not in other
    )


#: Oddities of one series that leave the checks nothing to find; and those of minutes only.
PLAIN: Final = frozenset(
    [
        "much dearer", "much cheaper", "a day later", "half of a year later", "every second bar",
        "every fifth bar", "without some bars", "one bar", "two bars", "with a class", "of a pair",
        "with a digit in front", "with a long name", "a row without a volume",
        "a row of another symbol", "one row",
    ]
)  # fmt: skip
FOR_MINUTES: Final = PLAIN | {
    "an hour later", "half an hour later", "on a Saturday", "at 17:00",
    "at the close",
}  # fmt: skip


@pytest.mark.parametrize("order", ["by symbol", "by time"])
@pytest.mark.parametrize("step", [60, 86_400])
@pytest.mark.parametrize("odd", ODDITIES)
def test_one_series_is_odd(tmp_path: Path, odd: str, step: int, order: str) -> None:
    table = ORDERS[order](ODDITIES[odd](several(step), symbol(2)))
    expected = PLAIN if step == 86_400 else FOR_MINUTES
    assert is_plain(tmp_path, kind(step, ".parquet"), table) == (odd in expected)


def cross(number: int, **how: Any) -> pl.DataFrame:
    """One bar of each of 300 symbols, on a weekday."""
    begin = MIDNIGHT + timedelta(days=7 * (number // 3) + number % 3)
    return of_several(range(300), begin, rows=1, step=86_400, **how)


@pytest.mark.parametrize("given", [{}, {"interval": "1d"}])
def test_one_bar_of_each_symbol(tmp_path: Path, given: Mapping[str, str]) -> None:
    """A file a day or a file each half hour, whether a column has the interval or the person says
    it. Names of files that say another one have to be looked at."""

    def written(name: str, number: int) -> str:
        table = cross(number).drop([*given], strict=False).sample(fraction=1, shuffle=True, seed=1)
        table.write_parquet(tmp_path / f"{name}.parquet")
        return str(tmp_path / f"{name}.parquet")

    files = [written(f"{20240102 + n}", n) for n in range(5)]
    assert checked_both_ways(files, given)[0] == 5
    files.append(written("bars_5m", 7))
    assert checked_both_ways(files, given)[0] == (5 if given else 6)


def test_half_hours(tmp_path: Path) -> None:
    """Bars of one time, which may be a market's close, do not show that they are ends: those of a
    session do."""
    files = []
    for n in range(24):
        begin = NEW_YORK_OPEN + timedelta(minutes=30 * n)
        table = of_several(range(20), begin, rows=1).with_columns(interval=pl.lit("30m"))
        table.write_parquet(tmp_path / f"{n + 10}.parquet")
        files.append(str(tmp_path / f"{n + 10}.parquet"))
    parts = [series(symbol(n), NEW_YORK_OPEN + timedelta(minutes=30), 13, 1800, 9.0)
             for n in range(3)]  # fmt: skip
    pl.concat(parts).sort("ts").write_parquet(tmp_path / "ends.parquet")
    _, alone, own = checked_both_ways([*files, str(tmp_path / "ends.parquet")], {})
    assert alone == [True] * 24 + [False]
    assert own[24] is None


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("begin", [1, 5])
@pytest.mark.parametrize("days", [1, 2, 3])
def test_sessions_to_their_close(tmp_path: Path, days: int, begin: int, suffix: str) -> None:
    """From the second bar on they may be ends. From a later one on, those of a day are starts; of
    more days, only the files' own checks see how each of them begins."""
    opening = NEW_YORK_OPEN + timedelta(minutes=begin)
    table = pl.concat(
        series(symbol(n), opening + timedelta(days=day), 391 - begin, 60, 9.0)
        for n in range(2) for day in range(days)
    )  # fmt: skip
    how = kind(60, suffix)
    files = [how.written(tmp_path, n, each) for n, each in enumerate([several(60), table])]
    _, alone, own = checked_both_ways(files, how.settings)
    assert alone == [True, days == 1 and begin > 1]
    assert (own[1] is None) == (begin == 1)


def test_the_share_of_an_inferred_interval_is_that_of_all_series(tmp_path: Path) -> None:
    parts = [
        series(symbol(0), NEW_YORK_OPEN, 9, 60, 20.0),
        series(symbol(1), NEW_YORK_OPEN, 5, 60, 9.0),
    ]
    gaps = parts[1].filter(pl.int_range(pl.len()) != 2)
    files = []
    for n, table in enumerate([pl.concat(parts), pl.concat([parts[0], gaps]), *parts]):
        table.drop("interval").sort("ts").write_parquet(tmp_path / f"{n}.parquet")
        files.append(str(tmp_path / f"{n}.parquet"))
    together, _, own = checked_both_ways(files, {})
    assert together == 4
    shares = [note.text for each in own if each for note in each.notes if note.kind == "interval"]
    assert [share.partition("spacing: ")[2] for share in shares] == [
        "100 % of 12 steps", "90.9 % of 11 steps", "100 % of 8 steps", "100 % of 4 steps",
    ]  # fmt: skip


@pytest.fixture
def by_themselves(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the files that are checked one by one."""
    found: list[str] = []
    real = checked._by_itself

    def counted(run: Any, file: Any, small: Any) -> Any:
        found.append(file.source.name)
        return real(run, file, small)

    monkeypatch.setattr(checked, "_by_itself", counted)
    return found


def saved(folder: Path, tables: Sequence[pl.DataFrame], suffix: str, first: int = 0) -> list[str]:
    """The tables as files of their own, with typed times or ISO 8601."""
    how = kind(60, suffix)
    return [how.written(folder, first + n, table) for n, table in enumerate(tables)]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_files_of_a_feed(
    ways: Callable[..., int], by_themselves: list[str], tmp_path: Path, suffix: str
) -> None:
    """A file a day with all symbols in turns: none but the first is looked at alone; then once
    more; then with a symbol more, some bars restated, and some between stored ones."""
    tables = [dearer(of_several(range(5), day(n)), n).sort("ts", "symbol") for n in range(9)]
    files = saved(tmp_path, tables, suffix)
    assert ways(files) == 8
    assert ways(files, force=True) == 8
    assert not by_themselves
    more = [dearer(of_several(range(n % 3, 6), day(n), rows=15), n).sort("ts") for n in range(9)]
    more[4] = more[4].with_columns(at(60, close=pl.col("close") + 0.01))
    assert ways(saved(tmp_path, more, suffix, 20)) >= 4
    assert not by_themselves


@pytest.mark.parametrize("part", range(4))
def test_odd_files_among_plain_ones(
    ways: Callable[..., int], by_themselves: list[str], tmp_path: Path, part: int
) -> None:
    tables = []
    for n, change in enumerate([*ODDITIES.values()][part::4]):
        begin = day(2 * n)
        parts = [series(symbol(9 * n + k), begin, 9, 60, 20.0 * 5**k) for k in range(4)]
        odd = change(pl.concat(parts), symbol(9 * n + 2))
        plain = [frame(symbol(9 * n + k), begin) for k in range(5, 9)]
        tables += [pl.concat(plain), ORDERS["by time"](odd), pl.concat(plain[:2]).sort("ts")]
    files = saved(tmp_path, tables, ".parquet")
    assert ways(files) >= len(tables) // 2
    assert ways(files, force=True) >= len(tables) // 2
    assert len(set(by_themselves)) < len(tables)


def test_symbols_are_kept_in_the_order_of_their_rows(tmp_path: Path) -> None:
    """As each file's own checks give them to the table of spellings."""
    begin = datetime(2024, 1, 2, 15, tzinfo=UTC)
    tables = [pl.concat(frame(s, begin, rows=2) for s in ("C", "A", "B")) for _ in range(3)]
    files = saved(tmp_path, [table.sort("ts", maintain_order=True) for table in tables], ".csv")
    together, _, own = checked_both_ways(files, {})
    assert together == 3
    first = own[0]
    assert first is not None
    assert first.spellings["symbol"].to_list() == ["C", "A", "B"]
    assert first.series["symbol"].to_list() == ["A", "B", "C"]
