"""TDX (Tongdaxin): daily bars of the Chinese exchanges in vipdoc/*/lday/*.day."""

import re
from collections.abc import Mapping

from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

#: By exchange and the first digits of the number. What a bond's unit is, readers disagree on.
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
    volume="shares; of indices, funds and bonds as it stands, in a unit that is not said",
    adjusted="nothing, as traded",
    traps=(
        "the exchange is part of the symbol: SH000001 is an index, SZ000001 a bank",
        "prices are hundredths of a yuan, of funds and Shanghai's B shares thousandths: the number "
        "says which; where it does not (bonds), --price-divisor has to",
        "an index counts its volume in other units than a stock, which the file does not say",
    ),
    source="vipdoc/sh/lday/sh600000.day, whose amounts give shares; public readers for other kinds",
)
