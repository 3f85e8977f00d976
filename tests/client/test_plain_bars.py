"""Small batches that are proven good in plain Python, against the rules that all others go by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader import bars
from loader.check.unique import made_unique
from loader.check.validate import CheckedBatch, RuleSettings
from loader.client import StoreClient
from loader.client.bar import columns
from loader.client.checks import Checks
from loader.client.checks.plain import PlainBatch
from loader.db.prepared import Prepared
from loader.errors import BarsCompressed, MergeFailed
from loader.ingest.mergers import StatementMerger
from loader.ingest.tally import Tally
from loader.results.events import BarsWritten, Committed, Event
from loader.store import merge
from loader.store.merge import Statement
from loader.store.runs import JobRunTracker
from tests.conftest import no_triggers, not_on_citus
from tests.support.candles import T0, Candle, minutes
from tests.support.sql import fetch

UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
DAY = datetime(2024, 3, 4, tzinfo=UTC)

prices = st.sampled_from([10.0, 10, 9.5, 11.25, 1e-7, 1e22, 0.1 + 0.2, 2**53])
odd_prices = st.sampled_from(
    [10.0, 0.0, -0.0, -1.5, float("nan"), float("inf"), 5e-324, 2**53 + 1, 2**70, None]
)
amounts = st.none() | prices | st.sampled_from([0, 0.0, -0.0])
times = st.sampled_from(
    [DAY, T0, T0.astimezone(UTC_ZONE), *(T0 + timedelta(minutes=n) for n in (1, 2, 5, 60))]
)
odd_times = st.sampled_from(
    [
        T0 + timedelta(seconds=1),
        T0 + timedelta(microseconds=1),
        T0.astimezone(BERLIN),
        T0.astimezone(timezone(timedelta(hours=1))),
        datetime(1899, 12, 31, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, tzinfo=UTC),
        None,
    ]
)
counts = st.none() | st.sampled_from([0, 7, 2**62 + 1])
odd_counts = st.sampled_from([-1, 2.0, 2.5, 2**63, None])


@st.composite
def candles(draw: st.DrawFn) -> Candle:
    """Mostly good bars; some with a value that breaks a rule, or that is good in another way."""
    high, low, *inner = sorted(draw(st.lists(prices, min_size=4, max_size=4)), reverse=True)
    made = Candle(
        draw(st.sampled_from(["p", "P", 'q"%s\\', "é"])),
        draw(st.sampled_from(["AA", "aa", "BB", "{漢,🎉}", "%s"])),
        draw(st.sampled_from(["1m", "5min", "1D", "1h"])),
        draw(times), inner[0], high, min(low, inner[1]), inner[1],
        draw(amounts), draw(amounts), draw(counts),
    )  # fmt: skip
    if draw(st.integers(0, 5)) == 0:
        odd: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(bars.VALUES, odd_prices)
        odd |= dict.fromkeys(bars.SERIES, st.sampled_from(["", " p ", "a\0", "x" * 200, None]))
        odd |= {"ts": odd_times, "trade_count": odd_counts}
        name = draw(st.sampled_from(sorted(odd)))
        setattr(made, name, draw(odd[name]))
    return made


rules = st.builds(
    RuleSettings,
    allow_nonpositive_prices=st.booleans(),
    check_grid=st.booleans(),
    min_ts=st.sampled_from([datetime(1900, 1, 1, tzinfo=UTC), T0 + timedelta(minutes=1)]),
    max_ts=st.sampled_from([datetime(2100, 1, 1, tzinfo=UTC), T0 + timedelta(minutes=2)]),
)


@given(st.lists(candles(), min_size=1, max_size=5), rules, st.integers(0, 3), st.booleans())
def test_plain_batches_are_what_the_rules_make_of_them(
    batch: list[Candle], settings: RuleSettings, first: int, known: bool
) -> None:
    checks, values = Checks(settings), columns(batch, first)
    checked = checks.batch(values, first)
    unique = made_unique(checked)
    found = (checks if known else Checks(settings)).quickly(values, first)
    if not isinstance(found, PlainBatch):
        assert found.good.equals(checked.good)
        assert found.bad.equals(checked.bad)
        return
    assert unique.bad is not None
    assert (unique.bad.height, unique.rejected, unique.duplicate, unique.rounded) == (0, {}, 0, 0)
    rows = list(zip(*found.statement.columns, strict=True))
    assert rows == unique.bars.select(bars.COLUMNS).rows()
    # Bit for bit: a zero with a sign is equal to the other, but stored as it is.
    assert found.statement.arrays == Statement.of(unique.bars).arrays
    tally = Tally()
    tally.add(unique)
    assert (found.statement.rows, found.statement.lo, found.statement.hi) == (
        tally.read, tally.min_ts, tally.max_ts,
    )  # fmt: skip
    assert found.last_row == tally.covered
    assert unique.spellings is not None
    assert sorted(found.spelled) == sorted(unique.spellings.rows())
    assert sorted(found.series) == sorted(set(unique.bars.select(bars.SERIES).rows()))
    assert found.checked().good.equals(checked.good)


def quickly(*batch: Candle) -> CheckedBatch | PlainBatch:
    return Checks(RuleSettings()).quickly(columns(batch, 0), 0)


@pytest.mark.parametrize(
    "good",
    [
        {"volume": None, "vwap": 10.2, "trade_count": 3},
        {"open": 10, "volume": 5},
        {"ts": T0.astimezone(UTC_ZONE), "interval": "5m"},
        {"ts": DAY, "interval": "1d", "symbol": "brk.b"},
    ],
)
def test_good_bars_are_plain(good: dict[str, Any]) -> None:
    assert isinstance(quickly(Candle(**good), Candle(symbol="BB"), *minutes(2, 1)), PlainBatch)


class Word(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "odd",
    [
        {"high": 1.0}, {"open": float("nan")}, {"low": 0.0}, {"close": float("inf")},
        {"open": Decimal(10)}, {"volume": float("nan")}, {"volume": -1}, {"vwap": -0.5},
        {"trade_count": -1}, {"trade_count": 2.0}, {"high": 2**53 + 1}, {"symbol": Word("AA")},
        {"symbol": None}, {"symbol": "a\0"}, {"interval": "7m"}, {"ts": None},
        {"ts": T0 + timedelta(seconds=1)}, {"ts": T0.astimezone(BERLIN)},
        {"ts": T0, "interval": "1d"}, {"ts": datetime(1899, 1, 1, tzinfo=UTC)},
    ],
)  # fmt: skip
def test_anything_else_is_for_the_rules(odd: dict[str, Any]) -> None:
    assert isinstance(quickly(Candle(symbol="BB"), Candle(**odd)), CheckedBatch)


def test_bars_of_one_key_are_for_the_rules() -> None:
    assert isinstance(quickly(Candle(), Candle(close=10.0)), CheckedBatch)
    assert isinstance(quickly(Candle(), Candle(symbol="aa")), CheckedBatch)


def test_many_bars_are_for_the_rules() -> None:
    assert isinstance(quickly(*minutes(500)), PlainBatch)
    assert isinstance(quickly(*minutes(501)), CheckedBatch)


def test_names_beyond_ascii_are_plain_once_they_are_known() -> None:
    checks, values = Checks(RuleSettings()), columns([Candle(symbol="é")], 0)
    assert isinstance(checks.quickly(values, 0), CheckedBatch)
    assert isinstance(checks.quickly(values, 0), PlainBatch)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [({"open": True}, TypeError), ({"ts": date(2024, 3, 4)}, TypeError),
     ({"ts": datetime(2024, 3, 4)}, ValueError), ({"symbol": "\ud800"}, ValueError)],
)  # fmt: skip
def test_wrong_types_are_refused_as_before(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"bars\[1\]"):
        quickly(Candle(), Candle(**wrong))


def test_plain_batches_of_a_run(emptied_url: str) -> None:
    """Their rows, revisions, counts and events are those of any batch."""
    heard: list[Event] = []
    with (
        JobRunTracker(emptied_url) as tracker,
        tracker.run("feed", provider="p") as run,
        StoreClient(emptied_url, run_id=run.id, listeners=[heard.append]) as client,
    ):
        client.write_bars(minutes(2))
        again = [Candle(ts=T0 + timedelta(minutes=n), close=10.75) for n in (1, 3, 2)]
        result = client.write_bars(again)
        assert (result, result.submitted, result.inserted, result.updated) == (3, 3, 2, 1)
        assert result.rejects.rows() == []
        assert client.write_bars(again).unchanged == 3
    assert [e.bars for e in heard if isinstance(e, BarsWritten)] == [2, 3]
    assert [e.counts.read for e in heard if isinstance(e, Committed)] == [2, 3, 3]
    assert fetch(emptied_url, "SELECT ts, close FROM bars_ohlcv ORDER BY ts") == [
        (T0, 10.5), *((T0 + timedelta(minutes=n), 10.75) for n in (1, 2, 3)),
    ]  # fmt: skip
    assert fetch(emptied_url, "SELECT count(*) FROM bars_ohlcv_revisions") == [(1,)]
    assert fetch(
        emptied_url,
        "SELECT status, rows_read, rows_inserted, rows_updated, rows_unchanged, symbols, min_ts, "
        "max_ts FROM job_runs",
    ) == [("success", 8, 4, 1, 3, ["AA"], T0, T0 + timedelta(minutes=3))]


def test_a_symbol_of_another_security_is_kept_out_of_a_plain_batch(emptied_url: str) -> None:
    with psycopg.connect(emptied_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO provider_symbols (provider, source_symbol, symbol, convention) "
            "VALUES ('p', 'ALpA', 'AL.PRA', 'polygon')"
        )
    batch = [Candle(symbol="BB"), Candle(symbol="al.prA"), Candle(symbol="CC")]
    with StoreClient(emptied_url) as client:
        assert client.write_bars(batch).rejected == 1
        result = client.write_bars(batch)
    assert (result.submitted, result.unchanged, result.rejected) == (3, 2, 1)
    assert result.rejects.select("row_number", "rules").rows() == [(2, ["symbol_collision"])]
    assert fetch(emptied_url, "SELECT count(*) FROM bars_rejected") == [(2,)]


@pytest.mark.parametrize("size", [2, 600])
def test_collisions_of_many_batches_in_one_call_are_all_handed_back(
    emptied_url: str, size: int
) -> None:
    """Those that only the store shows, too: of plain batches, and of those with frames."""
    with psycopg.connect(emptied_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO provider_symbols (provider, source_symbol, symbol, convention) "
            "VALUES ('p', 'ALpA', 'AL.PRA', 'polygon')"
        )
    times = [T0 + timedelta(minutes=n) for n in range(2 * size + 1)]
    bars = [Candle(symbol="BB", ts=time) for time in times]
    for at in (1, size, 2 * size):
        bars[at] = Candle(symbol="al.prA", ts=times[at])
    bars[0] = Candle(symbol="BB", ts=times[0], high=-1.0)
    with StoreClient(emptied_url) as client:
        result = client.write_bars(bars, batch_size=size)
    assert (result.submitted, result.inserted, result.rejected) == (len(bars), len(bars) - 4, 4)
    rows = result.rejects.select("row_number", "rules").rows()
    assert [number for number, _ in rows] == [1, 2, size + 1, 2 * size + 1]
    assert [rules for _, rules in rows[1:]] == [["symbol_collision"]] * 3


def test_a_plain_batch_that_meets_compressed_bars_is_copied(
    emptied_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Event] = []

    def refuse(*_: object) -> None:
        raise BarsCompressed("bars are compressed")

    with StoreClient(emptied_url, listeners=[heard.append]) as client:
        client.write_bars(minutes(2))
        monkeypatch.setattr(StatementMerger, "merge", refuse)
        result = client.write_bars([Candle(close=10.75), *minutes(3, 1)])
    assert (result.inserted, result.updated, result.unchanged) == (2, 1, 1)
    assert [e.method for e in heard if isinstance(e, BarsWritten)] == ["UPSERT", "COPY"]
    assert fetch(emptied_url, "SELECT count(*) FROM bars_ohlcv") == [(4,)]


@not_on_citus("the merge is another one there")
@pytest.mark.parametrize("rows", [1, 3])
def test_a_feed_of_new_bars_meets_stored_ones(emptied_url: str, rows: int) -> None:
    """After some batches of new bars alone the next is expected to be another, rightly or not."""
    batches = [minutes(rows, start=rows * n) for n in range(merge.LIKELY_NEW + 2)]
    last = batches[-1]
    restated = [replace(bar, close=9.75) for bar in last]
    new = minutes(1, start=1_000)
    with StoreClient(emptied_url) as client, recording() as names:
        assert [client.write_bars(batch).inserted for batch in batches] == [rows] * len(batches)
        assert names == ["bars_merge"] * merge.LIKELY_NEW + ["bars_add"] * 2
        mixed = client.write_bars([*restated, *batches[0], *new])
        assert (mixed.inserted, mixed.updated, mixed.unchanged) == (1, rows, rows)
        assert client.write_bars(last).updated == rows
        assert names[-3:] == ["bars_add", "bars_merge", "bars_merge"]
    assert fetch(emptied_url, "SELECT old_close, new_close FROM bars_ohlcv_revisions") == [
        *[(10.5, 9.75)] * rows, *[(9.75, 10.5)] * rows,
    ]  # fmt: skip
    assert fetch(emptied_url, "SELECT inserted, updated FROM bars_loads ORDER BY id") == [
        *[(rows, 0)] * len(batches), (1, rows), (0, rows),
    ]  # fmt: skip


@contextmanager
def recording() -> Iterator[list[str]]:
    """The queries by which batches are merged."""
    names: list[str] = []
    row = Prepared.row

    def recorded(self: Prepared, name: str, *params: object) -> tuple[Any, ...] | None:
        if name.startswith("bars_") and name != "bars_state":
            names.append(name)
        return row(self, name, *params)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Prepared, "row", recorded)
        yield names


@no_triggers
def test_a_trigger_that_keeps_bars_out_is_noticed(database_url: str) -> None:
    """Also among batches of new bars, where it comes while the client is connected."""
    with StoreClient(database_url) as client:
        for n in range(merge.LIKELY_NEW + 1):
            client.write_bars(minutes(2, start=2 * n))
        spoil(database_url, "RETURN NULL;")
        with pytest.raises(MergeFailed, match=r"2 bars did not reach bars_ohlcv .*'spoil'"):
            client.write_bars(minutes(2, start=500))
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(10 - 2,)]


@no_triggers
def test_bars_that_a_trigger_changes_are_not_taken_for_stored_ones(database_url: str) -> None:
    spoil(database_url, "NEW.vwap := 1; RETURN NEW;")
    with StoreClient(database_url) as client:
        for n in range(merge.LIKELY_NEW + 1):
            client.write_bars(minutes(2, start=2 * n))
        result = client.write_bars([*minutes(1), *minutes(1, start=500)])
    assert (result.inserted, result.updated) == (1, 1)
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv_revisions") == [(1,)]


def spoil(url: str, body: str) -> None:
    """A trigger that does this to each bar that is inserted."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body} END';"
            "CREATE TRIGGER spoil BEFORE INSERT ON bars_ohlcv"
            " FOR EACH ROW EXECUTE FUNCTION spoil()".encode()
        )
