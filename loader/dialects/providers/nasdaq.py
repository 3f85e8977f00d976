"""Nasdaq.com: historical quotes downloaded from the site."""

from loader.bars.numbers import NumberFormat
from loader.dialects import tickers
from loader.dialects.dialect import Dialect, Shape

DIALECT = Dialect(
    name="nasdaq",
    title="Nasdaq.com historical data",
    columns={
        "ts": ("date",),
        "open": ("open",),
        "high": ("high",),
        "low": ("low",),
        "close": ("close/last",),
        "volume": ("volume",),
    },
    shapes=(
        Shape(
            header=("Date", "Close/Last", "Volume", "Open", "High", "Low"),
            exact=True,
            values={"Date": r"\d{1,2}/\d{1,2}/\d{4}"},
        ),
    ),
    names=(tickers.CSV,),
    time_format="%m/%d/%Y",
    interval="1d",
    numbers=NumberFormat(grouping=",", currency="$", empty=("N/A",)),
    volume="shares; N/A (NULL in the store) for indices and currencies",
    adjusted="unknown: the site does not tell",
    traps=(
        "the close comes before the volume and the open",
        "prices of stocks have a dollar sign, those of indices and currencies none",
        "a name such as HistoricalData_1734103211234.csv lacks the symbol: use --symbol",
    ),
    source="files in public repositories and the readers for them",
)
