"""The datasets that there are: bars, and those of a tenant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from loader.bars.columns import COLUMNS, KEY, OPTIONAL, TYPES
from loader.errors import SettingsError
from loader.settings.datasets.dataset import Column, Dataset, Rule

BARS_OHLCV: Final = Dataset(
    "bars_ohlcv",
    "bars_ohlcv",
    {name: Column(TYPES[name], name in OPTIONAL) for name in COLUMNS},
    KEY,
    "ts",
    "bars_ohlcv_revisions",
)

_TENANT: Final = Column("uuid", words=("tenant_id", "tenant", "tenant_name"))
_VENDOR: Final = Column("text", words=("vendor", "provider", "source"))
_SYMBOL: Final = Column("text", words=("symbol", "ticker", "sym", "instrument"), upper=True)
_TS: Final = Column(
    "timestamptz",
    words=("ts", "timestamp", "datetime", "time", "date", "quote_time", "snapshot_time", "t"),
)
_PRICE: Final = "numeric(20,8)"
_AMOUNT: Final = "numeric(25,2)"


def _price(*words: str, optional: bool = False) -> Column:
    return Column(_PRICE, optional, words)


def _amount(*words: str) -> Column:
    return Column(_AMOUNT, True, words)


def _tenants(
    name: str,
    columns: Mapping[str, Column],
    key: tuple[str, ...],
    rules: tuple[Rule, ...],
    *,
    known: str | None = None,
    flows: tuple[str, ...] = (),
    made: Mapping[str, tuple[Column, str]] = MappingProxyType({}),
) -> Dataset:
    """A dataset of a tenant: the tenant and the vendor begin its columns and its key."""
    return Dataset(
        name,
        name,
        {"tenant_id": _TENANT, "vendor": _VENDOR, **columns},
        ("tenant_id", "vendor", *key),
        "published_at" if name == "news" else key[-1],
        f"{name}_revisions",
        tenant="tenant_id",
        known=known,
        flows=flows,
        made=made,
        rules=rules,
    )


_BARS: Final = _tenants(
    "bars",
    {
        "symbol": _SYMBOL,
        "timeframe": Column("text", words=("timeframe", "interval", "resolution", "bar_size")),
        "ts": _TS,
        "open": _price("open", "o", "open_price"),
        "high": _price("high", "h", "high_price"),
        "low": _price("low", "l", "low_price"),
        "close": _price("close", "c", "close_price"),
        "volume": Column("bigint", True, ("volume", "v", "vol")),
    },
    ("symbol", "timeframe", "ts"),
    (
        Rule("price_not_positive", "open > 0 AND high > 0 AND low > 0 AND close > 0",
             "open, high, low or close is zero or negative"),
        Rule("high_below_low", "high >= low", "high is below low"),
        Rule("open_outside_range", "open >= low AND open <= high",
             "open is above high or below low"),
        Rule("close_outside_range", "close >= low AND close <= high",
             "close is above high or below low"),
        Rule("volume_negative", "volume >= 0", "the volume is negative"),
    ),
)  # fmt: skip

_FUNDAMENTALS: Final = _tenants(
    "fundamentals",
    {
        "symbol": _SYMBOL,
        "asof": Column(
            "date",
            words=(
                "asof", "as_of", "period_end", "period_end_date", "fiscalDateEnding",
                "fiscal_period_end", "period_of_report", "report_period", "end_date", "date",
            ),
        ),
        "revenue": _amount("revenue", "revenues", "totalRevenue", "sales"),
        "gross_profit": _amount("gross_profit"),
        "operating_income": _amount("operating_income", "operatingIncomeLoss", "ebit"),
        "net_income": _amount("net_income", "netIncomeLoss", "net_income_common"),
        "total_assets": _amount("total_assets", "assets"),
        "total_liabilities": _amount("total_liabilities", "liabilities"),
        "total_equity": _amount(
            "total_equity", "totalShareholderEquity", "stockholdersEquity", "equity"
        ),
        "operating_cash_flow": _amount("operating_cash_flow", "operatingCashflow"),
        "eps": Column("numeric(10,4)", True, ("eps", "epsdiluted", "eps_diluted", "reportedEPS")),
        "filed_at": Column(
            "timestamptz", True,
            ("filed_at", "filing_date", "fillingDate", "filed", "acceptedDate", "accepted_date",
             "reportedDate", "datekey"),
        ),
    },
    ("symbol", "asof"),
    (
        Rule(
            "no_value",
            "revenue IS NOT NULL OR gross_profit IS NOT NULL OR operating_income IS NOT NULL"
            " OR net_income IS NOT NULL OR total_assets IS NOT NULL OR total_liabilities IS NOT"
            " NULL OR total_equity IS NOT NULL OR operating_cash_flow IS NOT NULL"
            " OR eps IS NOT NULL",
            "the row has no figure",
        ),
        Rule("filed_before_period_end", "CAST(filed_at AS DATE) >= asof",
             "the row was filed before its period ended"),
    ),
    known="filed_at",
    flows=("revenue", "gross_profit", "operating_income", "net_income", "operating_cash_flow"),
)  # fmt: skip

_NEWS: Final = _tenants(
    "news",
    {
        "symbol": Column("text", True, ("symbol", "ticker", "sym"), upper=True),
        "published_at": Column(
            "timestamptz",
            words=("published_at", "publishedDate", "published_utc", "time_published", "published",
                   "datetime", "timestamp", "created_at", "date"),
        ),
        "title": Column("text", words=("title", "headline")),
        "url": Column("text", True, ("url", "article_url", "link", "news_url")),
        "body": Column("text", True, ("body", "content", "text", "summary", "description")),
        "sentiment": Column(
            "numeric(9,6)", True, ("sentiment", "sentiment_score", "overall_sentiment_score")
        ),
    },
    ("published_at", "article"),
    (),
    made={"article": (Column("text"), "coalesce(url, md5(title))")},
)  # fmt: skip

_OPTIONS: Final = _tenants(
    "options_snap",
    {
        "symbol": Column(
            "text",
            words=("symbol", "underlying", "underlying_symbol", "ticker", "root"), upper=True,
        ),
        "ts": _TS,
        "expiry": Column("date", words=("expiry", "expiration", "expiration_date", "expiry_date")),
        "option_type": Column(
            "text",
            words=("option_type", "type", "contract_type", "put_call", "call_put", "right", "cp"),
            choices=MappingProxyType({"C": "C", "CALL": "C", "P": "P", "PUT": "P"}),
        ),
        "strike": _price("strike", "strike_price"),
        "iv": Column("numeric(12,8)", True, ("iv", "implied_volatility", "impliedVolatility")),
        "delta": Column("numeric(12,8)", True, ("delta",)),
        "gamma": Column("numeric(12,8)", True, ("gamma",)),
        "oi": Column("bigint", True, ("oi", "open_interest", "openInterest")),
        "volume": Column("bigint", True, ("volume", "vol", "v")),
        "spot": _price("spot", "underlying_price", "underlying_last", "spot_price", optional=True),
    },
    ("symbol", "expiry", "option_type", "strike", "ts"),
    (
        Rule("strike_not_positive", "strike > 0", "the strike is zero or negative"),
        Rule("expired", "expiry >= CAST(ts AS DATE) - INTERVAL '1 day'",
             "the contract expired more than a day before the snapshot"),
        Rule("iv_negative", "iv >= 0", "the implied volatility is negative"),
        Rule("delta_out_of_range", "delta >= -1 AND delta <= 1", "delta is outside of -1 to 1"),
        Rule("oi_negative", "oi >= 0", "the open interest is negative"),
        Rule("volume_negative", "volume >= 0", "the volume is negative"),
    ),
)  # fmt: skip

#: The datasets of a tenant, by name.
TENANT: Final[Mapping[str, Dataset]] = MappingProxyType(
    {each.name: each for each in (_BARS, _FUNDAMENTALS, _NEWS, _OPTIONS)}
)


def dataset(name: str) -> Dataset:
    """The tenant's dataset `name`.

    Raises:
        SettingsError: there is none of that name.
    """
    if name in TENANT:
        return TENANT[name]
    near = difflib.get_close_matches(name, TENANT, 1)
    raise SettingsError(
        f"{name!r} is not a dataset of a tenant",
        option="--dataset",
        hint=f"did you mean {near[0]}?" if near else f"one of {', '.join(TENANT)}",
    )
