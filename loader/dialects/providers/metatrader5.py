"""MetaTrader 5: bars exported as tab-separated text."""

from __future__ import annotations

from loader.dialects.dialect import Dialect, Opening, Refused, Shape, fold

_PRICES = ("<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>")
_COUNTS = ("<TICKVOL>", "<VOL>", "<SPREAD>")
_INTRADAY = ("<DATE>", "<TIME>", *_PRICES, *_COUNTS)
_DAILY = ("<DATE>", *_PRICES, *_COUNTS)
_FIELDS = {
    "ts": ("<date>",),
    "time_of_day": ("<time>",),
    "open": ("<open>",),
    "high": ("<high>",),
    "low": ("<low>",),
    "close": ("<close>",),
}
_TRADED = {**_FIELDS, "volume": ("<vol>",)}
_TICKS = {**_FIELDS, "volume": ("<tickvol>",)}


def _is_traded(opening: Opening) -> bool:
    """Whether the file has an exchange's volume; over the counter `<VOL>` is always 0."""
    cells = next(column for column in opening.first if fold(column.name) == "<vol>")
    return bool(cells.str.contains("[1-9]").any())


def _only_ticks(opening: Opening) -> bool:
    return not _is_traded(opening)


DIALECT = Dialect(
    name="metatrader5",
    title="MetaTrader 5 bars",
    columns=_TICKS,
    shapes=tuple(
        Shape(header=header, exact=True, accept=accept, columns=columns, note=note)
        for header in (_INTRADAY, _DAILY)
        for accept, columns, note in (
            (_is_traded, _TRADED, "volume is the traded volume, <VOL>"),
            (_only_ticks, _TICKS, "volume is the number of ticks, because <VOL> is always 0"),
        )
    ),
    refused=(Refused(Shape(header=("<DATE>", "<TIME>", "<BID>", "<ASK>")), "ticks"),),
    names=(
        r"(?:^|[/!])(?P<symbol>[^/!]+?)_"
        r"(?P<interval>M(?:1|2|3|4|5|6|10|12|15|20|30)|H(?:1|2|3|4|6|8|12)|D1|W1|MN1)"
        r"(?:_\d{8,12}){0,2}\.(?:csv|txt)(?:\.\w+)?$",
    ),
    left_out={
        "<tickvol>": "the number of price changes; the file has the exchange's volume",
        "<vol>": "the exchange's volume: always 0",
        "<spread>": "the spread in points is not stored",
    },
    volume="traded volume (<VOL>) if an exchange reports it, else number of ticks (<TICKVOL>)",
    adjusted="nothing",
    traps=(
        "times are on the broker server's clock: use --timezone. Many servers run at New York time "
        "plus seven hours (America/New_York+7h), others at UTC+2 or +3 with European DST",
        "daily and longer bars have no <TIME> column and need no zone",
        "brokers add suffixes to symbols: EURUSD.m, EURUSDc, XAUUSD# are kept as they are",
    ),
    source="an export of hourly gold bars; mql5.com on servers' zones; public readers",
)
