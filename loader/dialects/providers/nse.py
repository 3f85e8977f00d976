"""National Stock Exchange of India: the bhavcopy of its cash market, before and since July 2024."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from loader.dialects.dialect import Dialect, Opening, Refused, Reshape, Shape

_OLD = (
    "SYMBOL", "SERIES", "OPEN", "HIGH", "LOW", "CLOSE", "TOTTRDQTY", "TOTTRDVAL", "TIMESTAMP",
)  # fmt: skip
_NEW = (
    "TradDt", "Sgmt", "Src", "TckrSymb", "SctySrs", "OpnPric", "HghPric", "LwPric", "ClsPric",
    "TtlTradgVol",
)  # fmt: skip
#: Series under which the share itself is traded; others are bonds, rights, warrants of its issuer.
_SHARES: Final = ["EQ", "BE", "BZ", "SM", "ST"]
_OTHER: Final = "another series than the share's (EQ, BE, BZ, SM, ST)"


def _spelled(symbol: str, series: str) -> Callable[[Opening], Reshape]:
    """Adds the series to the symbols of what is not the share: `IRFC-N1`."""
    bare, word = pl.col(symbol).str.strip_chars(), pl.col(series).str.strip_chars()
    share = word.is_in(_SHARES) | word.is_null()
    spelled = pl.when(share).then(bare).otherwise(bare + "-" + word).alias(symbol)
    return lambda _: lambda frame: frame.with_columns(spelled)


def _other(series: str) -> dict[str, pl.Expr]:
    return {_OTHER: ~pl.col(series).str.strip_chars().is_in(_SHARES)}


DIALECT = Dialect(
    name="nse",
    title="NSE bhavcopy (cash market)",
    columns={
        "symbol": ("symbol",),
        "ts": ("timestamp",),
        "open": ("open",),
        "high": ("high",),
        "low": ("low",),
        "close": ("close",),
        "volume": ("tottrdqty",),
        "trade_count": ("totaltrades",),
    },
    shapes=(
        Shape(header=_OLD, reshape=_spelled("SYMBOL", "SERIES"), skip=_other("SERIES")),
        Shape(
            header=_NEW,
            values={"Sgmt": "CM", "Src": "NSE"},
            columns={
                "symbol": ("tckrsymb",),
                "ts": ("traddt",),
                "open": ("opnpric",),
                "high": ("hghpric",),
                "low": ("lwpric",),
                "close": ("clspric",),
                "volume": ("ttltradgvol",),
                "trade_count": ("ttlnboftxsexctd",),
            },
            reshape=_spelled("TckrSymb", "SctySrs"),
            skip=_other("SctySrs"),
        ),
    ),
    refused=(
        Refused(
            Shape(
                header=(
                    "INSTRUMENT",
                    "SYMBOL",
                    "EXPIRY_DT",
                    "STRIKE_PR",
                    "OPTION_TYP",
                    "OPEN",
                    "HIGH",
                    "LOW",
                    "CLOSE",
                    "SETTLE_PR",
                )
            ),
            "contracts on one underlying, which SYMBOL does not tell apart",
        ),
        Refused(
            Shape(header=_NEW, values={"Sgmt": "FO", "Src": "NSE"}),
            "contracts on one underlying, which TckrSymb does not tell apart",
        ),
    ),
    interval="1d",
    left_out={
        "last": "the last trade; the close is an average of the last half hour",
        "lastpric": "the last trade; the close is an average of the last half hour",
        "prevclose": "the close before",
        "prvsclsgpric": "the close before",
        "series": "part of the symbol, where it is not the share's",
        "sctysrs": "part of the symbol, where it is not the share's",
        "tottrdval": "the turnover, in rupees",
        "ttltrfval": "the turnover, in rupees",
        "isin": "the security's number is not stored",
    },
    volume="shares",
    adjusted="nothing",
    traps=(
        "one symbol has a row for each series: bonds of an issuer stand beside its share. Rows of "
        "other series than the share's are skipped; with --keep-skipped they are loaded as "
        "IRFC-N1",
        "the columns changed on 8 July 2024",
        "bhavcopies of futures and options name the underlying only, and are refused",
    ),
    source="readers and tests of public code for both forms of the file (getbhavcopy of "
    "hemenkapadia; UDiFF headers in tests of NSE importers)",
)
