"""Google Finance's historical prices (until 2017), with dates such as 31-Dec-10."""

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
    adjusted="unknown: the file does not tell",
    traps=(
        "a missing open is written as `-`; such a row is rejected",
        "years have two digits: 69 and above belong to the 1900s",
        "others write such tables too: recognised only if google is in the file's name",
        "newest first",
    ),
    source="a downloaded year of ORCL, once with a missing open",
)
