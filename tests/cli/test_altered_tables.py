"""Altered tables, and triggers that keep rows out: a load stops before it stores a wrong bar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from loader import StoreClient
from loader.errors import DatabaseError, MergeFailed
from tests.conftest import Ran, no_triggers, plain_only
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
START = datetime(2024, 3, 4, tzinfo=UTC)
DROP = """
CREATE FUNCTION keep_odd() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF extract(minute FROM NEW.ts)::int % 2 = 0 THEN RETURN NULL; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER odd BEFORE {event} ON bars_ohlcv FOR EACH ROW EXECUTE FUNCTION keep_odd()
"""


def bar(symbol: str, minute: int, price: float, volume: float | None = None) -> SimpleNamespace:
    return SimpleNamespace(
        provider="demo", symbol=symbol, interval="1m", ts=START + timedelta(minutes=minute),
        open=price, high=price, low=price, close=price, volume=volume,
    )  # fmt: skip


def minutes(path: Path, rows: int, close: float = 10.0) -> Path:
    """`rows` bars a minute apart, from 2024-03-04 00:00Z, with a volume that is no whole number."""
    lines = ["ts,symbol,open,high,low,close,volume"]
    for n in range(rows):
        ts = (START + timedelta(minutes=n)).isoformat()
        lines.append(f"{ts},AAA,{close},{close},{close},{close},100.5")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def load(forked: Mdload, database_url: str, tmp_path: Path) -> Callable[..., Ran]:
    def run(rows: int = 10, close: float = 10.0, *options: str, code: int = 0) -> Ran:
        path = minutes(tmp_path / "bars.csv", rows, close)
        how = ("--provider", "demo", "--interval", "1m", *options)
        ran = forked("backfill", path, *how, env={"MDLOAD_DATABASE_URL": database_url})
        assert ran.code == code, ran.err
        return ran

    return run


@plain_only
@pytest.mark.parametrize(
    ("alter", "complaint"),
    [
        ("ALTER TABLE bars_ohlcv ALTER volume TYPE bigint",
         "bars_ohlcv.volume was altered: it is bigint, and mdload needs double precision"),
        ("ALTER TABLE bars_ohlcv ALTER ts TYPE timestamptz(0)",
         "bars_ohlcv.ts was altered: it is timestamp(0) with time zone, and mdload needs"),
        ("ALTER TABLE bars_ohlcv ALTER symbol TYPE varchar(3)",
         "bars_ohlcv.symbol was altered: it is character varying(3), and mdload needs text"),
        ("ALTER TABLE bars_ohlcv_revisions ALTER old_close TYPE numeric(10, 1)",
         "bars_ohlcv_revisions.old_close was altered: it is numeric(10,1), and mdload"),
        ("ALTER TABLE bars_ohlcv DROP CONSTRAINT bars_ohlcv_pk",
         "bars_ohlcv has no unique key (provider, symbol, interval, ts) any more"),
    ],
)  # fmt: skip
def test_an_altered_table_takes_no_row_and_the_hint_mends_it(
    load: Callable[..., Ran], forked: Mdload, database_url: str, alter: str, complaint: str
) -> None:
    with StoreClient(database_url) as client:
        client.write_bars([bar("ZZZ", 0, 1.0)])
    fetch(database_url, alter)
    before = fetch(database_url, "SELECT count(*) FROM bars_ohlcv")
    for options in ((), ("--dry-run",)):
        assert complaint in load(10, 10.0, *options, code=5).err
    with pytest.raises(DatabaseError) as caught, StoreClient(database_url) as client:
        client.write_bars([bar("AAA", 0, 1.0, 0.5)])
    assert complaint in str(caught.value)
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == before

    found = forked("doctor", "--json", env={"MDLOAD_DATABASE_URL": database_url})
    (check,) = [c for c in found.json()["checks"] if c["name"] == "tables"]
    assert (found.code, check["state"]) == (6, "fail")
    assert complaint in check["what"]
    fetch(database_url, check["hint"])
    load()
    assert fetch(database_url, "SELECT count(*), sum(volume) FROM bars_ohlcv") == [(11, 1005.0)]


@plain_only
@pytest.mark.parametrize(
    ("event", "stored"), [("INSERT", 0), ("UPDATE", 10), ("INSERT OR UPDATE", 10)]
)
def test_rows_that_a_trigger_keeps_out_are_not_counted_as_stored(
    load: Callable[..., Ran], forked: Mdload, database_url: str, event: str, stored: int
) -> None:
    if stored:
        load()
    fetch(database_url, DROP.format(event=event))
    err = load(10, 11.0, code=5).err
    assert "5 bars did not reach bars_ohlcv as they were sent" in err
    assert "a trigger there keeps rows out or changes them ('odd')" in err
    assert "hint: drop the trigger, or disable it" in err
    values = "SELECT count(*), count(*) FILTER (WHERE close = 11) FROM bars_ohlcv"
    assert fetch(database_url, values) == [(stored, 0)]
    bars = [bar("AAA", minute, 12.0) for minute in range(4)]
    with pytest.raises(MergeFailed, match="2 bars did not reach"), StoreClient(database_url) as c:
        c.write_bars(bars)
    assert fetch(database_url, values) == [(stored, 0)]
    found = forked("doctor", "--json", env={"MDLOAD_DATABASE_URL": database_url}).json()
    assert ("tables", "warn") in [(c["name"], c["state"]) for c in found["checks"]]


@no_triggers
def test_a_trigger_that_keeps_all_rows_does_not_disturb(
    load: Callable[..., Ran], database_url: str
) -> None:
    fetch(database_url, DROP.format(event="INSERT OR UPDATE").replace("% 2 = 0", "= -1"))
    load()
    load(12, 11.0)
    values = "SELECT count(*), count(*) FILTER (WHERE close = 11) FROM bars_ohlcv"
    assert fetch(database_url, values) == [(12, 12)]
