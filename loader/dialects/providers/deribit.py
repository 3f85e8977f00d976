"""Deribit: the chart data of its API."""

from loader.dialects.dialect import OHLCV, Dialect, Shape

DIALECT = Dialect(
    name="deribit",
    title="Deribit chart data",
    columns={"ts": ("ticks",), **OHLCV},
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\]\.?)?(?:result)?\.",
            header=("ticks", "open", "high", "low", "close", "volume"),
            values={"ticks": r"\d{13}"},
        ),
    ),
    left_out={
        "cost": "the volume in the quote currency",
        **dict.fromkeys(
            ("result.status", "status", "jsonrpc", "id", "usin", "usout", "usdiff", "testnet"),
            "metadata of the answer",
        ),
    },
    volume="base asset",
    adjusted="nothing to adjust",
    traps=(
        "neither the instrument nor the resolution is in the answer: use --symbol",
        "an instrument without trades repeats its last price with volume 0",
        "the last bar may be unfinished, and nothing marks it",
    ),
    source="readers of public/get_tradingview_chart_data in public code (ticks, open, high, low, "
    "close, volume, cost, status)",
)
