"""Exported bars come back unchanged, by every method."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.bars import COLUMNS, OPTIONAL, PRICES, SCHEMA
from loader.errors import MdloadError, NothingStored, SettingsError
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import Counts
from loader.settings import Settings
from loader.store.export import Exported, export
from loader.store.export.files import writing
from loader.store.series import SeriesFilter

T0 = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
Row = tuple[Any, ...]


def store(url: str, rows: list[Row]) -> None:
    """Rows in the order of `COLUMNS`."""
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    with (
        psycopg.connect(url) as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY bars_ohlcv ({names}) FROM STDIN (FORMAT binary)".encode()) as copy,
    ):
        copy.set_types(["text"] * 3 + ["timestamptz"] + ["float8"] * 6 + ["int8"])
        for row in rows:
            copy.write_row(row)


def bars(symbol: str, number: int, interval: str = "1m", provider: str = "p") -> list[Row]:
    step = {"1m": timedelta(minutes=1), "1d": timedelta(days=1)}[interval]
    first = T0 if interval == "1m" else T0.replace(hour=0, minute=0)
    return [
        (provider, symbol, interval, first + n * step, 10.1 + n, 12.3 + n, 9.9, 11.0,
         None if n % 7 == 3 else n / 3, None if n % 5 else 10.7, None if n % 3 == 1 else n)
        for n in range(number)
    ]  # fmt: skip


def written(url: str, path: Path, asked: SeriesFilter | None = None) -> Exported:
    with writing(str(path), COLUMNS) as write:
        return export(url, asked or SeriesFilter(), COLUMNS, write)


def bits(row: Row) -> Row:
    """A row with its floats as bits, so that comparison is exact."""
    return tuple(struct.pack("d", v) if isinstance(v, float) else v for v in row)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_it_loads_again_as_unchanged(database_url: str, tmp_path: Path, suffix: str) -> None:
    rows = sorted(
        [*bars("A", 300), *bars("A", 50, "1d"), *bars("B.B", 20), *bars("A", 9, "1d", "q")]
    )
    store(database_url, rows)
    path = tmp_path / f"out.{suffix}"
    said = written(database_url, path)
    last_day = T0.replace(hour=0, minute=0) + timedelta(days=49)
    assert said == Exported(379, 4, T0.replace(hour=0, minute=0), last_day)
    with find([str(path)]) as sources:
        result = load(Settings(), database_url, sources)
    assert result.counts == Counts(read=379, unchanged=379), result.files[0].error


def test_parquet_is_exact_sorted_and_typed(database_url: str, tmp_path: Path) -> None:
    rows = [*bars("A", 40), *bars("A", 7, "1d"), *bars("B", 40), *bars("A", 3, "1m", "o")]
    store(database_url, rows)
    written(database_url, tmp_path / "out.parquet")
    frame = pl.read_parquet(tmp_path / "out.parquet")
    assert dict(frame.schema) == SCHEMA
    assert [bits(r) for r in frame.rows()] == [bits(r) for r in sorted(rows, key=lambda r: r[:4])]


def test_csv_as_people_read_it(database_url: str, tmp_path: Path) -> None:
    store(
        database_url,
        [
            (
                "p",
                "A",
                "1d",
                T0.replace(hour=0, minute=0),
                0.1,
                1e22,
                5e-324,
                100.0,
                None,
                None,
                None,
            ),
            ("p", "A", "1m", T0, 0.1 + 0.2, 1.0, -0.0, 1.0, 7.0, 1 / 3, 2**53 + 1),
            ("p", "A", "1s", T0 + timedelta(microseconds=250), 1.0, 1.0, 1.0, 1.0, 0.0, None, 0),
            ("p,q", 'A"B', "1m", T0, 1.0, 1.0, 1.0, 1.0, 0.0, None, 0),
        ],
    )
    written(database_url, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[1] == "p,A,1d,2024-01-02T00:00:00Z,0.1,1e+22,5e-324,100.0,,,"
    assert lines[2] == (
        "p,A,1m,2024-01-02T14:30:00Z,0.30000000000000004,1.0,-0.0,1.0,7.0,0.3333333333333333,"
        "9007199254740993"
    )
    assert lines[3].startswith("p,A,1s,2024-01-02T14:30:00.000250Z,")
    assert lines[4].startswith('"p,q","A""B",1m,')


floats = st.floats(allow_nan=False, width=64)


@settings(max_examples=25)
@given(values=st.lists(st.tuples(floats, floats, st.none() | floats), min_size=1, max_size=40))
def test_every_float_comes_back_bit_for_bit(
    database_url: str, tmp_path: Path, values: list[tuple[float, float, float | None]]
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("TRUNCATE bars_ohlcv")
    rows = [
        ("p", "A", "1m", T0 + n * timedelta(minutes=1), a, b, -a, math.nextafter(b, 0.0), c, a, n)
        for n, (a, b, c) in enumerate(values)
    ]
    store(database_url, rows)
    for suffix in ("parquet", "csv"):
        written(database_url, tmp_path / f"out.{suffix}")
    assert [bits(r) for r in pl.read_parquet(tmp_path / "out.parquet").rows()] == [
        bits(r) for r in rows
    ]
    names = (*PRICES, *OPTIONAL[:2])
    text = pl.read_csv(tmp_path / "out.csv", infer_schema=False).select(names).rows()
    # Python's own reading of the text.
    back = [tuple(None if cell is None else float(cell) for cell in row) for row in text]
    assert [bits(r) for r in back] == [bits(r[4:10]) for r in rows]


@pytest.mark.parametrize("piece", [1, 7, 100, 101])
def test_a_series_longer_than_a_piece(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr("loader.store.export.PIECE", piece)
    rows = [*bars("A", 100), *bars("B", 3), *bars("C", 101), *bars("D", 7)]
    store(database_url, rows)
    assert written(database_url, tmp_path / "out.parquet").rows == 211
    assert pl.read_parquet(tmp_path / "out.parquet").rows() == rows


def test_series_denser_than_their_interval(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bars off the grid: more of them than an interval says there can be."""
    monkeypatch.setattr("loader.store.export.PIECE", 10)
    rows = [
        ("p", symbol, "1d", T0 + n * timedelta(seconds=1), *[1.0] * 6, n)
        for symbol in ("A", "B", "C")
        for n in range(35)
    ]
    store(database_url, rows)
    written(database_url, tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").rows() == rows


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        (SeriesFilter(provider="q"), 5),
        (SeriesFilter(symbols=["B", "A", "B"]), 60),
        (SeriesFilter(symbols=["A"], interval="1m"), 30),
        (SeriesFilter(symbols=["A"], since=T0 + timedelta(minutes=10)), 20),
        (SeriesFilter(symbols=["A"], until=T0 + timedelta(minutes=10)), 11),
        (SeriesFilter(since=T0 + timedelta(minutes=29), until=T0 + timedelta(minutes=29)), 2),
        (SeriesFilter(symbols=["A"], since=T0 + timedelta(days=1)), 0),
    ],
)
def test_what_is_asked_for(
    database_url: str, tmp_path: Path, asked: SeriesFilter, count: int
) -> None:
    store(database_url, [*bars("A", 30), *bars("B", 30), *bars("C", 5, "1m", "q")])
    assert written(database_url, tmp_path / "out.csv", asked).rows == count
    assert len((tmp_path / "out.csv").read_text().splitlines()) == count + 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (SeriesFilter(symbols=["A", "NO", "NONE"]), "no bars of NO, NONE are stored"),
        (SeriesFilter(provider="x", interval="1h"), "no 1h bars from x are stored"),
    ],
)
def test_what_is_not_there_is_said_and_leaves_no_file(
    database_url: str, tmp_path: Path, asked: SeriesFilter, message: str
) -> None:
    store(database_url, bars("A", 3))
    with pytest.raises(NothingStored, match=message):
        written(database_url, tmp_path / "out.csv", asked)
    assert list(tmp_path.iterdir()) == []


def test_columns_in_the_order_they_are_named(database_url: str, tmp_path: Path) -> None:
    store(database_url, bars("A", 2))
    with writing(str(tmp_path / "out.csv"), ("close", "symbol")) as write:
        export(database_url, SeriesFilter(), ("close", "symbol"), write)
    assert (tmp_path / "out.csv").read_text() == "close,symbol\n11.0,A\n11.0,A\n"


def test_all_is_from_one_moment(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("loader.store.export.PIECE", 5)
    rows = [*bars("A", 20), *bars("B", 20)]
    store(database_url, rows)
    frames: list[pl.DataFrame] = []

    def write(frame: pl.DataFrame) -> None:
        frames.append(frame)
        if len(frames) == 1:  # meanwhile
            with psycopg.connect(database_url) as connection:
                connection.execute("UPDATE bars_ohlcv SET close = 0")
                connection.execute("DELETE FROM bars_ohlcv WHERE symbol = 'B'")

    assert export(database_url, SeriesFilter(), COLUMNS, write).rows == 40
    assert pl.concat(frames).rows() == rows


def test_a_failure_in_the_middle_leaves_what_was_there(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("loader.store.export.PIECE", 5)
    store(database_url, bars("A", 100))
    for suffix in ("parquet", "csv"):
        path = tmp_path / f"out.{suffix}"
        path.write_text("before")

        def fail(url: str, path: Path = path) -> None:
            with writing(str(path), COLUMNS) as write:
                write(pl.DataFrame(bars("A", 3), schema=SCHEMA, orient="row"))
                with psycopg.connect(url) as connection:
                    connection.execute("ALTER TABLE bars_ohlcv RENAME TO elsewhere")
                export(url, SeriesFilter(), COLUMNS, write)

        with pytest.raises(MdloadError, match="bars_ohlcv"):
            fail(database_url)
        with psycopg.connect(database_url) as connection:
            connection.execute("ALTER TABLE elsewhere RENAME TO bars_ohlcv")
        assert path.read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.csv", "out.parquet"]


def once(path: Path) -> Callable[[], None]:
    def write() -> None:
        with writing(str(path), COLUMNS) as add:
            add(pl.DataFrame(bars("A", 3), schema=SCHEMA, orient="row"))

    return write


def test_a_link_stays_one_and_a_mode_too(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("before")
    (tmp_path / "real.csv").chmod(0o640)
    (tmp_path / "link.csv").symlink_to("real.csv")
    once(tmp_path / "link.csv")()
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().count("\n") == 4
    assert (tmp_path / "real.csv").stat().st_mode & 0o777 == 0o640


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "absent" / "out.csv", "cannot be written: No such file"),
        (tmp_path / "out.txt", r"neither \.parquet nor \.csv"),
        (tmp_path / "out", r"neither \.parquet nor \.csv"),
    ):
        with pytest.raises(SettingsError, match=message):
            once(path)()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_full_disk(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"out.{suffix}").symlink_to("/dev/full")
    with pytest.raises(SettingsError, match="cannot be written: No space left"):
        once(tmp_path / f"out.{suffix}")()
