"""BitMEX: the buckets of trades of its REST API, which are stamped with their ends."""

from loader.dialects.dialect import OHLCV, Dialect, Shape

_HEADER = (
    "timestamp", "symbol", "open", "high", "low", "close", "trades", "volume", "vwap", "lastSize",
    "turnover", "homeNotional", "foreignNotional",
)  # fmt: skip

DIALECT = Dialect(
    name="bitmex",
    title="BitMEX buckets of trades",
    columns={
        "symbol": ("symbol",),
        "ts": ("timestamp",),
        **OHLCV,
        "vwap": ("vwap",),
        "trade_count": ("trades",),
    },
    shapes=(Shape(containers=("json", "ndjson", "csv"), header=_HEADER),),
    left_out={
        "lastsize": "the size of the last trade",
        "turnover": "in the currency of settlement",
        "homenotional": "the volume in the base asset",
        "foreignnotional": "the volume in the quote currency",
    },
    stamp="end",
    midnight_ends=True,
    volume="contracts",
    adjusted="nothing to adjust",
    traps=(
        "a bucket is stamped with its end: that of 00:00 is the last hour, or the last day, of the "
        "day before",
        "with partial=true the last bucket is unfinished, and nothing marks it",
        "open is the last price of the bucket before, not the first trade",
        "the interval is not in the file",
    ),
    source="ccxt issue 4446 and BitMEX/api-connectors issues 115 and 193: answers beside charts",
)
