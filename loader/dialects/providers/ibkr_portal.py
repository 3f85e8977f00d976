"""Interactive Brokers' client portal: the history answers of its Web API."""

from loader import bars
from loader.dialects.dialect import Dialect, Shape

_INTERVALS = {
    **{str(seconds): name for name, seconds in bars.INTERVAL_SECONDS.items()},
    "604800": "1w",
}

DIALECT = Dialect(
    name="ibkr-portal",
    title="Interactive Brokers' client portal history",
    columns={
        "symbol": ("symbol",),
        "interval": ("barLength",),
        "ts": ("t",),
        "open": ("o",),
        "high": ("h",),
        "low": ("l",),
        "close": ("c",),
        "volume": ("v",),
    },
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\]\.)?data\[\]",
            header=("symbol", "barLength", "mdAvailability", "o", "h", "l", "c", "v", "t"),
            values={"t": r"\d{12,13}"},
        ),
    ),
    left_out={
        "high": "the highest price of the answer, its volume and minute",
        "low": "the lowest price of the answer, its volume and minute",
        "volumefactor": "for charts",
        "pricefactor": "for charts",
        "text": "the name of the company",
    },
    provider="ibkr",
    intervals=_INTERVALS,
    volume_exponent=2,
    volume="lots of 100 shares for US stocks; for anything else use --volume-factor 1",
    adjusted="splits",
    traps=(
        "a day is stamped with the opening of its session: name the market's zone for its date",
        "v counts lots of 100 shares of US stocks, with fractions, also where volumeFactor is 1; "
        "for futures, currencies and others use --volume-factor 1",
        "bars of bid and ask, and of midpoints, look alike: name each with --provider, such as "
        "ibkr-midpoint",
    ),
    source="the answer in Interactive Brokers' documentation of iserver/marketdata/history, also "
    "in tests of public code; austin-millan/interactive-brokers-client (units of volume)",
)
