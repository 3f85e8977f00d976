"""The layout of a file, from its first batch and the person's hints."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest

from loader.bars.times.forms import Form
from loader.check.layout.decide import Layout, check, decide
from loader.check.normalise import normalise
from loader.dialects.dialect import Dialect
from loader.dialects.recognition import plain
from loader.errors import ColumnMismatch, ProviderUnknown, SettingsError, UnknownDialect
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

HINTS: dict[str, Any] = {"provider": "demo", "symbol": "X"}


def batch(**columns: Any) -> RawBatch:
    """A batch with good prices and volumes beside the columns given."""
    height = max(len(values) for values in columns.values())
    prices = {name: ["10"] * height for name in ("open", "high", "low", "close", "volume")}
    return RawBatch(pl.DataFrame({**prices, **columns}), Location("file.csv", 0, 1))


def layout(raw: RawBatch, **hints: Any) -> Layout:
    return decide(raw, Meaning(**{**HINTS, **hints}))


def starts(raw: RawBatch, **hints: Any) -> list[datetime | None]:
    return normalise(raw, layout(raw, **hints)).bars["ts"].to_list()


def noted(found: Layout) -> tuple[str, ...]:
    return tuple(note.text for note in found.notes)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


#: The note on times that nobody says the end of a bar of.
STARTS = "times are read as the starts of the bars; if they are ends: --stamp end"
MINUTES = [f"2024-07-01 13:{minute:02}:00" for minute in range(30, 40)]
DAYS = [f"2024-07-{day:02}" for day in range(1, 13)]


# provider, symbol, interval


def test_what_the_file_does_not_say_is_filled() -> None:
    found = layout(batch(ts=MINUTES), timezone="UTC", interval="1Min")
    assert (found.provider, found.symbol, found.interval) == ("demo", "X", "1m")
    assert found.dialect.name == "canonical"
    assert found.naming.convention == "plain"
    assert noted(found) == (STARTS,)


def test_a_missing_provider_is_the_files_lack_and_names_the_option() -> None:
    with pytest.raises(ProviderUnknown, match="provider") as raised:
        layout(batch(ts=DAYS), provider=None)
    assert raised.value.exit_code == 3
    assert "--provider" in str(raised.value.hint)
    with pytest.raises(ProviderUnknown, match="column 'provider' is empty"):
        layout(batch(ts=DAYS, provider=[None] * 12), provider=None)


def test_a_missing_symbol_names_the_option() -> None:
    with pytest.raises(ColumnMismatch, match="symbol") as raised:
        layout(batch(ts=DAYS), symbol=None)
    assert "--symbol" in str(raised.value.hint)


def test_a_column_that_may_hold_the_symbols_is_offered() -> None:
    with pytest.raises(ColumnMismatch) as raised:
        layout(batch(ts=DAYS, Name=["AAL"] * 12), symbol=None)
    assert "--column symbol='Name'" in str(raised.value.hint)


@pytest.mark.parametrize("names", [["AAL"] * 12 + ["AAPL"] * 10, [7] * 11 + [8] * 12])
def test_several_symbols_are_not_thrown_together(names: list[str] | list[int]) -> None:
    days = (DAYS + DAYS)[: len(names)] if names[0] == "AAL" else DAYS[:11] + DAYS
    with pytest.raises(ColumnMismatch, match="'Name' tells apart: they are not of one") as raised:
        layout(batch(ts=days, Name=names))
    assert "--column symbol=Name" in str(raised.value.hint)
    layout(batch(ts=days, Name=names), symbol=None, columns={"symbol": "Name"})


def test_rows_of_one_time_may_be_of_one_symbol() -> None:
    assert layout(batch(ts=DAYS + DAYS)).interval == "1d"
    same = batch(ts=DAYS + DAYS, Name=["AAL"] * 24)
    assert layout(same).interval == "1d"
    measured = batch(ts=DAYS + DAYS, amount=[str(n) for n in range(24)])
    assert layout(measured).interval == "1d"


@pytest.mark.parametrize("option", ["provider", "symbol"])
def test_a_blank_hint_is_refused(option: str) -> None:
    with pytest.raises(SettingsError, match=f"--{option} is blank"):
        layout(batch(ts=DAYS), **{option: " "})


def test_the_column_wins_over_the_hint_and_the_hint_fills_its_gaps() -> None:
    raw = batch(ts=DAYS, ticker=["aapl", " ", *["MSFT"] * 10], provider=["demo"] * 12)
    found = layout(raw, symbol="spy")
    assert noted(found)[0] == "symbol is what column 'ticker' says (aapl, MSFT), not --symbol spy"
    assert not any("provider" in note for note in noted(found))
    bars = normalise(raw, found).bars
    assert bars["symbol"].to_list() == ["AAPL", "SPY", *["MSFT"] * 10]


def test_a_note_holds_nothing_that_cannot_be_printed() -> None:
    raw = batch(ts=DAYS, symbol=["A\0B", *"CDEFGHIJKLM"])
    assert noted(layout(raw, interval="1d"))[0] == (
        "symbol is what column 'symbol' says ('A\\x00B', C, D and 9 more), not --symbol X"
    )


def test_the_interval_of_the_column_may_vary() -> None:
    raw = batch(
        ts=[
            "2024-07-01 13:30:00",
            "2024-07-01 00:00:00",
            "2024-07-01 13:30:00",
            "2024-07-02 04:00:00",
        ],
        interval=["1Min", "daily", None, "D"],
    )
    found = layout(raw, timezone="America/New_York", interval="5m")
    assert noted(found) == (
        "interval is what column 'interval' says (1Min, daily, D), not --interval 5m",
        STARTS,
    )
    bars = normalise(raw, found).bars
    assert bars["interval"].to_list() == ["1m", "1d", "5m", "1d"]
    half_past = utc(2024, 7, 1, 17, 30)
    assert bars["ts"].to_list() == [half_past, utc(2024, 7, 1), half_past, utc(2024, 7, 2)]


def test_an_interval_column_that_says_no_interval() -> None:
    with pytest.raises(
        ColumnMismatch, match="column 'interval' says '60', which is not an interval"
    ):
        layout(batch(ts=MINUTES, interval=["60"] * 10), timezone="UTC")


def test_an_interval_that_is_none() -> None:
    with pytest.raises(SettingsError, match="--interval '7x'") as raised:
        layout(batch(ts=DAYS), interval="7x")
    assert "15m" in str(raised.value.hint)


def test_the_interval_is_inferred_and_shown_with_its_evidence() -> None:
    found = layout(batch(ts=MINUTES), timezone="UTC")
    assert found.interval == "1m"
    assert noted(found) == ("interval 1m inferred from the spacing: 100 % of 9 steps", STARTS)


def test_too_little_to_infer_from() -> None:
    with pytest.raises(ColumnMismatch, match="too few steps between them to tell: 2") as raised:
        layout(batch(ts=DAYS[:3]))
    assert "--interval" in str(raised.value.hint)


def test_an_interval_that_the_spacing_belies_is_noted() -> None:
    found = layout(batch(ts=MINUTES), timezone="UTC", interval="1h")
    doubt = "bars are loaded as 1h, but their spacing is 1m (100 % of 9 steps)"
    assert noted(found) == (doubt, STARTS)


@pytest.mark.parametrize("interval", ["1d", "weekly"])
def test_bars_of_minutes_are_not_thrown_together_into_days(interval: str) -> None:
    with pytest.raises(ColumnMismatch, match=f"--interval {interval} is one bar a day") as raised:
        layout(batch(ts=MINUTES), timezone="UTC", interval=interval)
    assert raised.value.hint == "say --interval 1m, or leave it out"


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ({"provider": " "}, "--provider is blank"),
        ({"symbol": ""}, "--symbol is blank"),
        ({"interval": "7m"}, "--interval '7m' is not an interval"),
        ({"timezone": "Mars"}, "--timezone 'Mars' is not a time zone"),
        ({"time_format": "yyyy-mm-dd"}, "--time-format 'yyyy-mm-dd' is not a strptime format"),
        ({"columns": {"clos": "x"}}, "a bar has no field 'clos'"),
        ({"symbol_convention": "x"}, "'x' is not a symbol convention"),
    ],
)
def test_hints_that_are_wrong_for_every_file(hints: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        check(Meaning(**hints))


def test_hints_that_are_right() -> None:
    with pytest.raises(UnknownDialect):
        check(Meaning(dialect="canonicle"))
    check(Meaning())
    check(
        Meaning(
            provider="demo", interval="1Min", symbol="X", timezone="UTC-5", time_format="ms",
            columns={"close": "Last", "time_of_day": "T"}, dialect="canonical",
        )
    )  # fmt: skip


def test_spacing_is_that_of_one_symbol() -> None:
    raw = batch(ts=[day for day in DAYS for _ in "AB"], symbol=["A", "B"] * 12)
    assert layout(raw, symbol=None).interval == "1d"


def test_a_zone_or_format_that_is_not_applied_is_said() -> None:
    own = "times say themselves where they lie in UTC: Asia/Tokyo is not applied to them"
    texts = batch(ts=[f"{minute}Z" for minute in MINUTES])
    assert own in noted(layout(texts, timezone="Asia/Tokyo"))
    numbers = batch(ts=[1_719_840_600 + 60 * n for n in range(10)])
    assert own in noted(layout(numbers, timezone="Asia/Tokyo"))
    assert starts(numbers, timezone="Asia/Tokyo")[0] == utc(2024, 7, 1, 13, 30)
    typed = batch(ts=[date(2024, 7, day) for day in range(1, 10)])
    assert noted(layout(typed, time_format="%Y")) == (
        "column 'ts' is not text: --time-format is not applied to it",
        "interval 1d inferred from the spacing: 100 % of 8 steps",
    )


# names of things


def test_unknown_dialects_and_conventions() -> None:
    with pytest.raises(UnknownDialect, match="'canonicle'") as raised:
        layout(batch(ts=DAYS), dialect="canonicle")
    assert raised.value.hint == "did you mean canonical?"
    with pytest.raises(SettingsError, match="'cms2'") as settings_error:
        layout(batch(ts=DAYS), symbol_convention="cms2")
    assert settings_error.value.hint == "did you mean cms?"
    with pytest.raises(SettingsError, match="'nyse'") as settings_error:
        layout(batch(ts=DAYS), symbol_convention="nyse")
    assert "plain, cqs, cms" in str(settings_error.value.hint)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"close": [True] * 12}, "column 'close' is of type Boolean, which cannot be the close"),
        ({"volume": [date(2024, 1, 1)] * 12}, "column 'volume' is of type Date"),
        ({"symbol": [1.5] * 12}, "column 'symbol' is of type Float64, which cannot be the symbol"),
        ({"symbol": [True] * 12}, "column 'symbol' is of type Boolean"),
        ({"interval": [b"1d"] * 12}, "column 'interval' is of type Binary"),
        ({"open": ["$191.38"] * 12}, "column 'open' holds no numbers, but for example '$191.38'"),
        ({"ts": [True] * 12}, "the times in column 'ts' are of type Boolean"),
        ({"ts": [timedelta(1)] * 12}, "the times in column 'ts' are of type Duration"),
        ({"ts": [None] * 12}, "the times in column 'ts' are empty in the first 12 rows"),
        ({"ts": [" "] * 12}, "the times in column 'ts' are empty"),
        ({"ts": ["soon"] * 12}, "have no form that is known: 'soon'"),
        ({"ts": ["2024-01-02", *["Q1"] * 11]}, "have no form that is known"),
        ({"ts": list(range(12))}, "are numbers such as 0, neither dates nor times since 1970"),
    ],
)
def test_columns_of_the_wrong_kind(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ColumnMismatch) as raised:
        layout(batch(**{"ts": DAYS, **columns}))
    assert str(raised.value).startswith("file.csv: ")
    assert message in str(raised.value)
    assert raised.value.hint


def test_integers_can_be_symbols_with_a_word_about_zeros() -> None:
    raw = batch(ts=DAYS, symbol=[600000] * 12)
    found = layout(raw, symbol=None)
    assert "leading zeros" in noted(found)[0]
    assert normalise(raw, found).bars["symbol"].unique().to_list() == ["600000"]


# times


@pytest.mark.parametrize("hint", ["America/New_York", "UTC-4", "-04:00", "Etc/GMT+4"])
def test_local_times_need_a_zone(hint: str) -> None:
    raw = batch(ts=MINUTES)
    with pytest.raises(ColumnMismatch, match="are local, and no time zone") as raised:
        layout(raw)
    assert "--timezone" in str(raised.value.hint)
    assert starts(raw, timezone=hint)[0] == utc(2024, 7, 1, 17, 30)


def test_an_unknown_zone() -> None:
    with pytest.raises(SettingsError, match="Amercia"):
        layout(batch(ts=MINUTES), timezone="Amercia/New_York")


def test_stamps_that_a_dialect_cannot_tell_the_meaning_of_are_asked_for() -> None:
    columns = {name: (name,) for name in ("ts", "open", "high", "low", "close")}
    unsaid = Dialect("unsaid", "Unsaid", columns, timezone="UTC", stamp=None)

    def found(ts: list[str], **hints: Any) -> Layout:
        return decide(batch(ts=ts), Meaning(**HINTS, **hints), plain(unsaid))

    with pytest.raises(ColumnMismatch, match="the starts or the ends of the bars") as raised:
        found(MINUTES)
    assert raised.value.hint == "say it: --stamp start or --stamp end"
    assert found(MINUTES, stamp="end").stamp == "end"
    assert found(DAYS).stamp == "start"


def test_a_column_that_is_called_utc() -> None:
    raw = batch(timestamp_utc=MINUTES)
    found = layout(raw)
    assert "times are UTC, as the name of column 'timestamp_utc' says" in noted(found)
    assert starts(raw)[0] == utc(2024, 7, 1, 13, 30)
    with pytest.raises(ColumnMismatch, match=r"says UTC, and --timezone says UTC\+1"):
        starts(raw, timezone="UTC+1")
    asked = {"timezone": "UTC+1", "columns": {"ts": "timestamp_utc"}}
    assert starts(raw, **asked)[0] == utc(2024, 7, 1, 12, 30)


@pytest.mark.parametrize(
    ("ts", "interval"),
    [
        ([date(2024, 7, d) for d in range(1, 6)], "1d"),
        ([datetime(2024, 7, d) for d in range(1, 6)], "1d"),
        ([datetime(2024, 7, d, 16) for d in range(1, 6)], "1d"),
        (DAYS, "1d"),
        ([f"{day} 00:00:00" for day in DAYS], "1d"),
        ([f"{day} 16:00:00" for day in DAYS], "1d"),
        ([f"{day}T00:00:00.000Z" for day in DAYS], "1d"),
        ([f"{day} 00:00:00-04:00" for day in DAYS], "1d"),
        ([f"{day} 00:00:00+09:00" for day in DAYS], "1d"),
        ([20240701, 20240702, 20240703, 20240704], "1d"),
        (["20240701.0", "20240702.0", "20240703.0", "20240704.0"], "1d"),
        (["1-Jul-24", "2-Jul-24", "3-Jul-24", "5-Jul-24"], "1d"),
        ([1719792000, 1719878400, 1719964800, 1720051200], "1d"),
    ],
)
def test_session_dates_need_no_zone(ts: list[Any], interval: str) -> None:
    raw = batch(ts=ts)
    assert layout(raw).interval == interval
    assert starts(raw)[:2] == [utc(2024, 7, 1), utc(2024, 7, 2)]


def test_the_session_date_of_an_offset_is_as_written_across_the_change_of_clocks() -> None:
    raw = batch(ts=[f"2024-10-{day} 00:00:00+0{1 if day < 27 else 0}:00" for day in range(24, 32)])
    assert starts(raw) == [utc(2024, 10, day) for day in range(24, 32)]


def test_a_daily_instant_at_midnight_utc_keeps_its_date_beside_others() -> None:
    """Coins with UTC days and stocks with New York days in one file, in any order."""
    stamps = ["2024-07-01T04:00:00Z", "2024-07-01T00:00:00Z", "2024-12-02T05:00:00Z"]
    mixed = batch(date=[*stamps, "2024-12-02T00:00:00Z"])
    found = starts(mixed, interval="1d", timezone="America/New_York")
    assert found == [utc(2024, 7, 1), utc(2024, 7, 1), utc(2024, 12, 2), utc(2024, 12, 2)]


def test_daily_instants_at_midnight_utc_keep_their_date_whatever_the_zone() -> None:
    raw = batch(ts=[f"{day}T00:00:00Z" for day in DAYS])
    found = layout(raw, timezone="America/New_York")
    assert noted(found)[-1].endswith("midnight UTC: America/New_York is not applied to them")
    assert starts(raw, timezone="America/New_York")[0] == utc(2024, 7, 1)


NEW_YORK_MIDNIGHTS = [utc(2024, 3, 8, 5), utc(2024, 3, 9, 5), utc(2024, 3, 10, 5),
                      utc(2024, 3, 11, 4), utc(2024, 3, 12, 4)]  # fmt: skip


@pytest.mark.parametrize("form", ["typed", "text", "seconds"])
def test_other_daily_instants_need_a_zone(form: str) -> None:
    values: list[Any] = {
        "typed": NEW_YORK_MIDNIGHTS,
        "text": [moment.isoformat() for moment in NEW_YORK_MIDNIGHTS],
        "seconds": [int(moment.timestamp()) for moment in NEW_YORK_MIDNIGHTS],
    }[form]
    raw = batch(ts=values)
    with pytest.raises(ColumnMismatch, match="not at midnight UTC") as raised:
        layout(raw)
    assert "--timezone" in str(raised.value.hint)
    assert starts(raw, timezone="America/New_York") == [utc(2024, 3, d) for d in range(8, 13)]


def test_the_date_in_the_columns_own_zone() -> None:
    column = pl.Series(NEW_YORK_MIDNIGHTS).dt.convert_time_zone("America/New_York")
    raw = batch(ts=column)
    found = layout(raw, timezone="Asia/Tokyo")
    assert "session dates are those of America/New_York, the column's own time zone" in noted(found)
    assert starts(raw) == [utc(2024, 3, d) for d in range(8, 13)]


def test_a_zoned_column_of_intraday_bars_is_its_instants() -> None:
    column = pl.Series([utc(2024, 3, 8, 14, m) for m in range(5)])
    raw = batch(ts=column.dt.convert_time_zone("America/New_York"))
    assert starts(raw) == column.to_list()


def test_dates_cannot_be_intraday() -> None:
    with pytest.raises(ColumnMismatch, match="are dates without a time of day"):
        layout(batch(ts=DAYS), interval="1h")


def test_date_and_time_of_day_are_joined() -> None:
    raw = batch(Date=["2019.02.15"] * 5, Time=[f"{hour}:00" for hour in range(10, 15)])
    assert starts(raw, timezone="UTC")[0] == utc(2019, 2, 15, 10)
    typed = batch(date=[date(2019, 2, 15)] * 5, time=[time(hour, 30) for hour in range(10, 15)])
    assert starts(typed, timezone="UTC")[0] == utc(2019, 2, 15, 10, 30)
    digits = batch(date=[20190215] * 5, time=[f"{hour}3000" for hour in range(10, 15)])
    assert starts(digits, timezone="UTC")[0] == utc(2019, 2, 15, 10, 30)
    zoned = pl.Series([utc(2019, 2, 15, 23)] * 5).dt.convert_time_zone("Asia/Tokyo")
    hours = [time(hour) for hour in range(10, 15)]
    assert starts(batch(date=zoned, time=hours), timezone="UTC")[0] == utc(2019, 2, 16, 10)
    midnight = batch(date=["20150218", "20150219", "20150220", "20150223"], time=["000000"] * 4)
    assert starts(midnight)[0] == utc(2015, 2, 18)


def test_seconds_and_milliseconds_in_one_column() -> None:
    raw = batch(unix=["1618704000000", "1618700400000", "1505088000.0", "1505084400.0", "x"])
    found = layout(raw, interval="1h")
    assert "times are numbers since 1970 in s (40.0%) and ms (40.0%)" in noted(found)
    assert starts(raw, interval="1h") == [
        utc(2021, 4, 18), utc(2021, 4, 17, 23), utc(2017, 9, 11), utc(2017, 9, 10, 23), None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([1719840600, 1719840660, 1719840720, 1719840780], "s"),
        ([1719840600000, 1719840660000, 1719840720000, 1719840780000], "ms"),
        ([1719840600 * 10**6, 1719840660 * 10**6, 1719840720 * 10**6, 1719840780 * 10**6], "us"),
        ([1719840600 * 10**9, 1719840660 * 10**9, 1719840720 * 10**9, 1719840780 * 10**9], "ns"),
    ],
)
@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt64, pl.Float64, pl.String])
def test_epochs_of_any_unit_and_type(values: list[int], unit: str, dtype: Any) -> None:
    raw = batch(t=pl.Series(values).cast(dtype))
    assert f"times are numbers since 1970 in {unit}" in noted(layout(raw))
    assert starts(raw)[:2] == [utc(2024, 7, 1, 13, 30), utc(2024, 7, 1, 13, 31)]


def test_twelve_digits_are_asked_about() -> None:
    raw = batch(datetime=[199012190900, 199012191000, 199012191100, 199012191300])
    with pytest.raises(ColumnMismatch, match="YYYYMMDDHHMM, or milliseconds of 1976") as raised:
        layout(raw)
    assert "--time-format %Y%m%d%H%M" in str(raised.value.hint)
    assert starts(raw, timezone="UTC", time_format="%Y%m%d%H%M")[0] == utc(1990, 12, 19, 9)
    assert starts(raw, interval="1s", time_format="ms")[0] == datetime(
        1976, 4, 22, 9, 9, 50, 900000, tzinfo=UTC
    )


def test_fourteen_digits_are_local_times() -> None:
    raw = batch(ts=["20240701093000", "20240701093100", "20240701093200", "20240701093300"])
    assert starts(raw, timezone="UTC-4")[0] == utc(2024, 7, 1, 13, 30)


MONTH_FIRST = [f"{1 + n // 28}/{1 + n % 28}/2024" for n in range(90)]


def test_the_order_of_month_and_day_is_decided_by_the_values() -> None:
    day_first = ["/".join([t.split("/")[1], t.split("/")[0], "2024"]) for t in MONTH_FIRST]
    for texts, name in ((MONTH_FIRST, "MM/DD/YYYY"), (day_first, "DD/MM/YYYY")):
        raw = batch(Date=texts)
        found = layout(raw, interval="1d")
        assert noted(found) == (f"times are {name}: 48 values can be nothing else",)
        assert starts(raw, interval="1d")[28] == utc(2024, 2, 1)


def test_one_stray_value_does_not_turn_the_order_round() -> None:
    raw = batch(Date=[*MONTH_FIRST, "21/7/2024"])
    assert starts(raw, interval="1d")[-2:] == [utc(2024, 4, 6), None]


def test_an_order_that_nothing_decides_is_asked_for() -> None:
    raw = batch(Date=["11/5/2019 9:30", "11/5/2019 9:31", "11/5/2019 9:32", "11/5/2019 9:33"])
    with pytest.raises(ColumnMismatch, match="'11/5/2019 9:30', and nothing shows") as raised:
        layout(raw, timezone="UTC")
    hint = str(raised.value.hint)
    assert hint == "say it: --time-format '%m/%d/%Y %H:%M' or '%d/%m/%Y %H:%M'"
    for time_format, start in (("%m/%d/%Y %H:%M", utc(2019, 11, 5, 9, 30)),
                               ("%d/%m/%Y %H:%M", utc(2019, 5, 11, 9, 30))):  # fmt: skip
        assert starts(raw, timezone="UTC", time_format=time_format)[0] == start


@pytest.mark.parametrize(
    ("time_format", "error"),
    [
        ("%Q nonsense", SettingsError),
        ("%Y-%m-%d %", SettingsError),
        ("%Y-%m-%d %I-%p", ColumnMismatch),
        ("seconds", SettingsError),
        ("%d.%m.%Y", ColumnMismatch),
    ],
)
def test_formats_that_do_not_fit(time_format: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="--time-format"):
        layout(batch(ts=DAYS), time_format=time_format)


def test_a_format_with_an_offset() -> None:
    raw = batch(ts=[f"01.07.2024 13:{m} +0200" for m in range(30, 36)])
    assert starts(raw, time_format="%d.%m.%Y %H:%M %z")[0] == utc(2024, 7, 1, 11, 30)


def test_the_layout_of_a_file_without_rows() -> None:
    header = pl.DataFrame(schema=dict.fromkeys(("Date", "open", "high", "low", "close"), pl.String))
    raw = RawBatch(header, Location("empty.csv", 0, 1))
    found = layout(raw)
    assert found.interval is None
    normalised = normalise(raw, found)
    assert normalised.bars.height == normalised.faults.height == 0
    with pytest.raises(ProviderUnknown):
        layout(raw, provider=None)


def test_what_a_layout_says_of_text_times() -> None:
    plan = layout(batch(ts=MINUTES), timezone="UTC").times
    assert isinstance(plan.form, Form)
    assert (plan.columns, plan.kind, plan.form.name) == (("ts",), "wall", "YYYY-MM-DD HH:MM:SS")
