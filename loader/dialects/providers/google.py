"""Google Finance's historical prices, which ended in 2017: dates such as 31-Dec-10."""

from __future__ import annotations

from loader.bars.numbers import NumberFormat
from loader.dialects.dialect import OHLCV, Dialect, Shape

DIALECT = Dialect(
    name="google",
    title="Google Finance historical prices",
    columns={
        "ts": ("date",),
        **OHLCV,
    },
    shapes=(
        Shape(
            header=("Date", "Open", "High", "Low", "Close", "Volume"),
            exact=True,
            name="(?i)google",
            values={"Date": r"\d{1,2}-[A-Z][a-z]{2}-\d\d"},
            time_format="%d-%b-%y",
        ),
    ),
    numbers=NumberFormat(empty=("-",)),
    volume="shares",
    adjusted="not said in the file",
    traps=(
        "an open that Google did not have is `-`: such a row is rejected",
        "years have two digits: 69 and above are of the 1900s",
        "others write such tables too: one is taken for Google's only where its name says google",
        "newest first",
    ),
    source="a year of ORCL as downloaded, once with a missing open",
)
