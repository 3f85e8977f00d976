"""Raw rows as JSON that jsonb accepts and that preserves every cell."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.check.rawjson import encode
from loader.check.reasons import LONGEST_KEY


def rows(frame: pl.DataFrame) -> list[Any]:
    return [json.loads(text) for text in encode(frame)]


def read_back(text: str) -> str:
    """Reverses the module's escaping, one character at a time."""
    result, characters = "", iter(text)
    for character in characters:
        if character == "␛":
            result += next(characters)
        else:
            result += "\0" if character == "␀" else character
    return result


CELLS = st.text() | st.text("\0␀␛\\\"'u0a\n", max_size=12)


@given(st.lists(CELLS | st.none(), min_size=1, max_size=10))
def test_text_survives_whatever_it_is(cells: list[str | None]) -> None:
    encoded = encode(pl.DataFrame({"c": cells}, schema={"c": pl.String}))
    for text, cell in zip(encoded, cells, strict=True):
        assert "\\u0000" not in text.replace("\\\\", "")
        assert "\0" not in text
        value = json.loads(text)["c"]
        assert (None if value is None else read_back(value)) == cell


def test_nul_is_visible() -> None:
    assert encode(pl.DataFrame({"symbol": ["A\0B"]})).to_list() == ['{"symbol":"A␀B"}']
    assert encode(pl.DataFrame({"symbol": ["A␀␛"]})).to_list() == ['{"symbol":"A␛␀␛␛"}']


def test_text_is_kept_as_it_stands_in_the_order_of_the_columns() -> None:
    frame = pl.DataFrame({"b": [" 1.50 ", ""], "a": ['say "x"', None], "é\n": ["1,234", "\\0"]})
    assert encode(frame)[0] == '{"b":" 1.50 ","a":"say \\"x\\"","é\\n":"1,234"}'
    assert rows(frame)[1] == {"b": "", "a": None, "é\n": "\\0"}


def test_the_server_gets_columns_in_the_order_of_jsonb(database_url: str) -> None:
    long = "n" * 250
    names = ("volume", "é", "b\0", long, "ts", "zzz", "B", "日", "a", "aa", "ö", 'say "x"')
    frame = pl.DataFrame({name: [str(place)] for place, name in enumerate(names)})
    encoded = encode(frame, for_server=True)[0]
    assert json.loads(encoded) == json.loads(encode(frame)[0])
    assert [*json.loads(encoded)] == [
        "B", "a", "aa", "ts", "é", "ö", "zzz", "日", "b␀", "volume", 'say "x"',
        f"{'n' * 200}␛… column 4",
    ]  # fmt: skip
    with psycopg.connect(database_url) as connection:
        (kept,) = connection.execute("SELECT %s::jsonb::text", [encoded]).fetchone() or ("",)
    assert [*json.loads(kept).items()] == [*json.loads(encoded).items()]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pl.Series([0.1]), "0.1"),
        (pl.Series([float("nan")]), "NaN"),
        (pl.Series([float("-inf")]), "-inf"),
        (pl.Series([31.95], dtype=pl.Float32), "31.95"),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), "18446744073709551615"),
        (pl.Series([Decimal("1.50")], dtype=pl.Decimal(10, 2)), "1.50"),
        (pl.Series([True]), "true"),
        (pl.Series([date(2020, 1, 2)]), "2020-01-02"),
        (pl.Series([time(9, 30)]), "09:30:00"),
        (pl.Series([time(9, 30, 0, 5)]), "09:30:00.000005"),
        (pl.Series([datetime(2020, 1, 2, 3)]), "2020-01-02 03:00:00.000000"),
        (
            pl.Series([datetime(2020, 1, 2, 3, tzinfo=UTC)]).dt.convert_time_zone("Asia/Tokyo"),
            "2020-01-02 12:00:00.000000+09:00",
        ),
        (pl.Series([10**9]).cast(pl.Datetime("ns")), "1970-01-01 00:00:01.000000000"),
        (pl.Series([2**62]).cast(pl.Datetime("ms")), "4611686018427387904"),
        (pl.Series([-(2**63)]).cast(pl.Datetime("us", "UTC")), "-9223372036854775808"),
        (pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date), "2147483647"),
        (pl.Series([timedelta(hours=1)]), "PT1H"),
        (pl.Series([b"\x00\xff"]), "00ff"),
        (pl.Series(["AAPL"]).cast(pl.Categorical), "AAPL"),
        (pl.Series([[1, 2]]), "[1,2]"),
        (pl.Series([[2**62]]).cast(pl.List(pl.Datetime("ms"))), "[4611686018427387904]"),
        (pl.Series([{"a": "x"}]), '{"a":"x"}'),
        (pl.Series([None]), None),
    ],
)
def test_typed_cells_are_text(column: pl.Series, text: str | None) -> None:
    assert rows(pl.DataFrame({"c": column})) == [{"c": text}]
    empty = pl.DataFrame({"c": column.clear(1)})
    assert rows(empty) == [{"c": None}]


@given(st.lists(st.floats(), min_size=1, max_size=10))
def test_floats_are_told_exactly(values: list[float]) -> None:
    for row, value in zip(rows(pl.DataFrame({"c": values})), values, strict=True):
        assert repr(float(row["c"])) == repr(value)


def test_a_row_without_columns() -> None:
    assert encode(pl.DataFrame({"a": [1, 2]}).select([])).to_list() == []


def test_long_cells_are_cut_where_a_person_sees_it() -> None:
    long = "\0" + "x" * 2001
    frame = pl.DataFrame({"symbol": [long, "A", None], "line": ["y" * 2000, "é" * 1999, "z"]})
    first, second, third = rows(frame)
    assert first == {"symbol": "␀" + "x" * 1999 + "␛… 2 more characters", "line": "y" * 2000}
    assert second == {"symbol": "A", "line": "é" * 1999}
    assert third == {"symbol": None, "line": "z"}


@pytest.mark.parametrize(
    ("columns", "kept"), [(1, 2000), (4, 2000), (8, 1000), (40, 200), (90, 200)]
)
def test_the_cells_of_a_row_share_its_room(columns: int, kept: int) -> None:
    """None keeps fewer characters than a symbol may have, so that a replay cannot take it."""
    assert kept > LONGEST_KEY
    [row] = rows(pl.DataFrame({f"c{n}": ["x" * 3000] for n in range(columns)}))
    assert {*row.values()} == {"x" * kept + f"␛… {3000 - kept} more characters"}


def test_long_names_are_cut_and_stay_apart() -> None:
    name = "x" * 300
    assert rows(pl.DataFrame({f"{name}a": ["1"], f"{name}b": ["2"]})) == [
        {"x" * 200 + "␛… column 1": "1", "x" * 200 + "␛… column 2": "2"}
    ]


_BYTES = pa.struct([("a", pa.binary()), ("b", pa.int64())])


@pytest.mark.parametrize(
    ("cells", "kind", "text"),
    [
        ([b"\xff\x00"], pa.list_(pa.binary()), '["ff00"]'),
        ([b"\xff"], pa.list_(pa.binary(), 1), '["ff"]'),
        ([[b"\xff", None]], pa.list_(pa.list_(pa.binary(1))), '[["ff",null]]'),
        ([{"a": b"\xff", "b": 1}, None], pa.list_(_BYTES), '[{"a":"ff","b":1},null]'),
        ([("k", b"\xff")], pa.map_(pa.string(), pa.binary()), '[{"key":"k","value":"ff"}]'),
        ([(7, "v")], pa.map_(pa.int64(), pa.string()), '[{"key":7,"value":"v"}]'),
        ([("k", "v")], pa.map_(pa.string(), pa.string()), '{"k":"v"}'),
        ({"a": b"\xff", "b": 1}, _BYTES, '{"a":"ff","b":1}'),
    ],
)
def test_bytes_and_maps_within_other_types(cells: Any, kind: Any, text: str) -> None:
    frame = pl.from_arrow(pa.table({"c": pa.array([cells, None], kind)}))
    assert isinstance(frame, pl.DataFrame)
    assert rows(frame) == [{"c": text}, {"c": None}]


DAY = datetime(2024, 3, 4)


@pytest.mark.parametrize(
    ("dtype", "moment", "written"),
    [
        (pl.Datetime("us", "UTC"), DAY.replace(tzinfo=UTC), "2024-03-04 00:00:00.000000+00:00"),
        (pl.Datetime("ms"), DAY, "2024-03-04 00:00:00.000"),
        (pl.Datetime("ns"), DAY, "2024-03-04 00:00:00.000000000"),
        (pl.Date(), DAY.date(), "2024-03-04"),
    ],
)
def test_moments_that_repeat_are_written_as_those_that_do_not(
    dtype: pl.DataType, moment: date, written: str
) -> None:
    far = 10**17 if dtype != pl.Date() else 10**7  # far beyond the year 9999, as a number
    once = pl.Series("at", [moment, None], dtype=dtype)
    beyond = pl.Series("at", [far], dtype=once.to_physical().dtype).cast(dtype)
    after = once.head(1).dt.offset_by("1d")
    single = pl.concat([once, after, beyond])
    texts = [row["at"] for row in rows(single.to_frame())]
    assert texts[:3] == [written, None, written.replace("03-04", "03-05")]
    repeated = pl.concat([single] * 7)
    assert [row["at"] for row in rows(repeated.to_frame())] == texts * 7
    assert encode(single.clear().to_frame()).to_list() == []
