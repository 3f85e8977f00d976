"""What names and folders say, and which files of a load may be of different instruments."""

from __future__ import annotations

import pytest

from loader.dialects.editions import Difference, difference
from loader.dialects.filenames import path_columns, read_path
from loader.dialects.patterns import in_folders, in_name
from loader.dialects.siblings import Siblings, pattern_for
from loader.settings import Meaning


@pytest.mark.parametrize(
    ("path", "pattern", "found"),
    [
        ("/d/BTC_USDT_1h.csv.gz", "{symbol}_{interval}.csv",
         {"symbol": "BTC_USDT", "interval": "1h"}),
        ("/d/KILO/2024-05-06.csv", "{symbol}/{date}.csv",
         {"symbol": "KILO", "date": "2024-05-06"}),
        ("/d/x.zip!KILO.csv", "{symbol}.csv", {"symbol": "KILO"}),
        ("/d/acme/KILO/any.parquet", "{provider}/{symbol}/*",
         {"provider": "acme", "symbol": "KILO"}),
        ("/d/KILO/KILO_1m.csv", "{symbol}/{symbol}_{interval}.csv",
         {"symbol": "KILO", "interval": "1m"}),
        ("/d/KILO/LIMA_1m.csv", "{symbol}/{symbol}_{interval}.csv", None),
        ("/d/KILO.csv", "{symbol}.txt", None),
        ("/d/aKILO.csv", "KILO.csv", None),
        ("/d/K+L.csv", "K+{symbol}.csv", {"symbol": "L"}),
    ],
)  # fmt: skip
def test_what_a_pattern_finds(path: str, pattern: str, found: dict[str, str] | None) -> None:
    assert in_name(path, pattern) == found


def test_folders_with_an_equals_sign() -> None:
    assert in_folders("/a/symbol=BRK%2FB/year=2024/month=1/day=5/x=y.csv") == {
        "symbol": "BRK/B", "year": "2024", "month": "1", "day": "5", "date": "2024-01-05"
    }  # fmt: skip
    assert in_folders("/a/symbol=__HIVE_DEFAULT_PARTITION__/tf=/x.csv") == {}
    assert in_folders("/a/b/x.csv") == {}


def test_the_pattern_precedes_the_folder() -> None:
    found = read_path("/a/symbol=KILO/LIMA.csv", "LIMA.csv", "{symbol}.csv")
    assert found.words == {"symbol": "LIMA"}
    assert not found.free
    assert read_path("/a/KILO.csv", "KILO.csv", "*").free


def test_only_what_decides_the_bars_is_in_a_fingerprint() -> None:
    assert path_columns("/a/b/KILO.csv", Meaning()) == {}
    assert path_columns("/a/job=12/KILO.csv", Meaning()) == {}
    assert path_columns("/a/job=12/KILO.csv", Meaning(where={"job": "12"})) == {"job": "12"}
    assert path_columns("/a/ticker=KILO/x.csv", Meaning()) == {"ticker": "KILO"}
    assert path_columns("/a/KILO.csv", Meaning(name_pattern="{symbol}.csv")) == {"symbol": "KILO"}


@pytest.mark.parametrize(
    ("one", "other", "pattern"),
    [
        ("/d/KILO.csv", "/d/LIMA.csv", "{symbol}.csv"),
        ("/d/MARA.csv", "/d/DECK.csv", "{symbol}.csv"),
        ("/d/D05.csv", "/d/C07.csv", "{symbol}.csv"),
        ("/d/T.csv", "/d/Z.csv", "{symbol}.csv"),
        ("/d/600000.csv", "/d/600001.csv", "{symbol}.csv"),
        ("/d/BRK.A.csv", "/d/BRK.B.csv", "{symbol}.csv"),
        ("/d/BTC_USDT_1h.csv", "/d/ETH_USD_1h.csv", "{symbol}_{interval}.csv"),
        ("/d/us_KILO_daily.csv", "/d/us_LIMA_daily.csv", "*_{symbol}_{interval}.csv"),
        ("/d/kilo/2024-01-02.csv", "/d/lima/2024-01-02.csv", "{symbol}/*"),
        ("/d/kilo/2024/01.csv", "/d/lima/2024/01.csv", "{symbol}/*/*"),
    ],
)
def test_names_of_different_instruments(one: str, other: str, pattern: str) -> None:
    assert Siblings([one, other]).unlike(one) == other
    assert Siblings([one, other]).unlike(other) == one
    assert pattern_for(one, other) == pattern
    named = [in_name(path, pattern) for path in (one, other)]
    assert None not in named
    assert named[0] != named[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/d/KILO_2024-01.csv", "/d/KILO_2024-02.csv"), ("/d/20240102.csv", "/d/20240103.csv.gz"),
        ("/d/2024/01/02/KILO.csv", "/d/2024/01/03/KILO.csv"),
        ("/d/JAN2024.csv", "/d/FEB2024.csv"), ("/d/kilo_1m.csv", "/d/kilo_1d.csv"),
        ("/d/part-00000.parquet", "/d/part-00001.parquet"),
        ("/d/date=2024-01-02/x.parquet", "/d/date=2024-01-03/x.parquet"),
        ("/d/year=2024/month=1/a.parquet", "/d/year=2024/month=2/a.parquet"),
        ("/d/1f868c6506de4c61a674fa635c9b7709-0.parquet",
         "/d/2f868c6506de4c61a674fa635c9b7709-0.parquet"),
        ("/d/KILO.zip!2024.csv", "/d/KILO.zip!2023.csv"), ("/d/data.csv", "/d/data (1).csv"),
        ("/d/KILO_full.csv", "/d/KILO_update.csv"), ("/d/KILO.csv", "/d/KILO_corrected.csv"),
        ("/d/Full_KILO.csv", "/d/KILO.csv"),
    ],
)  # fmt: skip
def test_names_that_tell_only_when_or_which_part(one: str, other: str) -> None:
    assert Siblings([one, other]).unlike(one) is None


@pytest.mark.parametrize(
    ("one", "other", "own", "others", "numbers"),
    [
        ("/d/raw/KILO.csv", "/d/adjusted/KILO.csv", ("raw",), ("adjusted",), False),
        ("/d/KILO.csv", "/d/KILO_adj.csv", (), ("adj",), False),
        ("/d/raw/KILO_raw.csv", "/d/raw/KILO_adj.csv", ("raw",), ("adj",), False),
        ("/d/KILO_1.csv", "/d/KILO_2.csv", ("1",), ("2",), True),
        ("/d/x.zip!bid/KILO.csv", "/d/x.zip!ask/KILO.csv", ("bid",), ("ask",), False),
        ("/d/side=bid/p.csv", "/d/side=ask/p.csv", ("side=bid",), ("side=ask",), False),
        ("/d/KILO_1h.csv", "/d/KILO_4h.csv", ("1h",), ("4h",), False),
    ],
)
def test_names_that_differ_in_more_than_editions(
    one: str, other: str, own: tuple[str, ...], others: tuple[str, ...], numbers: bool
) -> None:
    assert difference(one, other) == Difference(own, others, numbers)
    assert difference(other, one) == Difference(others, own, numbers)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/d/2024-03-04.csv", "/d/2024-03-05.csv.gz"), ("/d/KILO.csv", "/d/KILO_v2.csv"),
        ("/d/KILO.csv", "/d/fixes/KILO.csv"), ("/d/part-1.csv", "/d/part-12.csv"),
        ("/d/run=1/a.csv", "/d/run=2/a.csv"), ("/d/a_0304.csv", "/d/a_0305.csv"),
        ("/d/a_143000.csv", "/d/a_150000.csv"), ("/d/a (1).csv", "/d/a.csv"),
        ("/d/nightly_mon.csv", "/d/nightly_tue.csv"), ("/d/a_9f8e7d6c.csv", "/d/a_1a2b3c4d.csv"),
        ("/d/a_rev3.csv", "/d/a_rev4.csv"),
    ],
)  # fmt: skip
def test_names_of_editions(one: str, other: str) -> None:
    assert difference(one, other) is None


@pytest.mark.parametrize(
    ("one", "other", "pattern"),
    [
        ("/d/KILO_raw.csv", "/d/KILO_adj.csv", "{symbol}.csv"),
        ("/d/KI_H4.csv", "/d/KI_M4.csv", "{symbol}.csv"),
        ("/d/ki_h4.csv", "/d/ki_m4.csv", "{symbol}.csv"),
        ("/d/KILO.csv", "/d/KILO_adj.csv", "{symbol}.csv"),
        ("/d/KILO_USD_1h.csv", "/d/KILO_EUR_1h.csv", "{symbol}_{interval}.csv"),
        ("/d/KILO_202404_raw.csv", "/d/KILO_202404_adj.csv", "{symbol}_*_{provider}.csv"),
        ("/d/contract=KIH4/p.csv", "/d/contract=KIM4/p.csv", "contract={symbol}/*"),
        ("/d/raw/KILO.csv", "/d/adjusted/KILO.csv", "{provider}/{symbol}.csv"),
        ("/d/raw/bars.csv", "/d/adjusted/bars.csv", "{provider}/*"),
        ("/d/side=bid/p.csv", "/d/side=ask/p.csv", "side={provider}/*"),
        ("/d/KILO/front.csv", "/d/KILO/back.csv", "{symbol}/{provider}.csv"),
    ],
)
def test_patterns_that_keep_series_of_one_symbol_apart(one: str, other: str, pattern: str) -> None:
    assert pattern_for(one, other) == pattern
    assert in_name(one, pattern) != in_name(other, pattern)


@pytest.mark.parametrize(
    ("one", "other"), [("/d/FULL.csv", "/d/KILO.csv"), ("/d/full.csv", "/d/update.csv"),
                       ("/d/FIX_FINAL.csv", "/d/KILO_FINAL.csv")]
)  # fmt: skip
def test_words_that_may_be_symbols(one: str, other: str) -> None:
    assert Siblings([one, other]).unlike(one) == other


def test_names_that_differ_in_capitals() -> None:
    assert difference("/d/KILO.csv", "/d/kilo.csv") == Difference(("KILO",), ("kilo",), True)
    assert difference("/d/KILO_Final.csv", "/d/KILO_final.CSV") is None
