"""Questions that a first batch raises: which end a time is, what unit a volume has, which word an
interval is, and marks that a spreadsheet has left in cells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from loader.check.layout.decide import Layout, check, decide
from loader.check.normalise import normalise
from loader.errors import ColumnMismatch, SettingsError
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

SAID: dict[str, Any] = {"provider": "demo", "symbol": "X"}
STARTS = "times are read as the starts of the bars; if they are ends: --stamp end"


def table(**columns: Any) -> RawBatch:
    height = max(len(values) for values in columns.values())
    prices = {name: ["10"] * height for name in ("open", "high", "low", "close", "volume")}
    return RawBatch(pl.DataFrame({**prices, **columns}), Location("file.csv", 0, 1))


def layout(raw: RawBatch, **said: Any) -> Layout:
    return decide(raw, Meaning(**{**SAID, **said}))


def dates(raw: RawBatch, **said: Any) -> list[str]:
    ts = normalise(raw, layout(raw, **said)).bars["ts"]
    return ts.dt.to_string("%Y-%m-%d").to_list()


def clock(first: str, last: str, minutes: int, days: int = 4) -> list[str]:
    """Local times of some days, from first to last."""
    found = []
    for day in range(2, 2 + days):
        at = datetime.fromisoformat(f"2024-01-{day:02} {first}")
        end = datetime.fromisoformat(f"2024-01-{day:02} {last}")
        while at <= end:
            found.append(f"{at:%Y-%m-%d %H:%M}")
            at += timedelta(minutes=minutes)
    return found


NEW_YORK = {"timezone": "America/New_York"}


@pytest.mark.parametrize(
    ("first", "last", "minutes"),
    [("09:31", "16:00", 1), ("09:35", "16:00", 5), ("15:20", "16:00", 10)],
)
def test_times_that_run_to_the_close_are_asked_about(first: str, last: str, minutes: int) -> None:
    raw = table(ts=clock(first, last, minutes))
    with pytest.raises(ColumnMismatch, match="run to 16:00 in America/New_York") as raised:
        layout(raw, **NEW_YORK)
    assert raised.value.hint == "say it: --stamp start or --stamp end"
    assert layout(raw, **NEW_YORK, stamp="end").stamp == "end"
    assert layout(raw, **NEW_YORK, stamp="start").stamp == "start"


@pytest.mark.parametrize(
    ("first", "last", "zone"),
    [("09:30", "15:55", "America/New_York"), ("09:30", "16:00", "America/New_York"),
     ("04:00", "19:55", "America/New_York"), ("00:00", "23:55", "UTC"),
     ("09:35", "15:55", "Europe/Berlin")],
)  # fmt: skip
def test_other_times_are_taken_for_starts_with_a_note(first: str, last: str, zone: str) -> None:
    found = layout(table(ts=clock(first, last, 5)), timezone=zone)
    assert found.stamp == "start"
    assert [note.text for note in found.notes][-1] == STARTS


def test_instants_that_fit_the_ends_of_a_session_on_every_day_are_asked_about() -> None:
    ends = [f"{each}-05:00".replace(" ", "T") for each in clock("09:35", "16:00", 5)]
    with pytest.raises(ColumnMismatch, match="run to 16:00 in America/New_York"):
        layout(table(ts=ends))
    assert layout(table(ts=ends[:40])).stamp == "start"


@pytest.mark.parametrize(
    ("days", "interval", "starts"),
    [
        (["2024-01-31", "2024-02-29", "2024-03-31"], "1mo",
         ["2024-01-01", "2024-02-01", "2024-03-01"]),
        (["2024-01-05", "2024-01-12", "2024-01-19"], "1w",
         ["2024-01-01", "2024-01-08", "2024-01-15"]),
        (["2023-12-31", "2024-12-31"], "1y", ["2023-01-01", "2024-01-01"]),
        (["2023-12-31", "2024-03-31"], "3mo", ["2023-10-01", "2024-01-01"]),
    ],
)  # fmt: skip
def test_dates_off_their_grid_are_asked_about(
    days: list[str], interval: str, starts: list[str]
) -> None:
    raw = table(ts=days)
    with pytest.raises(ColumnMismatch, match="which is not the start of one") as raised:
        layout(raw, interval=interval)
    assert "--stamp end" in str(raised.value.hint)
    assert dates(raw, interval=interval, stamp="end") == starts
    assert dates(raw, interval=interval, stamp="start") == days
    seconds = table(ts=[f"{day} 23:59:59" for day in days])
    assert dates(seconds, interval=interval) == starts


@pytest.mark.parametrize(
    ("days", "interval"),
    [(["2024-01-02", "2024-02-01", "2024-03-01"], "1mo"),
     (["2024-01-01", "2024-01-08", "2024-01-16"], "1w")],
)  # fmt: skip
def test_first_sessions_are_starts(days: list[str], interval: str) -> None:
    assert dates(table(ts=days), interval=interval) == days


@pytest.mark.parametrize("second", ["23:59:59Z", "23:59:59.999Z"])
@pytest.mark.parametrize("zone", [None, "Asia/Tokyo", "America/New_York"])
def test_the_last_second_of_a_day_is_that_day_in_any_zone(second: str, zone: str | None) -> None:
    days = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]
    raw = table(ts=[f"{day}T{second}" for day in days])
    assert dates(raw, interval="1d", timezone=zone) == days


def test_days_that_begin_in_the_evening_are_asked_about() -> None:
    raw = table(ts=[f"2024-01-{day:02}T22:00:00Z" for day in (7, 8, 9, 10)])
    with pytest.raises(ColumnMismatch, match="begin at 17:00 in America/New_York") as raised:
        layout(raw, interval="1d", **NEW_YORK)
    assert "--timezone America/New_York+7h" in str(raised.value.hint)
    found = dates(raw, interval="1d", timezone="America/New_York+7h")
    assert found == ["2024-01-08", "2024-01-09", "2024-01-10", "2024-01-11"]
    closes = table(ts=[f"2024-01-{day:02}T22:00:00Z" for day in (9, 10, 11, 12)])
    assert dates(closes, interval="1d", **NEW_YORK)[-1] == "2024-01-12"


def test_an_interval_that_contradicts_the_spacing() -> None:
    minutes = [f"2024-01-02T00:0{minute}:00Z" for minute in range(5)]
    raw = table(ts=minutes, timeframe=["1M"] * 5)
    with pytest.raises(ColumnMismatch, match="says '1M', which is 1mo, but the spacing") as raised:
        layout(raw, timezone="America/New_York")
    assert raised.value.hint == "if the spacing is right: --column interval=- --interval 1m"
    assert layout(raw, columns={"interval": "-"}, interval="1m").interval == "1m"
    days = [f"2024-01-0{day}T00:00:00Z" for day in range(1, 7)]
    with pytest.raises(ColumnMismatch, match="spacing of those bars is 1d"):
        layout(table(ts=days, timeframe=["1m"] * 6))


DAYS = ["2024-01-02", "2024-01-03", "2024-01-04"]
BARS = {
    "ts": DAYS, "open": ["101", "99", "105"], "high": ["106", "108", "107"],
    "low": ["100", "98", "103"], "close": ["104", "106", "104"],
}  # fmt: skip


def units(volume: list[str], **money: list[str]) -> RawBatch:
    return table(**BARS, volume=volume, **money)


def test_a_volume_in_lots_is_asked_about() -> None:
    lots = units(["10", "20", "30"], amount=["103", "205", "315"])  # thousands of money
    with pytest.raises(ColumnMismatch, match="'amount' is 1/10 of the money") as raised:
        layout(lots, interval="1d")
    assert "--volume-factor 100" in str(raised.value.hint)
    found = normalise(lots, layout(lots, interval="1d", volume_exponent=2))
    assert found.bars["volume"].to_list() == [1000, 2000, 3000]
    same = layout(units(["10", "20", "30"], amount=["1030", "2050", "3150"]), interval="1d")
    assert same.volume_exponent == 0


def test_a_volume_in_money_is_asked_about() -> None:
    swapped = units(["1030", "2050", "3150"], amount=["10", "20", "30"])
    with pytest.raises(ColumnMismatch, match="it is money, and 'amount' is in units") as raised:
        layout(swapped, interval="1d")
    assert "--column volume='amount'" in str(raised.value.hint)
    found = layout(swapped, interval="1d", columns={"volume": "amount"})
    assert found.columns["volume"] == "amount"
    with pytest.raises(ColumnMismatch, match="stands beside 'marketCap'") as raised:
        layout(units(["1030", "2050", "3150"], marketCap=["1", "2", "3"]), interval="1d")
    assert "--column volume=-" in str(raised.value.hint)


def test_a_volume_that_repeats_a_column_of_money_is_asked_about() -> None:
    money = ["500000", "0", "750000"]
    with pytest.raises(ColumnMismatch, match="'volume' is equal to 'turnover'"):
        layout(units(money, turnover=money), interval="1d")
    layout(units(["0", "0", "0"], turnover=["0", "0", "0"]), interval="1d")
    layout(units(money, turnover=money), interval="1d", columns={"volume": "volume"})


def test_a_column_that_is_no_money_of_these_bars_says_nothing() -> None:
    layout(units(["10", "20", "30"], amount=["1", "2", "3"]), interval="1d")
    layout(units(["10", "20", "30"], turnover=["0.1", "0.2", "0.4"]), interval="1d")


def test_marks_of_a_spreadsheet_are_taken_off() -> None:
    raw = table(
        ts=[f'="{day}"' for day in DAYS], close=['="10.0"'] * 3, volume=["'1200"] * 3,
        symbol=['="0050"', "'000001", "ALFA"],
    )  # fmt: skip
    found = decide(raw, Meaning(provider="demo", interval="1d"))
    bars = normalise(raw, found).bars
    assert bars["symbol"].to_list() == ["0050", "000001", "ALFA"]
    assert bars["ts"].to_list() == [datetime(2024, 1, day, tzinfo=UTC) for day in (2, 3, 4)]
    assert bars["close"].to_list() == [10.0] * 3
    assert bars["volume"].to_list() == [1200.0] * 3
    assert any("are marked as text" in note.text for note in found.notes)


def test_one_number_format_for_the_whole_file() -> None:
    raw = table(ts=DAYS, close=["10", "10,00", "10"], volume=["58.100", "71.500", "62.000"])
    found = layout(raw, interval="1d")
    assert normalise(raw, found).bars["volume"].to_list() == [58100, 71500, 62000]
    unclear = table(ts=DAYS, volume=["58,100"] * 3)
    with pytest.raises(ColumnMismatch, match="'58,100'") as raised:
        layout(unclear, interval="1d")
    assert raised.value.hint == "say which: --decimal , or --decimal ."
    for decimal, volume in ((".", 58100.0), (",", 58.1)):
        found = layout(unclear, interval="1d", decimal=decimal)
        assert normalise(unclear, found).bars["volume"][0] == volume


@pytest.mark.parametrize(
    "marks", [{"thousands": "ab"}, {"thousands": "1"}, {"thousands": ",", "decimal": ","}]
)
def test_marks_that_cannot_be(marks: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="--thousands"):
        check(Meaning(**marks))


@pytest.mark.parametrize("word", ["NaN", "NA", "null", "None", "-", "#N/A"])
def test_a_missing_value_of_an_optional_column_is_null(word: str) -> None:
    raw = table(ts=DAYS, volume=[word, "5", ""], vwap=[word] * 3, trade_count=[word, "7", "8"])
    found = normalise(raw, layout(raw, interval="1d"))
    assert found.bars["volume"].to_list() == [None, 5.0, None]
    assert found.bars["vwap"].to_list() == [None] * 3
    assert found.bars["trade_count"].to_list() == [None, 7, 8]
    assert not any(column.any() for column in found.faults)


def test_short_clocks_beside_a_date() -> None:
    raw = table(Date=["20240102"] * 4, Time=["930", "945", "1000", "1015"])
    found = normalise(raw, layout(raw, timezone="UTC", interval="15m")).bars["ts"]
    assert found.dt.to_string("%H:%M").to_list() == ["09:30", "09:45", "10:00", "10:15"]
    typed = table(Date=[20240102] * 3, Time=[93000, 93100, 103200])
    found = normalise(typed, layout(typed, timezone="UTC", interval="1m")).bars["ts"]
    assert found.dt.to_string("%H:%M").to_list() == ["09:30", "09:31", "10:32"]


def instants(zone: str, first: str, last: str, minutes: int, days: int) -> list[datetime]:
    """Times of some days of a zone, as instants."""
    place = ZoneInfo(zone)
    local = (datetime.fromisoformat(text) for text in clock(first, last, minutes, days))
    return [at.replace(tzinfo=place).astimezone(UTC) for at in local]


def written(times: list[datetime], form: str) -> list[str]:
    if form == "epoch":
        return [str(int(at.timestamp())) for at in times]
    if form == "offset":
        return [at.astimezone(ZoneInfo("America/New_York")).isoformat() for at in times]
    return [f"{at:%Y-%m-%d %H:%M:%S}{form}" for at in times]


@pytest.mark.parametrize("form", ["Z", "epoch", "offset", ""])
@pytest.mark.parametrize(
    ("zone", "first", "last", "minutes", "days"),
    [
        ("America/New_York", "09:31", "16:00", 1, 1), ("America/New_York", "09:35", "16:00", 5, 4),
        ("America/New_York", "10:00", "16:00", 30, 3), ("America/New_York", "04:05", "20:00", 5, 3),
        ("Asia/Tokyo", "09:05", "15:30", 5, 3), ("Europe/Berlin", "09:15", "17:30", 15, 3),
        ("Asia/Kolkata", "09:16", "15:30", 1, 1),
    ],
)  # fmt: skip
def test_instants_that_run_to_a_close(
    form: str, zone: str, first: str, last: str, minutes: int, days: int
) -> None:
    said = {} if form else {"timezone": "UTC"}
    ends = instants(zone, first, last, minutes, days)
    raw = table(ts=written(ends, form))
    with pytest.raises(ColumnMismatch, match="may be the ends of the bars"):
        layout(raw, **said)
    begun = normalise(raw, layout(raw, stamp="end", **said)).bars["ts"]
    assert begun[0] == ends[0] - timedelta(minutes=minutes)
    starts = [at - timedelta(minutes=minutes) for at in ends]
    assert layout(table(ts=written(starts, form)), **said).stamp == "start"


def test_hours_of_tokyo_are_no_ends_of_sydney() -> None:
    starts = instants("Asia/Tokyo", "09:00", "14:00", 60, 5)
    assert layout(table(ts=written(starts, "Z"))).stamp == "start"


@pytest.mark.parametrize("shift", [0, 5])
@pytest.mark.parametrize("pause", [True, False])
def test_futures_and_foreign_exchange(shift: int, pause: bool) -> None:
    """From Sunday evening to Friday evening, with an hour's pause each day for futures."""
    place = ZoneInfo("America/New_York")
    first = datetime(2024, 3, 3, 18 if pause else 17, tzinfo=place).astimezone(UTC)
    last = datetime(2024, 3, 8, 17, tzinfo=place).astimezone(UTC)
    times = [
        first + timedelta(minutes=at)
        for at in range(0, int((last - first).total_seconds()) // 60, 5)
    ]
    times = [at for at in times if not pause or at.astimezone(place).hour != 17]
    raw = table(ts=written([at + timedelta(minutes=shift) for at in times], "Z"))
    notes = [note.text for note in layout(raw).notes]
    likely = "times of 5m bars run to 17:00 in New York, where trading ends: likely ends"
    assert (likely in notes) is (shift > 0)


def test_the_pause_at_noon() -> None:
    """Beside a bar of the opening auction, which makes the first time look like a start."""
    ends = [*clock("09:30", "11:30", 1), *clock("13:01", "15:00", 1)]
    said = {"timezone": "Asia/Shanghai"}
    with pytest.raises(ColumnMismatch, match="beginning of the pause at noon in Asia/Shanghai"):
        layout(table(ts=ends), **said)
    starts = [*clock("09:30", "11:29", 1), *clock("13:00", "14:59", 1)]
    assert layout(table(ts=starts), **said).stamp == "start"


@pytest.mark.parametrize(
    ("times", "starts"),
    [
        ([f"2024-01-02 09:3{at}:59" for at in range(8)], ["09:30", "09:31"]),
        ([f"2024-01-02 09:{4 + 5 * at:02}:59.999" for at in range(8)], ["09:00", "09:05"]),
    ],
)
@pytest.mark.parametrize("stamp", [None, "end"])
def test_last_seconds_of_minutes(times: list[str], starts: list[str], stamp: str | None) -> None:
    raw = table(ts=times)
    found = normalise(raw, layout(raw, timezone="UTC", stamp=stamp)).bars["ts"]
    assert found.dt.to_string("%H:%M").to_list()[:2] == starts


def test_trades_have_no_fraction() -> None:
    raw = table(ts=[f"2024-01-0{at}" for at in range(1, 8)], trades=["1,234"] * 7)
    found = normalise(raw, layout(raw, interval="1d")).bars
    assert found["trade_count"].to_list() == [1234] * 7


def test_four_days_are_no_interval() -> None:
    raw = table(ts=[f"2024-01-{at:02}" for at in range(1, 30, 4)])
    with pytest.raises(ColumnMismatch, match="the usual step between them is 4 days") as raised:
        layout(raw)
    assert (
        raised.value.hint
        == "no interval has that length; for days with gaps: --interval 1d --off-grid"
    )


@pytest.mark.parametrize("day", [2, 4, 12])
@pytest.mark.parametrize("written", ["2024-{month:02}-{day:02}", "{day:02}.{month:02}.2024"])
def test_months_with_one_day_may_be_days(day: int, written: str) -> None:
    """The days of a month, written with the month where the day is expected."""
    texts = [written.format(month=month, day=day) for month in range(4, 11)]
    with pytest.raises(ColumnMismatch, match=f"of a month all have day {day}, such") as raised:
        layout(table(ts=texts))
    assert "'%m.%d.%Y', '%Y-%d-%m'" in str(raised.value.hint)
    asis = dates(table(ts=texts), stamp="start")
    assert asis == [f"2024-{month:02}-{day:02}" for month in range(4, 11)]
    form = "%Y-%d-%m" if written[0] == "2" else "%m.%d.%Y"
    swapped = dates(table(ts=texts), time_format=form)
    assert swapped == [f"2024-{day:02}-{month:02}" for month in range(4, 11)]
    first = [written.format(month=month, day=1) for month in range(4, 11)]
    assert layout(table(ts=first)).interval == "1mo"
