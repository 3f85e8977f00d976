"""HistData's free forex bars, in its own text form, NinjaTrader's and MetaTrader's."""

from __future__ import annotations

from loader.dialects.dialect import OHLC, Dialect, Opening, Refused, Shape

_BAR = ("open", "high", "low", "close", "volume")
_TICK = ("time", "bid", "ask", "volume")
_ZERO = {"volume": "0"}


def _never_traded(opening: Opening) -> bool:
    """Whether every volume is 0: only that tells such text from NinjaTrader's or MetaTrader's."""
    return bool((opening.first["volume"].str.strip_chars() == "0").all())


DIALECT = Dialect(
    name="histdata",
    title="HistData one-minute bars",
    columns={
        "ts": ("time", "date"),
        "time_of_day": ("clock",),
        **OHLC,
    },
    shapes=(
        Shape(
            positions=("time", *_BAR),
            metadata={"delimiter": ";"},
            values={"time": r"\d{8} \d{6}", **_ZERO},
            accept=_never_traded,
        ),
        Shape(
            positions=("date", "clock", *_BAR),
            values={"date": r"\d{4}\.\d\d\.\d\d", "clock": r"\d\d:\d\d", **_ZERO},
            accept=_never_traded,
        ),
    ),
    refused=(
        Refused(Shape(positions=_TICK, values={"time": r"\d{8} \d{9}"}), "ticks"),
        Refused(Shape(name=r"(?:^|[/!])DAT_[A-Z]+_[A-Z0-9]+_T_\d{6}\.csv$"), "ticks"),
        Refused(
            Shape(name=r"(?:^|[/!])DAT_[A-Z]+_[A-Z0-9]+_(?:M1|T\w*)_\d{4,6}\.txt$"),
            "the report of gaps that comes with each archive",
        ),
    ),
    names=(
        r"(?:^|[/!])DAT_(?:ASCII|MT|NT)_(?P<symbol>[A-Z0-9]+)_(?P<interval>M1)_\d{4,6}\.csv(?:\.\w+)?$",
    ),
    left_out={"volume": "always 0: HistData has no volume"},
    timezone="UTC-5",
    volume="none: the column is always 0, and is left out",
    adjusted="nothing; bid prices only",
    provider="histdata",
    traps=(
        "times are UTC-5 all year, without daylight saving time: not New York's",
        "prices are bid prices",
        "NinjaTrader's own exports look the same, but are in UTC and mark the end of a bar: a "
        "volume other than 0 tells them apart",
        "a month's file ends at midnight UTC-5: its last bars belong to the next month in UTC",
    ),
    source="histdata.com's specification; a month of EURUSD, 30,471 bars; names of public readers",
)
