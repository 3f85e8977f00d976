"""`mdload export` into folders by key, and of what one run wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import psycopg
import pytest

from loader import bars
from loader.errors import SettingsError
from loader.store.export import folders
from tests.conftest import Ran
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
#: Symbols that would lead elsewhere as they are, and how their folders are called.
HOSTILE = {
    "../../ETC": "symbol=..%2F..%2FETC", "BRK/B": "symbol=BRK%2FB", "A=B": "symbol=A%3DB",
    "A B": "symbol=A%20B", "Ä€": "symbol=%C3%84%E2%82%AC", "100%": "symbol=100%25",
    "..": "symbol=..",
    "__HIVE_DEFAULT_PARTITION__": "symbol=%5F%5FHIVE%5FDEFAULT%5FPARTITION%5F%5F",
    "SPY": "symbol=SPY",
}  # fmt: skip


@pytest.fixture
def stored(database_url: str) -> str:
    """URL of a store with two bars on each of two days of every symbol, from two providers."""
    with psycopg.connect(database_url) as connection:
        for symbol in HOSTILE:
            connection.execute(
                "INSERT INTO bars_ohlcv"
                ' (provider, symbol, "interval", ts, open, high, low, close, volume)'
                " SELECT p, %s, '1m', d::timestamptz + n * interval '1 minute', 10, 11, 9, 10, n"
                "   FROM unnest(ARRAY['p', 'q']) p, unnest(ARRAY['2024-01-02Z', '2024-02-03Z']) d,"
                "        generate_series(0, 1) n",
                (symbol,),
            )
    return database_url


def test_folders_by_symbol_and_date(forked: Mdload, stored: str, tmp_path: Path) -> None:
    to = tmp_path / "out"
    done = forked("--database", stored, "export", "--to", "out", "--partition-by", "symbol,date")
    assert done.code == 0
    assert "72 bars of 18 series" in done.err
    assert "18 files" in done.err
    assert {f.relative_to(to).as_posix() for f in to.rglob("*.parquet")} == {
        f"{name}/date={day}/bars.parquet"
        for name in HOSTILE.values()
        for day in ("2024-01-02", "2024-02-03")
    }
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    one = pl.read_parquet(
        to / "symbol=BRK%2FB/date=2024-02-03/bars.parquet", hive_partitioning=False
    )
    assert one.columns == list(bars.COLUMNS)
    assert one.select("provider", "symbol", "volume").rows() == [
        ("p", "BRK/B", 0.0), ("p", "BRK/B", 1.0), ("q", "BRK/B", 0.0), ("q", "BRK/B", 1.0),
    ]  # fmt: skip
    others = pl.scan_parquet(to, hive_partitioning=True).collect()
    # Polars takes the last name for null, written as in a URL or not.
    assert set(others["symbol"]) == (HOSTILE.keys() - {"__HIVE_DEFAULT_PARTITION__"}) | {None}
    back = forked("--database", stored, "backfill", "out", "--json").json()
    assert (back["rows_read"], back["rows_unchanged"], back["status"]) == (72, 72, "success")


def test_other_keys_and_columns(forked: Mdload, stored: str, tmp_path: Path) -> None:
    done = forked("--database", stored, "export", "--provider", "q", "--to", "out", "--json",
                  "--columns", "symbol,ts", "--partition-by", "provider, year,month")  # fmt: skip
    files = sorted((tmp_path / "out").rglob("*.parquet"))
    assert [f.relative_to(tmp_path / "out").as_posix() for f in files] == [
        "provider=q/year=2024/month=01/bars.parquet", "provider=q/year=2024/month=02/bars.parquet",
    ]  # fmt: skip
    told = done.json()
    assert (told["files"], told["rows"], told["bytes"]) == (
        2, 36, sum(f.stat().st_size for f in files)
    )  # fmt: skip
    assert pl.read_parquet(files[0], hive_partitioning=False).columns == ["symbol", "ts"]


def test_what_folders_are_refused(forked: Mdload, stored: str, tmp_path: Path) -> None:
    asked = ("--database", stored, "export", "--partition-by", "symbol", "--to")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("mine")
    for target in ("full", "full/mine", "-"):
        assert forked(*asked, target).code == 2
    assert (tmp_path / "full/mine").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert forked(*asked, "empty").code == 0
    assert len(list((tmp_path / "empty").iterdir())) == len(HOSTILE)
    wrong = forked(*asked[:-2], "day", "--to", "x")
    assert (wrong.code, "date" in wrong.err) == (2, True)


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        [("p", "X" * 250, "1d", 0, 1.0, 1.0, 1.0, 1.0, None, None, None)],
        schema={**bars.SCHEMA, "ts": pl.Int64}, orient="row",
    ).cast(pl.Schema(bars.SCHEMA))  # fmt: skip

    def export() -> None:
        with folders.writing_folders(str(tmp_path / "out"), bars.COLUMNS, ("symbol",)) as found:
            found[0](frame.with_columns(symbol=pl.lit("SPY")))
            found[0](frame)

    with pytest.raises(SettingsError, match="name would have 257 bytes"):
        export()
    assert list(tmp_path.iterdir()) == []


def csv(path: Path, *bars_of: str) -> Path:
    path.write_text("symbol,ts,open,high,low,close\n" + "\n".join(bars_of) + "\n")
    return path


def test_what_a_run_wrote(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    def load(*rows: str, options: tuple[str, ...] = ()) -> int:
        path = csv(tmp_path / "in.csv", *rows)
        done = forked("--database", database_url, "backfill", path, "--provider", "p",
                      "--interval", "1d", "--json", *options)  # fmt: skip
        assert done.code == 0, done.err
        return int(done.json()["run_id"])

    def exported(run: int, *options: str) -> list[tuple[str, str, float]]:
        done = forked("--database", database_url, "export", "--run", str(run), "--to", "run.csv",
                      *options)  # fmt: skip
        assert done.code == 0, done.err
        found = pl.read_csv(tmp_path / "run.csv")
        return [(s, ts[:10], close) for s, ts, close in found[["symbol", "ts", "close"]].rows()]

    first = load("SPY,2024-03-04,1,1,1,1", "SPY,2024-03-05,2,2,2,2", "QQQ,2024-03-04,3,3,3,3")
    second = load("SPY,2024-03-04,1,1,1,1", "SPY,2024-03-05,2.01,2.01,2.01,2.01",
                  "SPY,2024-03-06,4,4,4,4")  # fmt: skip
    third = load("SPY,2024-03-04,1,1,1,1", "SPY,2024-03-06,4,4,4,4", options=("--delete-gone",))
    assert exported(first) == [
        ("QQQ", "2024-03-04", 3.0), ("SPY", "2024-03-04", 1.0), ("SPY", "2024-03-05", 2.0),
    ]  # fmt: skip
    assert exported(second) == [("SPY", "2024-03-05", 2.01), ("SPY", "2024-03-06", 4.0)]
    assert exported(first, "--symbol", "qqq") == [("QQQ", "2024-03-04", 3.0)]
    assert exported(first, "--until", "2024-03-04", "--symbol", "SPY") == [
        ("SPY", "2024-03-04", 1.0)
    ]
    assert exported(third) == []
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(3,)]
    unknown = forked("--database", database_url, "export", "--run", "99", "--to", "no.csv")
    assert (unknown.code, "there is no job run 99" in unknown.err) == (2, True)
    assert not (tmp_path / "no.csv").exists()
    both = forked(
        "--database", database_url, "export", "--run", "1", "--as-of", "1d", "--to", "x.csv"
    )
    assert both.code == 2


def test_bars_that_the_run_itself_changed_again(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    """Two files of one run: the second restates a bar of the first and lacks another."""
    csv(tmp_path / "a_20240304.csv", "SPY,2024-03-04,1,1,1,1", "SPY,2024-03-05,2,2,2,2",
        "SPY,2024-03-06,3,3,3,3")  # fmt: skip
    csv(tmp_path / "a_20240305.csv", "SPY,2024-03-04,1,1,1,1", "SPY,2024-03-06,3.01,3.01,3.01,3.01")
    done = forked("--database", database_url, "backfill", "a_20240304.csv", "a_20240305.csv",
                  "--provider", "p", "--interval", "1d", "--delete-gone", "--json")  # fmt: skip
    assert done.code == 0, done.err
    out = forked("--database", database_url, "export", "--run", "1", "--to", "run.csv")
    assert "run 1 wrote 4 bars; those that it changed again or deleted itself" in out.err
    assert pl.read_csv(tmp_path / "run.csv")["close"].to_list() == [1.0, 3.01]
