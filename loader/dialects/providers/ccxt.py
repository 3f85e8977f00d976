"""The result of ccxt's fetch_ohlcv as JSON: rows of numbers without names."""

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
    volume="base asset, converted by ccxt; contracts for some derivatives",
    adjusted="nothing to adjust",
    traps=(
        "the exchange is not in the file: name it with --provider, and the pair with --symbol",
        "the last candle may be unfinished, and nothing marks it",
        "any field may be null; such a row is rejected",
        "Bitfinex, KuCoin and others return such arrays in another order when asked without ccxt: "
        "a file does not fit if high and low are not the largest and smallest of its prices",
    ),
    source="ccxt's parse_ohlcv",
)
