"""`StoreClient` on a real server: writes, results and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import islice

import polars as pl
import psycopg
import pytest

from loader.bars import SCHEMA
from loader.check.validate import RuleSettings
from loader.client import StoreClient, WriteResult, transaction
from loader.errors import (
    ColumnMismatch,
    ConnectionLost,
    DatabaseError,
    MergeFailed,
    ProviderUnknown,
    SchemaOutOfDate,
    SettingsError,
)
from loader.listen.metrics import Metrics
from loader.results.events import BarsWritten, Committed, Event
from loader.store.runs import JobRunTracker
from tests.conftest import CITUS
from tests.support.candles import T0, Candle, minutes
from tests.support.sql import fetch

CLOSES = "SELECT symbol, ts, close FROM bars_ohlcv ORDER BY 1, 2"


@pytest.fixture(params=["statement", "copy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Forces this method of writing for every batch size."""
    monkeypatch.setattr(transaction, "STATEMENT_ROWS", 10**9 if request.param == "statement" else 0)
    return str(request.param)


@pytest.fixture
def client(database_url: str) -> Iterator[StoreClient]:
    with StoreClient(database_url) as client:
        yield client


def said(result: WriteResult) -> tuple[int, ...]:
    return (result.submitted, result.inserted, result.updated, result.unchanged, result.duplicate,
            result.rejected)  # fmt: skip


@pytest.mark.usefixtures("way")
def test_new_changed_and_unchanged_bars(client: StoreClient, database_url: str) -> None:
    assert said(client.write_bars(minutes(5))) == (5, 5, 0, 0, 0, 0)
    again = minutes(7)
    again[1].close = again[3].high = 10.75
    again[4].vwap = 10.25
    result = client.write_bars(again)
    assert said(result) == (7, 2, 3, 2, 0, 0)
    assert result == 5
    assert fetch(
        database_url,
        "SELECT ts, old_close, new_close, old_high, new_high, old_vwap, new_vwap, old_volume, "
        "new_volume, run_id, file_id FROM bars_ohlcv_revisions ORDER BY ts",
    ) == [
        (T0 + timedelta(minutes=1), 10.5, 10.75, 11.0, 11.0, None, None, 100, 100, None, None),
        (T0 + timedelta(minutes=3), 10.5, 10.5, 11.0, 10.75, None, None, 100, 100, None, None),
        (T0 + timedelta(minutes=4), 10.5, 10.5, 11.0, 11.0, None, 10.25, 100, 100, None, None),
    ]
    assert fetch(database_url, "SELECT count(*), max(close) FROM bars_ohlcv") == [(7, 10.75)]


def test_an_identical_bar_is_only_read(client: StoreClient, database_url: str, way: str) -> None:
    """No row is locked or written: the rows' xmax stays 0, and no transaction number is used up."""
    if CITUS and way == "statement":
        pytest.skip("not on Citus: a commit in two phases takes a transaction number")
    client.write_bars(minutes(50))
    before = fetch(database_url, "SELECT pg_snapshot_xmax(pg_current_snapshot())")
    assert said(client.write_bars(minutes(50))) == (50, 0, 0, 50, 0, 0)
    assert fetch(database_url, "SELECT pg_snapshot_xmax(pg_current_snapshot())") == before
    assert fetch(database_url, "SELECT DISTINCT xmax::text FROM bars_ohlcv") == [("0",)]


@pytest.mark.usefixtures("way")
def test_the_last_of_two_bars_for_one_key_counts(client: StoreClient, database_url: str) -> None:
    batch = [Candle(close=10.1), Candle(close=10.2), Candle(symbol=" aa ", close=10.3)]
    assert said(client.write_bars(batch)) == (3, 1, 0, 0, 2, 0)
    assert fetch(database_url, CLOSES) == [("AA", T0, 10.3)]
    assert fetch(database_url, "SELECT source_symbol, symbol FROM provider_symbols ORDER BY 1") == [
        (" aa ", "AA"),
        ("AA", "AA"),
    ]
    # Over batches the second one is an update, as it would be over two calls.
    assert said(client.write_bars(batch, batch_size=1)) == (3, 0, 3, 0, 0, 0)


@pytest.mark.usefixtures("way")
def test_bars_that_break_a_rule_are_kept(client: StoreClient, database_url: str) -> None:
    batch = minutes(6)
    batch[1].high = 1.0
    batch[2].ts = None
    batch[3].close = float("nan")
    batch[4].interval = "7m"
    batch[5].symbol = "A\0A"
    assert said(client.write_bars(batch, batch_size=4)) == (6, 1, 0, 0, 0, 5)
    assert fetch(
        database_url,
        "SELECT row_number, rules, raw ->> 'symbol', run_id, file_id FROM bars_rejected ORDER BY 1",
    ) == [
        (2, ["high_below_low", "open_outside_range", "close_outside_range"], "AA", None, None),
        (3, ["ts_missing"], "AA", None, None),
        (4, ["price_not_finite", "close_outside_range"], "AA", None, None),
        (5, ["interval_unknown"], "AA", None, None),
        (6, ["key_unreadable"], "A␀A", None, None),
    ]


@pytest.mark.usefixtures("way")
def test_nothing_but_bad_bars_and_nothing_at_all(client: StoreClient, database_url: str) -> None:
    assert said(client.write_bars([Candle(high=1.0)])) == (1, 0, 0, 0, 0, 1)
    assert said(client.write_bars([])) == (0, 0, 0, 0, 0, 0)
    assert said(client.write_bars(iter(()))) == (0, 0, 0, 0, 0, 0)
    assert fetch(database_url, "SELECT count(*) FROM bars_rejected") == [(1,)]


@pytest.mark.usefixtures("way")
def test_a_symbol_that_is_another_ones_is_kept_out(client: StoreClient, database_url: str) -> None:
    """ALpA is Air Lease's preferred A; that its plain spelling is ALPA's must not merge the two."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO provider_symbols (provider, source_symbol, symbol, convention) "
            "VALUES ('p', 'ALpA', 'AL.PRA', 'polygon')"
        )
    batch = [Candle(symbol="BB"), Candle(symbol="al.prA"), Candle(symbol="CC")]
    heard: list[Event] = []
    with StoreClient(database_url, listeners=[heard.append]) as told:
        assert said(told.write_bars(batch)) == (3, 2, 0, 0, 0, 1)
    assert fetch(database_url, "SELECT row_number, rules, raw ->> 'symbol' FROM bars_rejected") == [
        (2, ["symbol_collision"], "al.prA")
    ]
    assert fetch(database_url, "SELECT symbol FROM bars_ohlcv ORDER BY 1") == [("BB",), ("CC",)]
    assert [e.rejected for e in heard if isinstance(e, Committed)] == [{"symbol_collision": 1}]


def test_values_are_stored_exactly(client: StoreClient, database_url: str, way: str) -> None:
    del way
    values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 123456789.123456789, 2.0**53 + 2]
    client.write_bars(
        [
            Candle(symbol=f"S{n}", open=v, high=v, low=v, close=v, volume=v, trade_count=2**62 + n)
            for n, v in enumerate(values)
        ]
    )
    client.write_bars([Candle(symbol="T", volume=-0.0, close=Decimal("10.10"))])
    assert fetch(
        database_url, "SELECT open, volume, trade_count FROM bars_ohlcv WHERE symbol LIKE 'S%' "
        "ORDER BY symbol"
    ) == [(v, v, 2**62 + n) for n, v in enumerate(values)]  # fmt: skip
    assert fetch(database_url, "SELECT volume::text, close FROM bars_ohlcv WHERE symbol = 'T'") == [
        ("-0", 10.1)
    ]


def test_names_are_stored_exactly(client: StoreClient, database_url: str, way: str) -> None:
    del way
    names = ['say "hi"', "back\\slash", "{a,b}", "null", "é漢字🎉", "it's"]
    client.write_bars([Candle(provider=name, symbol=name) for name in names])
    stored = fetch(database_url, "SELECT provider, symbol FROM bars_ohlcv")
    assert sorted(stored) == sorted((name, name.upper()) for name in names)


def test_rules_can_be_set(database_url: str) -> None:
    crude = Candle(open=-37.0, high=-35.0, low=-40.0, close=-36.0, vwap=-36.5)
    late = Candle(symbol="BB", interval="5m", ts=T0 + timedelta(minutes=1))
    with StoreClient(database_url) as strict:
        assert said(strict.write_bars([crude, late])) == (2, 0, 0, 0, 0, 2)
    rules = RuleSettings(allow_nonpositive_prices=True, check_grid=False)
    with StoreClient(database_url, rules=rules) as lenient:
        assert said(lenient.write_bars([crude, late])) == (2, 2, 0, 0, 0, 0)


def test_a_run_counts_what_its_client_writes(database_url: str, way: str) -> None:
    del way
    with (
        JobRunTracker(database_url) as tracker,
        tracker.run("feed", provider="p") as run,
        StoreClient(database_url, run_id=run.id) as client,
    ):
        client.write_bars([*minutes(3), Candle(symbol="BB", high=1.0), Candle(symbol="BB")])
        client.write_bars([Candle(symbol="BB", close=9.5), *minutes(4)], batch_size=2)
    assert fetch(
        database_url,
        "SELECT status, rows_read, rows_written, rows_inserted, rows_updated, rows_unchanged, "
        "rows_failed, symbols, min_ts, max_ts FROM job_runs",
    ) == [("success", 10, 6, 5, 1, 3, 1, ["AA", "BB"], T0, T0 + timedelta(minutes=3))]
    assert fetch(
        database_url,
        "SELECT 'rejected', run_id FROM bars_rejected UNION "
        "SELECT 'revisions', run_id FROM bars_ohlcv_revisions UNION "
        "SELECT 'spellings', first_run_id FROM provider_symbols ORDER BY 1",
    ) == [("rejected", run.id), ("revisions", run.id), ("spellings", run.id)]


def test_a_run_that_has_ended_takes_no_bars(database_url: str, way: str) -> None:
    del way
    with JobRunTracker(database_url) as tracker:
        run_id = tracker.start_run("feed")
        tracker.complete_run(run_id)
    with (
        StoreClient(database_url, run_id=run_id) as client,
        pytest.raises(MergeFailed, match="no longer running"),
    ):
        client.write_bars(minutes(3))
    assert fetch(database_url, CLOSES) == []


def test_a_stream_is_not_waited_for_beyond_its_batch(
    client: StoreClient, database_url: str
) -> None:
    """When the third batch begins, the first two are stored or under way."""
    stored: list[int] = []

    def stream() -> Iterator[Candle]:
        for n, candle in enumerate(minutes(10)):
            if n == 8:
                (count,) = fetch(database_url, "SELECT count(*) FROM bars_ohlcv")[0]
                stored.append(count)
            yield candle

    assert client.write_bars(stream(), batch_size=2) == 10
    assert stored[0] >= 4


def test_batches_before_an_error_are_stored(client: StoreClient, database_url: str) -> None:
    for bars in (lambda b: b, iter):
        batch = minutes(9)
        batch[7].open = "ten"
        with pytest.raises(TypeError, match=r"bars\[7\].open is 'ten'"):
            client.write_bars(bars(batch), batch_size=3)
        assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(6,)]
    # And the client stays usable.
    assert said(client.write_bars(minutes(9), batch_size=3)) == (9, 3, 0, 6, 0, 0)


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_has_at_least_one_bar(client: StoreClient, size: int) -> None:
    with pytest.raises(ValueError, match="batch_size must be positive"):
        client.write_bars(minutes(1), size)
    with pytest.raises(ValueError, match="batch_size must be positive"):
        client.write_frame(pl.DataFrame(schema=SCHEMA), provider="p", symbol="A", batch_size=size)


def test_usable_after_the_server_refused(database_url: str, way: str) -> None:
    del way
    tall = Candle(symbol="BB", close=25.0, high=30.0)
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        StoreClient(database_url) as client,
    ):
        client.write_bars(minutes(1))
        connection.execute("ALTER TABLE bars_ohlcv ADD CONSTRAINT c CHECK (close < 20)")
        with pytest.raises(DatabaseError, match=r'check constraint "c(_\d+)?"'):
            client.write_bars([tall])
        connection.execute("ALTER TABLE bars_ohlcv DROP CONSTRAINT c")
        assert client.write_bars([tall]) == 1


def test_usable_after_close(client: StoreClient) -> None:
    client.write_bars(minutes(1))
    client.close()
    assert client.write_bars(minutes(2)) == 1


def test_what_is_no_database(empty_url: str) -> None:
    with pytest.raises(SettingsError):
        StoreClient("mysql://localhost/x")
    with pytest.raises(SettingsError) as raised:
        StoreClient("password=sekret nonsense")
    assert "sekret" not in str(raised.value)
    with pytest.raises(ConnectionLost), StoreClient("postgresql://me:sekret@127.0.0.1:1/x"):
        pass
    with StoreClient(empty_url) as client, pytest.raises(SchemaOutOfDate):
        client.write_bars(minutes(1))


def frame_of(*candles: Candle) -> pl.DataFrame:
    return pl.DataFrame([c.__dict__ for c in candles], schema={**SCHEMA})


@pytest.mark.usefixtures("way")
def test_frames(client: StoreClient, database_url: str) -> None:
    frame = frame_of(*minutes(5), Candle(high=1.0))
    assert said(client.write_frame(frame, batch_size=2)) == (6, 5, 0, 0, 0, 1)
    assert said(client.write_frame(frame.to_arrow())) == (6, 0, 0, 5, 0, 1)
    assert said(client.write_frame(frame.to_arrow().to_batches()[0])) == (6, 0, 0, 5, 0, 1)
    assert said(client.write_frame(frame.to_arrow().to_reader())) == (6, 0, 0, 5, 0, 1)
    assert fetch(database_url, "SELECT DISTINCT row_number FROM bars_rejected") == [(6,)]
    assert said(client.write_frame(frame.clear())) == (0, 0, 0, 0, 0, 0)


def test_a_frame_under_other_names(client: StoreClient, database_url: str) -> None:
    frame = pl.DataFrame({"Date": ["2024-03-04 09:30", "2024-03-04 09:31"], "O": [1.0, 2.0],
                          "H": [3.0, 3.0], "L": [1.0, 1.0], "C": [2, 3]})  # fmt: skip
    written = client.write_frame(
        frame, provider="q", symbol="zz", interval="1m", timezone="America/New_York"
    )
    assert written == 2
    assert fetch(
        database_url, 'SELECT provider, symbol, "interval", ts, close, volume FROM bars_ohlcv'
        " ORDER BY ts"
    ) == [
        ("q", "ZZ", "1m", T0, 2.0, None), ("q", "ZZ", "1m", T0 + timedelta(minutes=1), 3.0, None)
    ]  # fmt: skip
    with pytest.raises(ColumnMismatch, match="local"):
        client.write_frame(frame, provider="q", symbol="zz", interval="1m")
    with pytest.raises(ProviderUnknown, match="provider"):
        client.write_frame(frame, symbol="zz", interval="1m", timezone="UTC")


def test_listeners_hear_what_was_committed(database_url: str, way: str) -> None:
    heard: list[Event] = []
    metrics = Metrics()
    with StoreClient(database_url, listeners=[heard.append, metrics]) as client:
        client.write_bars([*minutes(3), Candle(high=1.0)])
        client.write_bars(minutes(3))
    method = {"statement": "UPSERT", "copy": "COPY"}[way]
    written = [e for e in heard if isinstance(e, BarsWritten)]
    assert [(e.method, e.bars, e.committed) for e in written] == [(method, 3, True)]
    assert written[0].seconds > 0
    committed = [e for e in heard if isinstance(e, Committed)]
    assert [(e.counts.inserted, e.counts.unchanged) for e in committed] == [(3, 0), (0, 3)]
    assert committed[0].rejected == {
        "high_below_low": 1, "open_outside_range": 1, "close_outside_range": 1
    }  # fmt: skip
    labels = {"method": method, "status": "success"}
    assert metrics.registry.get_sample_value("store_bars_written_total", labels) == 3


def test_spellings_are_asked_about_once(client: StoreClient, database_url: str) -> None:
    """A feed repeats the same symbols forever; known symbols cost no query."""
    client.write_bars(minutes(2))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE provider_symbols RENAME TO elsewhere")
        assert client.write_bars(minutes(2, start=2)) == 2
        with pytest.raises(SchemaOutOfDate):
            client.write_bars([Candle(symbol="BB")])
        connection.execute("ALTER TABLE elsewhere RENAME TO provider_symbols")
    assert client.write_bars([Candle(symbol="BB")]) == 1
    assert fetch(database_url, "SELECT symbol FROM provider_symbols ORDER BY 1") == [
        ("AA",),
        ("BB",),
    ]


def test_a_mixed_stream_in_pieces(client: StoreClient, database_url: str) -> None:
    """More than is checked at a time, with a bad bar here and there and keys that come twice."""
    stream = minutes(25_000)
    expected = {c.ts: 10.5 for c in stream}
    for n in range(0, 25_000, 1_000):
        stream[n] = replace(stream[n], low=12.0)
        del expected[stream[n].ts]
    for n in range(500, 25_000, 5_000):  # the bar before it again, with another close
        del expected[stream[n].ts]
        stream[n] = replace(stream[n - 1], close=9.75)
        expected[stream[n].ts] = 9.75
    result = client.write_bars(stream, batch_size=1_000)
    assert said(result) == (25_000, 24_970, 0, 0, 5, 25)
    assert dict(islice(((t, c) for _, t, c in fetch(database_url, CLOSES)), 30_000)) == expected
    assert fetch(database_url, "SELECT count(*), min(row_number), max(row_number) "
                               "FROM bars_rejected") == [(25, 1, 24_001)]  # fmt: skip
