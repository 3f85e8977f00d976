"""A part of a file: the rows of the whole that are in it, however the file is written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.check.file import Checking
from loader.errors import ColumnMismatch, SettingsError
from loader.read.formats import read
from loader.read.sources import find
from loader.settings import Part, Settings

FIRST = datetime(2024, 1, 1, 14, 30, tzinfo=UTC)
SYMBOLS = ("ALFA", "BRAV", "CHRL", "DELT")
#: How the times of a Parquet file are written, and the options that go with them.
TIMES: dict[str, tuple[pa.DataType, dict[str, Any]]] = {
    "us": (pa.timestamp("us", tz="UTC"), {}),
    "ns in New York": (pa.timestamp("ns", tz="America/New_York"), {}),
    "wall clock": (pa.timestamp("ms"), {"timezone": "Asia/Tokyo"}),
    "seconds": (pa.int64(), {}),
    "milliseconds, named": (pa.int64(), {"time_format": "ms"}),
    "text": (pa.string(), {}),
}


def written(path: Path, rows: Sequence[tuple[str, datetime]], form: str, group: int) -> None:
    """A file with a bar for each of `rows`: the close is the row's number."""
    kind, options = TIMES[form]
    times: list[Any] = [ts for _, ts in rows]
    if form == "wall clock":
        times = [(ts + timedelta(hours=9)).replace(tzinfo=None) for ts in times]
    elif form == "seconds":
        times = [int(ts.timestamp()) for ts in times]
    elif "time_format" in options:
        times = [int(ts.timestamp()) * 1000 for ts in times]
    elif form == "text":
        times = [ts.isoformat() for ts in times]
    close = [float(n) for n in range(1, len(rows) + 1)]
    table = pa.table(
        {"symbol": [s for s, _ in rows], "ts": pa.array(times, kind),
         "open": close, "high": close, "low": close, "close": close}
    )  # fmt: skip
    pq.write_table(table, path, row_group_size=group)


def loaded(path: Path, settings: Settings, batch_rows: int) -> tuple[pl.DataFrame, int]:
    """The good bars with their numbers, and how many rows were not read."""
    with find([str(path)]) as (source,), read(source, batch_rows) as reading:
        pieces = list(Checking(reading, source, settings).pieces())
        return pl.concat(p.good for p in pieces), sum(p.unread for p in pieces)


@st.composite
def files(draw: st.DrawFn) -> tuple[list[tuple[str, datetime]], str, int, int, Part]:
    """Rows in some order, how they are written, and a part of them."""
    days = draw(st.integers(1, 40))
    rows = [
        (symbol, FIRST + timedelta(days=day, minutes=minute))
        for symbol in SYMBOLS
        for day in range(days)
        for minute in range(draw(st.integers(1, 3)))
    ]
    order = draw(st.sampled_from(["symbol", "time", "any"]))
    if order == "time":
        rows.sort(key=lambda row: row[1])
    elif order == "any":
        rows = draw(st.permutations(rows))
    bound = st.none() | st.integers(-3, 45 * 24 * 60).map(lambda m: FIRST + timedelta(minutes=m))
    since, until = draw(bound), draw(bound)
    if since and until and since > until:
        since, until = until, since
    symbols = draw(st.lists(st.sampled_from(SYMBOLS), unique=True, max_size=3))
    part = Part(since, until, tuple(symbols))
    return (
        rows,
        draw(st.sampled_from([*TIMES])),
        draw(st.integers(1, 60)),
        draw(st.integers(1, 40)),
        part,
    )


@given(files())
def test_the_part_is_the_filter_of_the_whole(
    tmp_path: Path, made: tuple[list[tuple[str, datetime]], str, int, int, Part]
) -> None:
    rows, form, group, batch_rows, part = made
    path = tmp_path / "x.parquet"
    written(path, rows, form, group)
    options = {"provider": "p", "interval": "1m", "check_grid": False, **TIMES[form][1]}
    got, unread = loaded(path, Settings(**options, part=part), batch_rows)
    expected = [
        (number, symbol, ts, float(number))
        for number, (symbol, ts) in enumerate(rows, 1)
        if (part.since is None or ts >= part.since)
        and (part.until is None or ts <= part.until)
        and (not part.symbols or symbol in part.symbols)
    ]
    assert got.select("row_number", "symbol", "ts", "close").rows() == expected
    assert unread <= len(rows) - len(expected)


@pytest.mark.parametrize(
    ("form", "part", "unread"),
    [
        # 400 days of two symbols in groups of 50 rows. The first group decides the layout; from
        # day 290 on, four of ALFA and five of BRAV come before. By the day, with a margin of three.
        ("us", Part(since=FIRST + timedelta(days=290)), 450),
        ("ns in New York", Part(until=FIRST + timedelta(days=40)), 700),
        ("wall clock", Part(since=FIRST + timedelta(days=290)), 450),
        ("seconds", Part(since=FIRST + timedelta(days=290)), 450),
        ("milliseconds, named", Part(since=FIRST + timedelta(days=290)), 450),
        ("text", Part(since=FIRST + timedelta(days=290)), 0),
        ("us", Part(symbols=("BRAV",)), 350),
        ("us", Part(FIRST + timedelta(days=290), symbols=("BRAV",)), 600),
    ],
)  # fmt: skip
def test_row_groups_that_are_passed_by(tmp_path: Path, form: str, part: Part, unread: int) -> None:
    rows = [(s, FIRST + timedelta(days=day)) for s in SYMBOLS[:2] for day in range(400)]
    path = tmp_path / "x.parquet"
    written(path, rows, form, 50)
    settings = Settings(provider="p", interval="1m", check_grid=False, **TIMES[form][1], part=part)
    got, found = loaded(path, settings, 50)
    wanted = [ts for s, ts in rows if ts >= (part.since or ts) and ts <= (part.until or ts)
              and s in (part.symbols or SYMBOLS)]  # fmt: skip
    assert (got["ts"].to_list(), found) == (wanted, unread)


def test_rows_that_do_not_say_where_they_belong_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "symbol,ts,open,high,low,close\n"
        "ALFA,2024-01-01T14:30:00Z,1,1,1,1\n"
        "ALFA,,2,2,2,2\n"
        "BRAV,,2,2,2,2\n"
        "ALFA,2024-01-02T14:30:00Z,3,3,3,0\n"
        "ALFA,2024-01-03T14:30:00Z,4,4,4,0\n"
        "ALFA,2024-01-02T14:31:00Z,5,5,5,5\n"
    )
    part = Part(since=datetime(2024, 1, 2, tzinfo=UTC), until=datetime(2024, 1, 2, 23, tzinfo=UTC),
                symbols=("ALFA",))  # fmt: skip
    settings = Settings(provider="p", interval="1m", part=part)
    with find([str(path)]) as (source,), read(source, 100) as reading:
        (piece,) = Checking(reading, source, settings).pieces()
    assert piece.good["row_number"].to_list() == [6]
    assert piece.bad["row_number"].to_list() == [2, 4]
    assert (piece.outside, piece.skipped, piece.last_row) == (3, 0, 6)


def test_symbols_that_the_file_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    written(path, [(s, FIRST) for s in SYMBOLS], "us", 1)
    with pytest.raises(ColumnMismatch, match="has no row of ALPHA") as raised:
        loaded(path, Settings(provider="p", interval="1m", part=Part(symbols=("ALPHA",))), 1)
    assert "this file has ALFA" in str(raised.value.hint)


def of_the_last_day(tmp_path: Path, symbols: tuple[str, ...], group: int) -> tuple[int, int]:
    """Bars and rows not read of a load of `symbols` from day 19 on; of 20 days by symbol, two
    minutes each, BRAV has the first 10 alone. Each symbol's rows are in groups of their own."""
    path = tmp_path / "x.parquet"
    rows = [
        (symbol, FIRST + timedelta(days=day, minutes=minute))
        for symbol in SYMBOLS
        for day in range(10 if symbol == "BRAV" else 20)
        for minute in (0, 1)
    ]
    written(path, rows, "us", group)
    part = Part(since=FIRST + timedelta(days=19), symbols=symbols)
    good, unread = loaded(path, Settings(provider="p", interval="1m", part=part), group)
    return good.height, unread


def test_a_symbol_that_the_file_has_at_other_times_only(tmp_path: Path) -> None:
    # The first of 14 groups decides the layout and is read. Eleven have ended three days before
    # the part's time, two of them BRAV's; the last groups of three symbols have no row of BRAV.
    assert of_the_last_day(tmp_path, ("BRAV",), 10) == (0, 130)


def test_a_symbol_that_no_passed_row_has(tmp_path: Path) -> None:
    with pytest.raises(ColumnMismatch, match="has no row of BRAVO"):
        of_the_last_day(tmp_path, ("BRAVO",), 10)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"since": datetime(2024, 1, 1)}, "has no time zone"),
        ({"since": FIRST, "until": FIRST - timedelta(days=1)}, "is after --until"),
        ({"symbols": ("spy",)}, "not a symbol as it is stored"),
        ({"symbols": (" ",)}, "not a symbol as it is stored"),
    ],
)
def test_parts_that_cannot_be(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        Part(**wrong)
