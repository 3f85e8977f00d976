"""Binance's public data: monthly and daily klines, spot and futures, and the REST answer."""

from loader.providers.dialect import Dialect, Refused, Shape

_COLUMNS = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
#: 13 digits are milliseconds; spot files have microseconds, 16 digits, from 2025-01-01 on.
_STAMPS = {"open_time": r"\d{13}|\d{16}", "close_time": r"\d{13}|\d{16}"}
_NAME = r"(?P<symbol>[A-Z0-9_]+)-(?P<interval>\d+(?:s|m|h|d|w|mo))-(?P<date>\d{4}-\d\d(?:-\d\d)?)"
_MONEY = "in the quote currency, or of the taker's side only"

DIALECT = Dialect(
    name="binance",
    title="Binance klines",
    columns={
        "ts": ("open_time",),
        "open": ("open",),
        "high": ("high",),
        "low": ("low",),
        "close": ("close",),
        "volume": ("volume",),
        "trade_count": ("count",),
    },
    shapes=(
        Shape(positions=_COLUMNS, values=_STAMPS),
        Shape(header=_COLUMNS, exact=True),
        Shape(containers=("json",), place=r"\[\]", positions=_COLUMNS, values=_STAMPS),
    ),
    refused=(
        Refused(
            Shape(name=r"-(?:trades|aggTrades|bookTicker|bookDepth|metrics|fundingRate)-"),
            "trades, quotes or rates",
        ),
    ),
    names=(_NAME + r"(?:\.(?:csv|zip))?(?:!.*)?$",),
    left_out={
        "closetime": "the bar's last instant, which its start and interval say",
        **dict.fromkeys(("quotevolume", "takerbuyvolume", "takerbuyquotevolume"), _MONEY),
        "ignore": "always 0",
    },
    volume="base asset; contracts in COIN-M files",
    adjusted="nothing to adjust",
    traps=(
        "spot stamps are microseconds from 2025-01-01 on, milliseconds before and in futures: each "
        "value is read by its own magnitude",
        "in file names 1mo is a month; 1M would be a minute where case is lost",
        "minutes without a trade are there, with volume 0",
    ),
    source="github.com/binance/binance-public-data README and issue 386; "
    "zip names data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-12.zip",
)
