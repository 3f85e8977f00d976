"""What ccxt's fetch_ohlcv gives, written as JSON: rows of numbers without names."""

from loader.dialects.dialect import OHLCV, Dialect, Shape
from loader.dialects.ordering import high_and_low_bound

DIALECT = Dialect(
    name="ccxt",
    title="ccxt lists of candles",
    columns={
        "ts": ("timestamp",),
        **OHLCV,
    },
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=r"\[\]",
            positions=("timestamp", "open", "high", "low", "close", "volume"),
            values={"timestamp": r"\d{13}"},
            accept=high_and_low_bound,
        ),
    ),
    provider="{exchange}",
    volume="base asset, as ccxt makes it of each exchange's; contracts of some derivatives",
    adjusted="nothing to adjust",
    traps=(
        "the exchange is not in the file: name it with --provider, and the pair with --symbol",
        "the last candle may still have been running, and nothing marks it",
        "any field may be null; such a row is rejected",
        "Bitfinex, KuCoin and others have the same arrays in another order when asked without "
        "ccxt: a file whose high and low are not the ends of its prices is not taken",
    ),
    source="ccxt's parse_ohlcv",
)
