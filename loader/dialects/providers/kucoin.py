"""KuCoin: the candle answer of its spot API, whose close comes before high and low."""

from loader.dialects.dialect import OHLCV, Dialect, Shape
from loader.dialects.ordering import high_and_low_bound

_FIELDS = ("time", "open", "close", "high", "low", "volume", "turnover")

DIALECT = Dialect(
    name="kucoin",
    title="KuCoin candles",
    columns={"ts": ("time",), **OHLCV},
    shapes=tuple(
        Shape(
            containers=("json", "ndjson"),
            place=place,
            positions=_FIELDS,
            values={"time": r"\d{10}", **said},
            accept=high_and_low_bound,
        )
        for place, said in ((r"data\[\]", {"code": "200000"}), (r"\[\]", {}))
    ),
    left_out={"turnover": "in the quote currency", "code": "200000 where nothing is wrong"},
    volume="base asset",
    adjusted="nothing to adjust",
    traps=(
        "the order is open, close, high, low",
        "newest first; the newest candle may be unfinished, and nothing marks it",
        "neither the pair nor the interval is in the answer: use --symbol",
        "candles of KuCoin's futures have another order and milliseconds: not known here",
    ),
    source="readers of /api/v1/market/candles in public code: [time, open, close, high, low, "
    "volume, turnover]",
)
