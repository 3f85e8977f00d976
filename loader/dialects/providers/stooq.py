"""Stooq's bulk text files and the CSV of its site."""

from loader.dialects.dialect import Dialect, Shape

_BULK = (
    "<TICKER>", "<PER>", "<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>",
    "<OPENINT>",
)  # fmt: skip
_NAME = r"(?:^|[/!])_?(?P<symbol>[^/!_][^/!]*\.[a-z]{2})\.txt$"
_OPEN_INTEREST = "open interest, 0 for stocks"

DIALECT = Dialect(
    name="stooq",
    title="Stooq bulk files",
    columns={
        "symbol": ("<ticker>",),
        "interval": ("<per>",),
        "ts": ("<date>", "date"),
        "time_of_day": ("<time>", "time"),
        "open": ("<open>", "open"),
        "high": ("<high>", "high"),
        "low": ("<low>", "low"),
        "close": ("<close>", "close"),
        "volume": ("<vol>", "volume"),
    },
    shapes=(
        Shape(header=_BULK, exact=True),
        Shape(
            header=("Date", "Time", "Open", "High", "Low", "Close", "Volume", "OpenInt"),
            exact=True,
            name=_NAME,
            note="the header of Stooq's files of 2015",
        ),
        Shape(
            header=("Date", "Open", "High", "Low", "Close", "Volume", "OpenInt"),
            exact=True,
            name=_NAME,
            interval="1d",
            note="the header of Stooq's files of 2017",
        ),
    ),
    names=(_NAME,),
    left_out={"<openint>": _OPEN_INTEREST, "openint": _OPEN_INTEREST},
    intervals={"5": "5m", "60": "1h", "D": "1d", "W": "1w", "M": "1mo"},
    symbol_convention="stooq",
    stamp="end",
    timezone="Europe/Warsaw",
    volume="shares, adjusted like the prices",
    adjusted="splits and dividends, back to the first day",
    traps=(
        "intraday timestamps mark the ends of bars, in Warsaw time with daylight saving time",
        "history is restated after each split and dividend",
        "names reserved by Windows begin with an underscore: _prn.us.txt is PRN.US",
        "the headers of 2015 and 2017 are common: they are recognised only with a name like "
        "aapl.us.txt",
        "Finam's files look similar but lack <OPENINT> and are in Moscow time: another format",
    ),
    source="files of 2015 around the US and EU DST changes; header of the bulk archives; "
    "public readers of the daily files of 2017",
)
