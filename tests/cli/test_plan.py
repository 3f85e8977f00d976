"""A plan is what the load would write, and is applied once, to the store that it was for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from loader.errors import SettingsError
from loader.ingest.ways.plan import opened
from tests.conftest import Ran
from tests.support.nights import BAD, GOOD, Nights, csv
from tests.support.sql import fetch

STORE = (
    "SELECT symbol, ts, open, high, low, close, volume, created_at, updated_at FROM bars_ohlcv"
    " ORDER BY symbol, ts"
)
OPTIONS = ("--provider", "v", "--interval", "1m")


@pytest.fixture
def nights(forked: Callable[..., Ran], database_url: str, tmp_path: Path) -> Nights:
    return Nights(forked, database_url, tmp_path)


def plan(nights: Nights, *names: str, code: int = 0) -> Ran:
    return nights.run("backfill", *names, *OPTIONS, "--plan", "plan.parquet", code=code)


def test_a_plan_is_made_shown_and_applied_once(nights: Nights) -> None:
    nights.load(GOOD)
    before = fetch(nights.url, STORE)
    runs = fetch(nights.url, "SELECT count(*) FROM job_runs")
    csv(nights.place / "bad.csv", BAD)
    made = plan(nights, "bad.csv")
    assert "next: mdload plan show plan.parquet;  mdload apply plan.parquet" in made.out
    assert (fetch(nights.url, STORE), fetch(nights.url, "SELECT count(*) FROM job_runs")) == (
        before, runs,
    )  # fmt: skip
    rows = pl.read_parquet(nights.place / "plan.parquet").sort("ts")
    assert rows.select("kind", "close", "old_close").rows() == [
        ("update", 18.75, 187.5), ("insert", 18.8, None),
    ]  # fmt: skip
    shown = nights.run("plan", "show", "plan.parquet")
    assert "plan.parquet: 1 inserted, 1 updated" in shown.out
    assert "187.5 > 18.75" in shown.out
    looked = nights.run("apply", "plan.parquet", "--dry-run", "--json").json()
    assert (looked["run_id"], looked["rows_inserted"], looked["rows_updated"]) == (None, 1, 1)
    assert nights.closes() == GOOD
    done = nights.run("apply", "plan.parquet", "--json").json()
    assert (done["rows_inserted"], done["rows_updated"]) == (1, 1)
    assert nights.closes() == BAD
    loads = "SELECT kind, inserted, updated, run_id FROM bars_loads ORDER BY id DESC LIMIT 1"
    assert fetch(nights.url, loads) == [("apply", 1, 1, done["run_id"])]
    revised = "SELECT old_close, new_close, run_id FROM bars_ohlcv_revisions"
    assert fetch(nights.url, revised) == [(187.5, 18.75, done["run_id"])]
    again = nights.run("apply", "plan.parquet", code=4)
    assert f"was applied by run {done['run_id']}" in again.err
    nights.run("rollback", str(done["run_id"]), "--yes")
    assert nights.closes() == GOOD


def test_what_a_plan_does_to_history_is_told_where_it_is_applied(nights: Nights) -> None:
    minutes = [f"14:{minute}" for minute in range(10, 60)]
    nights.load({minute: ("AAPL", 100.0 + n) for n, minute in enumerate(minutes)})
    csv(
        nights.place / "split.csv",
        {m: ("AAPL", (100.0 + n) / 2) for m, n in zip(minutes, range(50), strict=True)},
    )
    made = plan(nights, "split.csv")
    split = "50 bars of AAPL 1m changed by one factor 0.5 "
    assert split in " ".join((made.out + made.err).split())
    assert split in " ".join(nights.run("plan", "show", "plan.parquet").out.split())
    assert split in " ".join(nights.run("apply", "plan.parquet").err.split())
    (run_id,) = fetch(nights.url, "SELECT max(id) FROM job_runs")[0]
    assert split in " ".join(nights.run("job-runs", "inspect", str(run_id)).out.split())


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE bars_ohlcv SET close = 187.6 WHERE close = 187.5",  # a bar to be updated
        "UPDATE bars_ohlcv SET volume = 1 WHERE close = 188",  # one that was equal
        "DELETE FROM bars_ohlcv WHERE close = 188",
        "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
        " VALUES ('v', 'AAPL', '1m', '2024-01-02T14:33Z', 1, 1, 1, 1)",  # one to be inserted
        "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
        " VALUES ('v', 'AAPL', '1m', '2024-01-02T14:30:30Z', 1, 1, 1, 1)",  # one in between
    ],
)
def test_a_stale_plan_is_refused_and_can_be_shown(nights: Nights, change: str) -> None:
    nights.load(GOOD)
    csv(nights.place / "bad.csv", BAD)
    plan(nights, "bad.csv")
    fetch(nights.url, change)
    before = fetch(nights.url, STORE)
    for args in (("--dry-run",), ()):
        refused = nights.run("apply", "plan.parquet", *args, code=4)
        assert "plan.parquet is stale" in refused.err
        assert "v AAPL 1m (3 bars then, " in refused.err
    assert fetch(nights.url, STORE) == before
    assert fetch(nights.url, "SELECT status FROM job_runs ORDER BY id DESC LIMIT 1") == [
        ("failure",)
    ]
    nights.run("plan", "show", "plan.parquet")


def test_what_was_not_read_may_change(nights: Nights) -> None:
    nights.load(GOOD)
    csv(nights.place / "bad.csv", BAD)
    plan(nights, "bad.csv")
    nights.load({"14:40": ("AAPL", 190.0), "14:30": ("MSFT", 370.0)})
    nights.run("apply", "plan.parquet")
    assert nights.closes()["14:33"] == ("AAPL", 18.8)


def test_a_plan_onto_nothing(nights: Nights) -> None:
    csv(nights.place / "good.csv", GOOD)
    plan(nights, "good.csv")
    nights.run("apply", "plan.parquet")
    assert nights.closes() == GOOD
    spelled = "SELECT source_symbol, symbol FROM provider_symbols"
    assert fetch(nights.url, spelled) == [("AAPL", "AAPL")]


def test_what_no_plan_is_made_of(nights: Nights) -> None:
    csv(nights.place / "a.csv", GOOD)
    csv(nights.place / "b.csv", BAD)
    shared = plan(nights, "a.csv", "b.csv", code=2)
    assert "two files have bars of the same series and time" in shared.err
    assert not (nights.place / "plan.parquet").exists()
    bad = (nights.place / "a.csv").read_text().replace("187.5,187.5,187.5", "0,187.5,0")
    (nights.place / "bad.csv").write_text(bad)
    refused = plan(nights, "bad.csv", code=4)
    assert "No plan was made" in refused.out
    assert not (nights.place / "plan.parquet").exists()
    assert "is not a plan" in _of(nights, pl.DataFrame({"a": [1]}))
    (nights.place / "x.parquet").write_text("no")
    assert "cannot be read as a plan" in nights.run("plan", "show", "x.parquet", code=2).err
    named = nights.run("backfill", "a.csv", *OPTIONS, "--plan", "plan.txt", code=2)
    assert "a plan is a .parquet file" in named.err
    gone = nights.run(
        "backfill", "a.csv", *OPTIONS, "--plan", "plan.parquet", "--delete-gone", code=2
    )
    assert "a plan has no deletions: not with --delete-gone" in gone.err
    assert not (nights.place / "plan.parquet").exists()


@pytest.mark.parametrize(
    "change",
    [
        pl.col("close") + pl.when(pl.col("close") == 18.8).then(0.01).otherwise(0),
        pl.when(pl.col("symbol") == "AAPL").then(pl.lit("AAPLE")).alias("symbol"),
        pl.col("ts").dt.offset_by("1us"),
        pl.lit("insert").alias("kind"),
        pl.col("vwap").fill_null(0),
    ],
    ids=["price", "symbol", "time", "kind", "null"],
)
def test_a_plan_with_other_rows_is_refused(nights: Nights, change: pl.Expr) -> None:
    nights.load(GOOD)
    csv(nights.place / "bad.csv", BAD)
    plan(nights, "bad.csv")
    file = nights.place / "plan.parquet"
    _altered(file, lambda rows: rows.with_columns(change))
    before = fetch(nights.url, STORE)
    for args in (("apply", "--dry-run"), ("apply",), ("plan", "show")):
        refused = nights.run(*args, "plan.parquet", code=2)
        assert "plan.parquet is not as it was made" in refused.err
    assert fetch(nights.url, STORE) == before


def test_rows_and_description_of_a_plan_belong_together(nights: Nights) -> None:
    csv(nights.place / "bad.csv", BAD)
    plan(nights, "bad.csv")
    file = nights.place / "plan.parquet"
    whole = file.read_bytes()
    opened(str(file))
    _altered(file, lambda rows: rows)  # written anew by another tool
    opened(str(file))
    for cut in (lambda rows: rows.reverse(), lambda rows: rows.head(1)):
        file.write_bytes(whole)
        _altered(file, cut)
        with pytest.raises(SettingsError, match="is not as it was made"):
            opened(str(file))
    file.write_bytes(whole)
    _altered(file, lambda rows: rows, lambda text: text.replace(b'"bars": 0', b'"bars": 1'))
    with pytest.raises(SettingsError, match="is not as it was made"):
        opened(str(file))


def _altered(
    file: Path,
    change: Callable[[pl.DataFrame], pl.DataFrame],
    text: Callable[[bytes], bytes] = lambda text: text,
) -> None:
    """Changes the rows of a plan's file, or its description, as some other tool would."""
    about = dict(pq.read_metadata(file).metadata)
    table = change(pl.read_parquet(file)).to_arrow()
    about[b"mdload.plan"] = text(about[b"mdload.plan"])
    kept = {key: value for key, value in about.items() if key.startswith(b"mdload")}
    pq.write_table(table.replace_schema_metadata(kept), file)


def _of(nights: Nights, frame: pl.DataFrame) -> str:
    frame.write_parquet(nights.place / "other.parquet")
    return nights.run("apply", "other.parquet", code=2).err
