"""Files and rows of different instruments that one option or one key would lay over each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from tests.conftest import Ran

Mdload = Callable[..., Ran]
DAYS = ("2024-05-06", "2024-05-07", "2024-05-08")
CLOSES = "SELECT symbol, close FROM bars_ohlcv ORDER BY ts, symbol, close"


@pytest.fixture
def load(forked: Mdload, database_url: str) -> Mdload:
    def run(*args: str | Path) -> Ran:
        return forked("--database", database_url, "backfill", *args)

    return run


def stored(url: str, sql: str = CLOSES) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql.encode()).fetchall()


def daily(path: Path, price: int, days: tuple[str, ...] = DAYS) -> Path:
    """A bar a day with all prices the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (f"{day},{price},{price},{price},{price},7" for day in days)
    path.write_text("\n".join(["date,open,high,low,close,volume", *rows, ""]))
    return path


def table(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows, ""]))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    daily(tmp_path / "f" / "KILO.csv", 11)
    daily(tmp_path / "f" / "LIMA.csv", 52)
    return tmp_path / "f"


SAID = ("--provider", "p", "--interval", "1d")
BOTH = [("KILO", 11.0), ("LIMA", 52.0)] * 3


def test_one_symbol_is_not_laid_over_files_of_other_names(
    load: Mdload, database_url: str, folder: Path
) -> None:
    lacking = load(folder, *SAID)
    assert (lacking.code, stored(database_url)) == (3, [])
    assert "--name '{symbol}.csv'" in lacking.err
    assert "--symbol" not in lacking.err
    laid = load(folder, *SAID, "--symbol", "KILO")
    assert (laid.code, stored(database_url)) == (2, [])
    assert "--name '{symbol}.csv'" in laid.err
    assert load(folder, *SAID, "--name", "{symbol}.csv").code == 0
    assert stored(database_url) == BOTH


def test_a_symbol_beside_a_pattern_that_gives_others(
    load: Mdload, database_url: str, folder: Path
) -> None:
    laid = load(folder, *SAID, "--name", "{symbol}.csv", "--symbol", "kilo")
    assert laid.code == 2
    assert "leave --symbol out" in laid.err
    assert stored(database_url) == [("KILO", 11.0)] * 3
    alone = load(folder / "LIMA.csv", *SAID, "--name", "{symbol}.csv", "--symbol", "KILO")
    assert alone.code == 0
    assert "symbol is LIMA" in alone.err
    assert stored(database_url) == BOTH


@pytest.mark.parametrize(
    "names",
    [
        ("2024-05.csv", "2024-06.csv"), ("KILO_2024-05.csv", "KILO_2024-06.csv"),
        ("2024/05/06/x.csv", "2024/05/07/x.csv"), ("part-00000.csv", "part-00001.csv"),
    ],
)  # fmt: skip
def test_files_that_differ_in_dates_may_be_of_one_symbol(
    load: Mdload, database_url: str, tmp_path: Path, names: tuple[str, str]
) -> None:
    daily(tmp_path / "f" / names[0], 11, ("2024-05-06", "2024-05-07"))
    daily(tmp_path / "f" / names[1], 12, ("2024-06-03", "2024-06-04"))
    assert load(tmp_path / "f", *SAID, "--symbol", "KILO").code == 0
    assert stored(database_url) == [("KILO", 11.0)] * 2 + [("KILO", 12.0)] * 2


@pytest.mark.parametrize(
    "names", [("000001.csv", "600000.csv"), ("MAR.csv", "NOV.csv"), ("KILO/a.csv", "LIMA/a.csv"),
              ("BRK.A.csv", "BRK.B.csv"), ("sh.600000.csv", "sh.600001.csv")],
)  # fmt: skip
def test_files_that_differ_in_a_name_are_not(
    load: Mdload, database_url: str, tmp_path: Path, names: tuple[str, str]
) -> None:
    for name, price in zip(names, (11, 52), strict=True):
        daily(tmp_path / "f" / name, price)
    assert load(tmp_path / "f", *SAID, "--symbol", "KILO").code == 2
    assert stored(database_url) == []
    free = load(tmp_path / "f" / names[0], *SAID, "--symbol", "KILO")
    assert (free.code, stored(database_url)) == (0, [("KILO", 11.0)] * 3)


def test_a_pattern_without_a_symbol_leaves_it_to_the_option(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    daily(tmp_path / "f" / "morning.csv", 11, DAYS[:1])
    daily(tmp_path / "f" / "evening.csv", 12, DAYS[1:2])
    assert load(tmp_path / "f", *SAID, "--symbol", "KILO", "--name", "*").code == 0
    assert stored(database_url) == [("KILO", 11.0), ("KILO", 12.0)]


def test_folders_of_a_lake_are_columns(load: Mdload, database_url: str, tmp_path: Path) -> None:
    for symbol, price in (("KILO", 11.0), ("LI%2FMA", 52.0)):
        for day in (6, 7):
            place = tmp_path / "lake" / "provider=acme" / f"ticker={symbol}" / "interval=1d"
            place = place / "year=2024" / "month=5" / f"day={day}"
            place.mkdir(parents=True)
            bar = {name: [price + day / 10] for name in ("open", "high", "low", "close")}
            pl.DataFrame(bar).write_parquet(place / "part-0.parquet")
    loaded = load(tmp_path / "lake")
    assert loaded.code == 0, loaded.err
    assert stored(
        database_url,
        "SELECT provider, symbol, interval, to_char(ts AT TIME ZONE 'UTC', 'MM-DD HH24:MI'), close"
        " FROM bars_ohlcv ORDER BY ts, symbol",
    ) == [
        ("acme", "KILO", "1d", "05-06 00:00", 11.6), ("acme", "LI/MA", "1d", "05-06 00:00", 52.6),
        ("acme", "KILO", "1d", "05-07 00:00", 11.7), ("acme", "LI/MA", "1d", "05-07 00:00", 52.7),
    ]  # fmt: skip


def test_a_files_own_column_precedes_its_folder(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    place = tmp_path / "symbol=LIMA"
    place.mkdir()
    bars = table(place / "x.csv", "date,symbol,open,high,low,close", "2024-05-06,KILO,1,1,1,1")
    loaded = load(bars, *SAID)
    assert loaded.code == 0
    assert "symbol is what column 'symbol' says (KILO), not LIMA" in loaded.err
    assert stored(database_url) == [("KILO", 1.0)]


def test_equal_bytes_in_two_folders_are_two_files(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    daily(tmp_path / "symbol=KILO" / "a.csv", 11)
    daily(tmp_path / "symbol=LIMA" / "a.csv", 11)
    assert load(tmp_path / "symbol=KILO", *SAID).code == 0
    assert load(tmp_path / "symbol=LIMA", *SAID).code == 0
    assert stored(database_url) == [("KILO", 11.0), ("LIMA", 11.0)] * 3
    again = load(tmp_path / "symbol=LIMA", *SAID)
    assert "nothing new: loaded already by run 2" in again.err


def test_folders_of_a_key_that_nothing_reads_are_not_laid_over_one_another(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    for adjusted, price in (("false", 11), ("true", 52)):
        daily(
            tmp_path / "symbol=KILO" / f"adjusted={adjusted}" / "date=2024-05-06" / "a.csv", price
        )
    refused = load(tmp_path, *SAID)
    assert refused.code == 2
    assert "adjusted=false and adjusted=true" in refused.err
    assert stored(database_url) == []
    one = load(tmp_path, *SAID, "--where", "adjusted=true")
    assert one.code == 0, one.err
    assert stored(database_url) == [("KILO", 52.0)] * 3
    both = load(tmp_path, *SAID, "--column", "symbol=symbol+adjusted")
    assert both.code == 0, both.err
    assert {symbol for symbol, _ in stored(database_url)} == {"KILO", "KILO.FALSE", "KILO.TRUE"}


def test_a_pattern_counts_in_the_fingerprint(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    one, two = daily(tmp_path / "KILO.csv", 11), daily(tmp_path / "LIMA.csv", 11)
    for path in (one, two):
        assert load(path, *SAID, "--name", "{symbol}.csv").code == 0
    assert stored(database_url) == [("KILO", 11.0), ("LIMA", 11.0)] * 3


@pytest.mark.parametrize(
    ("pattern", "code", "said"),
    [("{ticker}.csv", 2, "{ticker}"), ("{symbol.csv", 2, "brace"), ("{symbol}.txt", 3, "its name")],
)
def test_patterns_that_do_not_fit(
    load: Mdload, folder: Path, pattern: str, code: int, said: str
) -> None:
    wrong = load(folder, *SAID, "--name", pattern)
    assert wrong.code == code
    assert said in wrong.err


def test_a_pattern_in_a_job_and_in_a_dialect(
    forked: Mdload, database_url: str, tmp_path: Path, folder: Path
) -> None:
    config = tmp_path / "mdload.toml"
    config.write_text(
        "[jobs.a]\nsource = 'f'\nprovider = 'p'\ninterval = '1d'\nname = '{symbol}.csv'\n"
        "settle = 0\n[dialects.acme]\nheader = ['Tag', 'A', 'Z']\n"
        "names = ['{symbol}_{interval}.csv']\n"
        "columns = {ts = 'Tag', open = 'A', high = 'A', low = 'Z', close = 'Z'}\n"
    )
    ran = forked("--config", config, "--database", database_url, "run", "a")
    assert (ran.code, stored(database_url)) == (0, BOTH), ran.err
    own = table(tmp_path / "MIKE_SEC_1d.csv", "Tag,A,Z", "2024-05-09,3,2")
    ran = forked("--config", config, "--database", database_url, "backfill", own)
    assert ran.code == 0, ran.err
    assert stored(
        database_url, "SELECT provider, symbol, interval FROM bars_ohlcv WHERE close = 2"
    ) == [("acme", "MIKE_SEC", "1d")]


def test_a_provider_does_not_take_the_market_away(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    line = "1704067200000,5,6,4,5,10,1704067259999,50,3,4,20,0\n"
    for market, price in (("spot", "5"), ("futures/um", "7")):
        place = tmp_path / market / "monthly" / "klines" / "KILOUSDT" / "1m"
        place.mkdir(parents=True)
        (place / "KILOUSDT-1m-2024-01.csv").write_text(line.replace(",5,6,", f",{price},9,"))
    loaded = load(tmp_path, "--provider", "mine")
    assert loaded.code == 0, loaded.err
    assert stored(database_url, "SELECT provider, open FROM bars_ohlcv ORDER BY 1") == [
        ("mine", 5.0), ("mine-um", 7.0)
    ]  # fmt: skip


SERIES = "SYMBOL,SERIES,open,high,low,close,PREV,date"
ROWS = (
    "KILO,EQ,10,12,9,11,10.5,2024-05-06",
    "LIMA,EQ,50,53,49,52,50.25,2024-05-06",
    "KILO,N7,901,905,900,903,902.5,2024-05-06",
)


def test_rows_of_one_key_that_a_column_tells_apart(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    bars = table(tmp_path / "bars.csv", SERIES, *ROWS)
    refused = load(bars, *SAID)
    assert (refused.code, stored(database_url)) == (3, [])
    assert "'SERIES'" in refused.err
    assert "--column symbol='SYMBOL+SERIES'" in refused.err
    assert "--where SERIES=EQ" in refused.err
    one = load(bars, *SAID, "--where", "series=EQ", "--json")
    assert one.code == 0, one.err
    assert (one.json()["rows_inserted"], one.json()["rows_skipped"]) == (2, 1)
    assert stored(database_url) == [("KILO", 11.0), ("LIMA", 52.0)]
    both = load(bars, "--provider", "q", "--interval", "1d", "--column", "symbol=SYMBOL+SERIES")
    assert both.code == 0, both.err
    assert stored(
        database_url, "SELECT symbol, close FROM bars_ohlcv WHERE provider = 'q' ORDER BY 1"
    ) == [("KILO.EQ", 11.0), ("KILO.N7", 903.0), ("LIMA.EQ", 52.0)]
    either = load(bars, "--provider", "r", "--interval", "1d", "--where", "SERIES=N7|B2")
    assert either.code == 0
    assert stored(database_url, "SELECT symbol, close FROM bars_ohlcv WHERE provider = 'r'") == [
        ("KILO", 903.0)
    ]


def test_a_dialect_may_select_rows_and_join_columns(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    bars = table(tmp_path / "bars.csv", SERIES, *ROWS)
    config = tmp_path / "mdload.toml"
    config.write_text(
        "[dialects.acme]\nheader = ['SYMBOL', 'SERIES', 'PREV']\ninterval = '1d'\n"
        "where = {SERIES = 'EQ'}\ncolumns = {symbol = 'SYMBOL+SERIES', ts = 'date', open = 'open',"
        " high = 'high', low = 'low', close = 'close'}\n"
    )
    ran = forked("--config", config, "--database", database_url, "backfill", bars, "--json")
    assert ran.code == 0, ran.err
    assert ran.json()["rows_skipped"] == 1
    assert stored(database_url) == [("KILO.EQ", 11.0), ("LIMA.EQ", 52.0)]


@pytest.mark.parametrize("options", [(), ("--commit-every", "200")])
def test_a_conflict_in_a_later_batch_refuses_the_whole_file(
    load: Mdload, database_url: str, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """The two rows of one bar are 600 rows apart, and a batch has 100."""
    days = [
        str(day) for day in pl.date_range(pl.date(2021, 1, 1), pl.date(2022, 8, 23), eager=True)
    ]
    rows = [f"KILO,EQ,10,12,9,11,1,{day}" for day in days]
    bars = table(tmp_path / "bars.csv", SERIES, *rows, "KILO,N7,901,905,900,903,9,2021-01-01")
    refused = load(bars, *SAID, "--batch-rows", "100", *options)
    assert (refused.code, stored(database_url)) == (3, [])
    assert "'SERIES'" in refused.err
    one = load(bars, *SAID, "--batch-rows", "100", "--where", "SERIES=EQ", *options)
    assert one.code == 0, one.err
    assert stored(database_url, "SELECT count(*), max(close) FROM bars_ohlcv") == [(600, 11.0)]


def test_several_intervals_that_share_no_time(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    rows = [
        f"2024-05-06 {time},1,1,1,1,{tf}"
        for time, tf in (("09:31", "1m"), ("09:32", "1m"), ("09:35", "5m"), ("09:40", "5m"))
    ]
    bars = table(tmp_path / "x.csv", "time,open,high,low,close,tf", *rows)
    said = ("--provider", "p", "--symbol", "KILO", "--timezone", "UTC")
    refused = load(bars, *said, "--interval", "1m")
    assert (refused.code, stored(database_url)) == (3, [])
    assert "--column interval=tf" in refused.err
    assert load(bars, *said, "--column", "interval=tf").code == 0
    counts = "SELECT interval, count(*) FROM bars_ohlcv GROUP BY 1 ORDER BY 1"
    assert stored(database_url, counts) == [("1m", 2), ("5m", 2)]


def test_rows_that_are_wanted_may_come_late(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    """The interval is that of the wanted rows, which are not in the first batches."""
    others = [f"LIMA,X,1,1,1,1,1,2024-05-{day:02}" for day in range(1, 21)]
    bars = table(tmp_path / "bars.csv", SERIES, *others, *ROWS[:1])
    assert load(bars, *SAID, "--where", "SERIES=EQ", "--batch-rows", "6").code == 0
    assert stored(database_url) == [("KILO", 11.0)]


@pytest.mark.parametrize(
    ("header", "cells", "hint"),
    [
        ("flag_adjusted", ("true", "false"), "--where flag_adjusted="),
        ("span", ("1h", "1d"), "--column interval=span"),
        ("adj", ("0", "1"), "--where adj=0"),
        ("expiry_date", ("2024-06-20", "2024-09-19"), "--column symbol=ticker+expiry_date"),
        ("strike", ("100.5", "101"), "strike"),
    ],
)  # fmt: skip
def test_other_columns_that_tell_rows_apart(
    load: Mdload, database_url: str, tmp_path: Path, header: str, cells: tuple[str, str], hint: str
) -> None:
    rows = [f"2024-05-06,KILO,{price},{price},{price},{price},{cell}"
            for price, cell in zip((10, 20), cells, strict=True)]  # fmt: skip
    bars = table(tmp_path / "x.csv", f"date,ticker,open,high,low,close,{header}", *rows)
    refused = load(bars, *SAID)
    assert (refused.code, stored(database_url)) == (3, [])
    assert hint in refused.err.replace("'", "")


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("updated_at", ("2024-05-07", "2024-05-08")), ("turnover", ("1000", "2500")),
        ("remark", ("first", "corrected")), ("flag", ("", "C")), ("bid", ("9", "19")),
    ],
)  # fmt: skip
def test_a_restated_row_still_replaces_the_one_before_it(
    load: Mdload, database_url: str, tmp_path: Path, header: str, cells: tuple[str, str]
) -> None:
    rows = [f"2024-05-06,KILO,{price},{price},{price},{price},{cell}"
            for price, cell in zip((10, 20), cells, strict=True)]  # fmt: skip
    bars = table(tmp_path / "x.csv", f"date,ticker,open,high,low,close,{header}", *rows)
    assert load(bars, *SAID).code == 0
    assert stored(database_url) == [("KILO", 20.0)]


def test_what_is_lacking_is_named_at_once(load: Mdload, tmp_path: Path) -> None:
    rows = [f"2024-05-06 09:3{minute}:00,1,1,1,1" for minute in range(5)]
    bars = table(tmp_path / "KILO.csv", "time,open,high,low,close", *rows)
    lacking = load(bars)
    assert lacking.code == 3
    assert "name them: --provider mine --symbol KILO --timezone America/New_York" in lacking.err
    pasted = lacking.err.partition("name them: ")[2].splitlines()[0].split()
    assert load(bars, *pasted).code == 0


@pytest.mark.parametrize("option", ["--where", "--column"])
def test_one_column_with_two_values_is_a_mistake(load: Mdload, folder: Path, option: str) -> None:
    wrong = load(folder / "KILO.csv", *SAID, option, "close=a", option, "close=b")
    assert wrong.code == 2
    assert "given twice" in wrong.err


def test_folders_of_contracts(load: Mdload, database_url: str, tmp_path: Path) -> None:
    for contract, price in (("KIH4", 11), ("KIM4", 52)):
        daily(tmp_path / f"contract={contract}" / "part-0.csv", price)
    refused = load(tmp_path, *SAID, "--symbol", "KI")
    assert refused.code == 2
    assert "--column symbol='symbol+contract'" in refused.err
    one = load(tmp_path, *SAID, "--symbol", "KI", "--where", "contract=KIM4", "--dry-run", "--json")
    assert (one.code, one.json()["rows_inserted"]) == (0, 3), one.err
    both = load(tmp_path, *SAID, "--symbol", "KI", "--column", "symbol=symbol+contract")
    assert both.code == 0, both.err
    assert stored(database_url) == [("KI.KIH4", 11.0), ("KI.KIM4", 52.0)] * 3
    named = load(tmp_path, "--provider", "q", "--interval", "1d", "--name", "contract={symbol}/*")
    assert named.code == 0, named.err
    assert {symbol for symbol, _ in stored(database_url)} == {"KI.KIH4", "KI.KIM4", "KIH4", "KIM4"}


def test_folders_of_expiries_are_not_dates_of_bars(
    load: Mdload, database_url: str, tmp_path: Path
) -> None:
    for expiry, price in (("2024-06-21", 11), ("2024-09-20", 52)):
        daily(tmp_path / "symbol=KI" / f"expiry={expiry}" / "part-0.csv", price)
    refused = load(tmp_path, *SAID)
    assert (refused.code, stored(database_url)) == (2, [])
    assert "--column symbol='symbol+expiry'" in refused.err


def test_no_row_of_one_file_is_wanted(load: Mdload, database_url: str, tmp_path: Path) -> None:
    bars = table(tmp_path / "2024-05.csv", SERIES, *ROWS)
    refused = load(bars, *SAID, "--where", "SERIES=BE")
    assert (refused.code, stored(database_url)) == (3, [])
    assert "no row has SERIES=BE, and column 'SERIES' has 'EQ', 'N7'" in refused.err
    table(tmp_path / "2024-06.csv", SERIES, *(row.replace("EQ", "BE") for row in ROWS))
    one_of_two = load(tmp_path, *SAID, "--where", "SERIES=BE")
    assert one_of_two.code == 0
    assert "2024-05.csv: no row has SERIES=BE" in one_of_two.err
    assert stored(database_url) == [("KILO", 11.0), ("LIMA", 52.0)]
