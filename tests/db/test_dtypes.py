"""Every dtype that a bar file has on disk, from the file into PostgreSQL, to the last bit.

The expected values are literals: the double nearest to what the file says, the instant in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import FileResult
from loader.settings import RejectLimit, Settings
from tests.conftest import database

MOMENT = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
SECONDS = 1_719_840_600  # that moment
NEW_YORK = datetime(2024, 7, 1, 9, 30)  # what its clock showed then
DAY = datetime(2024, 7, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Store:
    """A database that the tests share; each has a provider of its own in it."""

    url: str
    provider: str

    def load(self, path: Path, **settings: Any) -> FileResult:
        asked = Settings(**{"provider": self.provider, "symbol": "X", "interval": "1m",
                            "price_exponent": 0, "max_rejects": RejectLimit(share=1.0),
                            **settings})  # fmt: skip
        with find([str(path)]) as sources:
            (file,) = load(asked, self.url, sources).files
        return file

    def bars(self, *columns: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(
                f"SELECT {', '.join(columns)} FROM bars_ohlcv WHERE provider = %s ORDER BY ts",
                (self.provider,),
            ).fetchall()


@pytest.fixture(scope="module")
def shared(server_url: str, template: str) -> Iterator[str]:
    with database(server_url, template) as url:
        yield url


@pytest.fixture
def store(shared: str, request: pytest.FixtureRequest) -> Store:
    return Store(shared, request.node.name)


def written(folder: Path, container: str, columns: dict[str, Any]) -> Path:
    """A table with good prices, a time and the columns given, as a file."""
    height = len(next(iter(columns.values())))
    whole = {
        "ts": pa.array([MOMENT] * height, pa.timestamp("us", "UTC")),
        **{name: pa.array([10.0] * height) for name in ("open", "high", "low", "close")},
        **columns,
    }
    table = pa.table(whole)
    path = folder / f"bars.{container}"
    if container == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    return path


def prices(array: Any) -> dict[str, Any]:
    return dict.fromkeys(("open", "high", "low", "close", "volume", "vwap"), array)


EXTREME = "123456789.123456789123456789"
PRICES: list[tuple[Any, float]] = [
    (pa.array([100], pa.int8()), 100.0),
    (pa.array([32_767], pa.int16()), 32_767.0),
    (pa.array([2_147_483_647], pa.int32()), 2_147_483_647.0),
    (pa.array([9_007_199_254_740_993], pa.int64()), 9_007_199_254_740_992.0),
    (pa.array([9_223_372_036_854_775_807], pa.int64()), 9_223_372_036_854_775_808.0),
    (pa.array([255], pa.uint8()), 255.0),
    (pa.array([65_535], pa.uint16()), 65_535.0),
    (pa.array([4_294_967_295], pa.uint32()), 4_294_967_295.0),
    (pa.array([9_223_372_036_854_775_808], pa.uint64()), 9_223_372_036_854_775_808.0),
    (pa.array([18_446_744_073_709_551_615], pa.uint64()), 18_446_744_073_709_551_616.0),
    (pa.array([0.1], pa.float16()), 0.0999755859375),
    (pa.array([31.95], pa.float32()), 31.950000762939453),
    (pa.array([0.1], pa.float64()), 0.1),
    (pa.array([Decimal("5")], pa.decimal128(5, 0)), 5.0),
    (pa.array([Decimal("31.95")], pa.decimal128(10, 2)), 31.95),
    (pa.array([Decimal("5527.250000000")], pa.decimal128(18, 9)), 5527.25),
    (pa.array([Decimal("0.3")], pa.decimal128(3, 1)), 0.3),
    (pa.array([Decimal(EXTREME)], pa.decimal128(38, 18)), 123456789.12345679),
    (pa.array([Decimal("1.2E+3")], pa.decimal128(5, -2)), 1200.0),
    (pa.array([Decimal(EXTREME)], pa.decimal256(60, 18)), 123456789.12345679),
    (pa.array(["31.95"], pa.string()), 31.95),
    (pa.array(["31.95"], pa.large_string()), 31.95),
    (pa.array(["31.95"], pa.string_view()), 31.95),
    (pa.array([" 3.60E-05 "], pa.string()), 3.6e-05),
    (pa.array(["9007199254740993"], pa.string()), 9_007_199_254_740_992.0),
    (pa.array(["0.1000000000000000055511151231257827"], pa.string()), 0.1),
    (pa.array(["31.95"]).dictionary_encode(), 31.95),
    (pa.array(["31.95"]).cast(pa.dictionary(pa.int8(), pa.large_string())), 31.95),
    (pa.array([31.95]).dictionary_encode(), 31.95),
]


@pytest.mark.parametrize("container", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("array", "expected"), PRICES, ids=[f"{array.type} {array[0]}" for array, _ in PRICES]
)
def test_prices_and_volumes(
    array: Any, expected: float, container: str, store: Store, tmp_path: Path
) -> None:
    if container == "parquet" and "-2" in str(array.type):
        return  # Parquet has no decimals of negative scale
    file = store.load(written(tmp_path, container, prices(array)))
    assert (file.state, file.error, dict(file.rejected)) == ("loaded", None, {})
    (found,) = store.bars("open", "high", "low", "close", "volume", "vwap")
    assert found == (expected,) * 6


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([3], pa.int8()), 3),
        (pa.array([2**63 - 1], pa.int64()), 9_223_372_036_854_775_807),
        (pa.array([2**63 - 1], pa.uint64()), 9_223_372_036_854_775_807),
        (pa.array([12.0], pa.float32()), 12),
        (pa.array([12.0]), 12),
        (pa.array([Decimal("12.00")], pa.decimal128(9, 2)), 12),
        (pa.array(["12"]), 12),
        (pa.array(["1.2E+09"]), 1_200_000_000),
        (pa.array(["12"]).dictionary_encode(), 12),
        (pa.array([None], pa.int64()), None),
        (pa.nulls(1), None),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_numbers_of_trades(array: Any, expected: int | None, store: Store, tmp_path: Path) -> None:
    file = store.load(written(tmp_path, "parquet", {"trade_count": array}))
    assert file.state == "loaded", file.error
    assert store.bars("trade_count") == [(expected,)]


@pytest.mark.parametrize(
    "array",
    [pa.array([2**63], pa.uint64()), pa.array([12.5]), pa.array(["12.5"]), pa.array([1e300])],
    ids=["uint64", "float", "text", "huge"],
)
def test_numbers_of_trades_that_are_none_are_rejected(
    array: Any, store: Store, tmp_path: Path
) -> None:
    file = store.load(written(tmp_path, "parquet", {"trade_count": array}))
    assert dict(file.rejected) == {"trade_count_unparsable": 1}
    assert store.bars("trade_count") == []


def stamped(values: Sequence[Any], kind: Any) -> dict[str, Any]:
    return {"ts": pa.array(values, kind)}


NAIVE = {"timezone": "America/New_York"}
TIMES: list[tuple[str, dict[str, Any], dict[str, Any], datetime]] = [
    ("UTC s", stamped([MOMENT], pa.timestamp("s", "UTC")), {}, MOMENT),
    ("UTC ms", stamped([MOMENT], pa.timestamp("ms", "UTC")), {}, MOMENT),
    ("UTC us", stamped([MOMENT], pa.timestamp("us", "UTC")), {}, MOMENT),
    ("UTC ns", stamped([MOMENT], pa.timestamp("ns", "UTC")), {}, MOMENT),
    ("zone s", stamped([MOMENT], pa.timestamp("s", "America/New_York")), {}, MOMENT),
    ("zone ns", stamped([MOMENT], pa.timestamp("ns", "Asia/Kolkata")), {}, MOMENT),
    ("offset", stamped([MOMENT], pa.timestamp("us", "+05:30")), {}, MOMENT),
    ("naive s", stamped([NEW_YORK], pa.timestamp("s")), NAIVE, MOMENT),
    ("naive ms", stamped([NEW_YORK], pa.timestamp("ms")), NAIVE, MOMENT),
    ("naive us", stamped([NEW_YORK], pa.timestamp("us")), NAIVE, MOMENT),
    ("naive ns", stamped([NEW_YORK], pa.timestamp("ns")), NAIVE, MOMENT),
    ("date32", stamped([date(2024, 7, 1)], pa.date32()), {"interval": "1d"}, DAY),
    ("date64", stamped([date(2024, 7, 1)], pa.date64()), {"interval": "1d"}, DAY),
    ("day of naive", stamped([datetime(2024, 7, 1)], pa.timestamp("ns")), {"interval": "1d"}, DAY),
    ("day of zone", stamped([datetime(2024, 7, 1, 4, tzinfo=UTC)],
                            pa.timestamp("ns", "America/New_York")), {"interval": "1d"}, DAY),
    ("day of instant", stamped([datetime(2024, 7, 1, 4, tzinfo=UTC)], pa.timestamp("ms", "UTC")),
     {"interval": "1d", **NAIVE}, DAY),
    ("epoch s int32", stamped([SECONDS], pa.int32()), {}, MOMENT),
    ("epoch s uint32", stamped([SECONDS], pa.uint32()), {}, MOMENT),
    ("epoch s int64", stamped([SECONDS], pa.int64()), {}, MOMENT),
    ("epoch ms", stamped([SECONDS * 10**3], pa.int64()), {}, MOMENT),
    ("epoch us", stamped([SECONDS * 10**6], pa.int64()), {}, MOMENT),
    ("epoch ns", stamped([SECONDS * 10**9], pa.int64()), {}, MOMENT),
    ("epoch ns uint64", stamped([SECONDS * 10**9], pa.uint64()), {}, MOMENT),
    ("epoch s float", stamped([float(SECONDS)], pa.float64()), {}, MOMENT),
    ("epoch ms float", stamped([SECONDS * 1e3], pa.float64()), {}, MOMENT),
    ("epoch us float", stamped([SECONDS * 1e6], pa.float64()), {}, MOMENT),
    ("epoch s text", stamped([str(SECONDS)], pa.string()), {}, MOMENT),
    ("epoch ms text with .0", stamped([f"{SECONDS}000.0"], pa.string()), {}, MOMENT),
    ("epoch named", stamped([60], pa.int64()), {"time_format": "s"},
     datetime(1970, 1, 1, 0, 1, tzinfo=UTC)),
    ("digits", stamped([20_240_701_093_000], pa.int64()), NAIVE, MOMENT),
    ("digits of a day", stamped([20_240_701], pa.int32()), {"interval": "1d"}, DAY),
    ("text", stamped(["2024-07-01 13:30:00Z"], pa.string()), {}, MOMENT),
    ("dictionary", {"ts": pa.array(["2024-07-01T09:30:00-04:00"]).dictionary_encode()}, {}, MOMENT),
    ("date and time", {"ts": pa.array([date(2024, 7, 1)]),
                       "time": pa.array([time(9, 30)], pa.time64("us"))}, NAIVE, MOMENT),
    ("date and clock", {"ts": pa.array([date(2024, 7, 1)]), "time": pa.array(["09:30"])}, NAIVE,
     MOMENT),
]  # fmt: skip


@pytest.mark.parametrize("container", ["parquet", "arrow"])
@pytest.mark.parametrize(("columns", "settings", "expected"), [t[1:] for t in TIMES],
                         ids=[t[0] for t in TIMES])  # fmt: skip
def test_times(
    columns: dict[str, Any], settings: dict[str, Any], expected: datetime, container: str,
    store: Store, tmp_path: Path,
) -> None:  # fmt: skip
    if "time" in columns:
        columns = {"date": columns["ts"], "time": columns["time"]}
        settings = {**settings, "columns": {"ts": "date", "time_of_day": "time"}}
    file = store.load(written(tmp_path, container, columns), **settings)
    assert (file.state, file.error, dict(file.rejected)) == ("loaded", None, {})
    assert store.bars("ts") == [(expected,)]


@pytest.mark.parametrize(
    ("kind", "value", "rule"),
    [
        (pa.timestamp("ns", "UTC"), SECONDS * 10**9 + 999, "ts_unparsable"),
        (pa.int64(), SECONDS * 10**9 + 999, "ts_unparsable"),
        (pa.uint64(), 2**64 - 1, "ts_unparsable"),  # Databento's undefined time
        (pa.float64(), SECONDS + 0.5, "ts_unparsable"),
        (pa.timestamp("s", "UTC"), 2**62, "ts_unparsable"),
        (pa.timestamp("us", "UTC"), 2**62, "ts_unparsable"),
        (pa.timestamp("ms", "UTC"), 2**62, "ts_unparsable"),
        (pa.timestamp("us", "UTC"), -60_000_000 * 10**8, "ts_out_of_range"),
    ],
)
def test_times_that_no_bar_has_are_rejected_not_cut_or_wrapped(
    kind: Any, value: Any, rule: str, store: Store, tmp_path: Path
) -> None:
    unit = kind.unit if pa.types.is_timestamp(kind) else "s"
    good = SECONDS * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    file = store.load(written(tmp_path, "arrow", {"ts": pa.array([good, good, value], kind)}))
    assert dict(file.rejected) == {rule: 1}
    assert file.counts.duplicate == 1
    assert store.bars("ts") == [(MOMENT,)]


CSV_TIMES = [
    "2024-07-01T13:30:00Z", "2024-07-01T13:30:00.000Z", "2024-07-01T13:30:00.000000000Z",
    "2024-07-01 13:30:00+00:00", "2024-07-01T09:30:00-04:00", "2024-07-01T09:30:00-0400",
    "2024-07-01 19:00:00+05:30", "2024-07-01 13:30 UTC",
]  # fmt: skip
CSV_LOCAL = [
    "2024-07-01 09:30:00", "2024-07-01T09:30:00", "2024-07-01 09:30", "2024/07/01 09:30",
    "2024.07.01 09:30:00", "20240701 093000", "20240701 0930", "01.07.2024 09:30:00",
    "1-Jul-24 09:30", "01 Jul 2024 09:30", "Jul 01, 2024 9:30 AM", "July 1, 2024 09:30:00 AM",
    "20240701093000", "2024-7-1 9:30:0",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "zone"),
    [*((text, None) for text in CSV_TIMES), *((text, "America/New_York") for text in CSV_LOCAL)],
)
def test_times_as_text(text: str, zone: str | None, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(f'Datetime,Open,High,Low,Close,Volume\n"{text}",31.95,3.2E1,31.9,31.90,1E2\n')
    file = store.load(path, timezone=zone)
    assert file.state == "loaded", file.error
    assert store.bars("ts", "open", "high", "low", "close", "volume") == [
        (MOMENT, 31.95, 32.0, 31.9, 31.9, 100.0)
    ]


@pytest.mark.parametrize("container", ["parquet", "arrow"])
@pytest.mark.parametrize(
    "symbols",
    [
        pl.Series(["aapl", " MSFT"], dtype=pl.Categorical),
        pl.Series(["aapl", " MSFT"], dtype=pl.Enum(["aapl", " MSFT"])),
        pl.Series(["aapl", " MSFT"]),
    ],
    ids=["categorical", "enum", "string"],
)
def test_symbols_as_polars_writes_them(
    symbols: pl.Series, container: str, store: Store, tmp_path: Path
) -> None:
    price = pl.Series([10.0, 10.0])
    frame = pl.DataFrame({"symbol": symbols, "ts": [MOMENT, MOMENT], "open": price, "high": price,
                          "low": price, "close": price})  # fmt: skip
    path = tmp_path / f"bars.{container}"
    if container == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_ipc(path)
    file = store.load(path, symbol=None)
    assert file.state == "loaded", file.error
    assert sorted(store.bars("symbol")) == [("AAPL",), ("MSFT",)]


def test_binary_text_is_a_number_and_other_bytes_are_not(store: Store, tmp_path: Path) -> None:
    kept = store.load(written(tmp_path, "parquet", {"close": pa.array([b"10"])}))
    assert (kept.state, kept.counts.inserted) == ("loaded", 1)
    refused = store.load(written(tmp_path, "parquet", {"close": pa.array([b"\xff\xfe"])}))
    assert refused.state == "failed"
    assert "column 'close' holds no numbers" in str(refused.error)


@pytest.mark.parametrize(
    "array",
    [pa.array([True]), pa.array([[10.0]]), pa.array([date(2024, 7, 1)])],
    ids=lambda array: str(array.type),
)
def test_types_that_no_price_has_refuse_the_file(array: Any, store: Store, tmp_path: Path) -> None:
    file = store.load(written(tmp_path, "parquet", {"close": array}))
    assert file.state == "failed"
    assert "which cannot be the close of a bar" in str(file.error)
    assert store.bars("close") == []
