"""TDX (Tongdaxin): daily bars of the Chinese exchanges in vipdoc/*/lday/*.day."""

import re
from collections.abc import Mapping

from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

#: By exchange and first digits of the number. Bonds are missing: readers disagree on their unit.
_UNITS = {
    r"sh(?:60|68|00|88|99)|sz(?:00|30|20|39)|bj": "-2",  # stocks and indices
    r"sh(?:90|50|51)|sz(?:15|16)": "-3",  # Shanghai's B shares; funds
}


def _facts(opening: Opening) -> Mapping[str, str]:
    symbol = opening.facts.get("symbol", "").lower()
    unit = next((unit for codes, unit in _UNITS.items() if re.match(codes, symbol)), None)
    return {**opening.facts, **({"price_exponent": unit} if unit else {})}


DIALECT = Dialect(
    name="tdx",
    title="TDX's daily files",
    columns={"ts": ("date",), **OHLCV},
    shapes=(Shape(containers=("tdx",)),),
    names=(r"(?:^|[/!])(?P<symbol>(?:sh|sz|bj)\d{6})\.day(?:\.\w+)?$",),
    facts=_facts,
    left_out={"amount": "money, not units traded"},
    interval="1d",
    price_exponent=None,
    volume="shares; for indices, funds and bonds as it stands, in an unknown unit",
    adjusted="nothing, as traded",
    traps=(
        "the exchange is part of the symbol: SH000001 is an index, SZ000001 a bank",
        "prices are hundredths of a yuan, or thousandths for funds and Shanghai's B shares: the "
        "number decides; if it does not (bonds), use --price-divisor",
        "an index counts its volume in other units than a stock; the file does not name them",
    ),
    source="vipdoc/sh/lday/sh600000.day (amount / price = shares); public readers for other kinds",
)
