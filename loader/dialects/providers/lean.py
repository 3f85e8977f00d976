"""QuantConnect's Lean: zipped text without a header; the folders describe it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import polars as pl

from loader import bars
from loader.dialects.dialect import OHLCV, Dialect, Opening, Refused, Reshape, Shape

_KIND: Final = "equity|option|indexoption|futureoption|index|future|forex|cfd|cryptofuture|crypto"
_FOLDER: Final = rf"/(?P<kind>{_KIND})/(?P<market>[a-z0-9]+)/"
#: One file per day, with times in milliseconds; and one for all days, with a date in each row.
_DAY: Final = (
    rf"{_FOLDER}(?P<interval>second|minute)/(?P<symbol>[^/]+)/(?P<date>\d{{8}})_[^/!]*"
    r"\.(?:zip|csv)(?:!.*)?$"
)
_ALL: Final = (
    rf"{_FOLDER}(?P<interval>hour|daily)/(?P<symbol>[^/!_]+?)(?:_[^/!]*)?\.(?:zip|csv)(?:!.*)?$"
)
#: An extracted entry of a zip, without the folders that name its market.
_ENTRY: Final = (
    r"(?:^|[/!])(?P<date>\d{8})_(?P<symbol>[^/!_]+)_(?P<interval>second|minute)_(?:trade|quote)"
    r"(?:_(?P<contract>[^/!]+))?\.csv$"
)
_CONTRACT: Final = r"(?:^|[/!])[^/!_]+?(?:_(?:trade|quote))?_(?P<contract>[^/!]+)\.csv$"
_TRADES: Final = ("time", *bars.PRICES, "volume")
_QUOTES: Final = (
    "time", *(f"{side}_{word}" for side in ("bid", "ask") for word in (*bars.PRICES, "size")),
)  # fmt: skip
_MILLISECONDS: Final = {"time": r"\d{1,8}"}
_DATES: Final = {"time": r"\d{8} \d\d:\d\d"}
#: Zones of the data, which can differ from the exchange's; daily bars need none.
_ZONES: Final = {
    r"equity/usa/.*": "America/New_York",
    r"equity/india/.*": "Asia/Kolkata",
    r"index/usa/spx": "America/Chicago",
    r"(?:forex|cfd)/oanda/.*": "UTC",
    r"forex/fxcm/.*": "UTC-5",
    r"(?:crypto|cryptofuture)/.*": "UTC",
    r"future/(?:cme|comex|nyseliffe)/.*": "UTC",
}


def _facts(opening: Opening) -> Mapping[str, str]:
    facts = dict(opening.facts)
    found = re.search(_ENTRY, opening.path) or re.search(_CONTRACT, opening.path)
    contract = (found and found["contract"]) or ""
    if "kind" in facts:
        path = "/".join(facts[key] for key in ("kind", "market", "symbol"))
        zone = next((zone for known, zone in _ZONES.items() if re.fullmatch(known, path)), None)
        facts |= {"timezone": zone} if zone else {}
        scaled = facts["kind"] in {"equity", "option", "indexoption"}
        if not scaled or not _has_points(opening):
            facts["price_exponent"] = "-4" if scaled else "0"
        if facts["kind"] == "future":  # hourly and daily entries leave the expiry out
            contract = contract.partition("_")[0]
    if contract:
        facts["symbol"] += f"_{contract}"
    return facts


def _has_points(opening: Opening) -> bool:
    """Whether prices have decimal points. Scaled prices do not, so the unit is then unknown."""
    prices = opening.first.select(pl.col(r"^(?:.*_)?(?:open|high|low|close)$"))
    return any(column.str.contains(".", literal=True).any() for column in prices)


def _of_day(opening: Opening) -> Reshape:
    """Converts milliseconds since midnight in the data's zone to local times."""
    midnight = pl.lit(datetime.strptime(opening.facts["date"], "%Y%m%d"), pl.Datetime("us"))
    clock = pl.duration(milliseconds=pl.col("time").str.strip_chars().cast(pl.Int64, strict=False))
    return lambda frame: frame.with_columns(time=midnight + clock)


def _sides(opening: Opening) -> Reshape:
    """Makes two rows of each quote bar, bid and ask, each under its own provider."""
    place = [opening.facts[key] for key in ("kind", "market")]

    def shaped(frame: pl.DataFrame) -> pl.DataFrame:
        sides = [
            frame.select(
                "time",
                *(pl.col(f"{side}_{name}").alias(name) for name in bars.PRICES),
                pl.lit("-".join(["lean", *place, side])).alias("provider"),
            ).with_row_index("row")
            for side in ("bid", "ask")
        ]
        return pl.concat(sides).sort("row", maintain_order=True).drop("row")

    return shaped


def _sides_of_day(opening: Opening) -> Reshape:
    timed, split = _of_day(opening), _sides(opening)
    return lambda frame: split(timed(frame))


def _refused(name: str, what: str) -> Refused:
    """Refuses by name alone. Tables with a header are exempt, because Lean never writes one."""
    return Refused(Shape(name=name, accept=lambda opening: not opening.header), what)


DIALECT = Dialect(
    name="lean",
    title="QuantConnect Lean's data folder",
    columns={
        "provider": ("provider",),
        "ts": ("time",),
        **OHLCV,
    },
    shapes=(
        Shape(positions=_TRADES, values=_MILLISECONDS, name=_DAY, reshape=_of_day),
        Shape(
            positions=_TRADES,
            values=_MILLISECONDS,
            name=_ENTRY,
            reshape=_of_day,
            note="without Lean's folders the market, zone and price unit are unknown",
        ),
        Shape(positions=_TRADES, values=_DATES, name=_ALL),
        Shape(positions=_QUOTES, values=_MILLISECONDS, name=_DAY, reshape=_sides_of_day),
        Shape(positions=_QUOTES, values=_DATES, name=_ALL, reshape=_sides),
    ),
    refused=(
        _refused(r"_openinterest(?:_[^/!]*)?\.(?:zip|csv)(?:!|$)", "open interest"),
        _refused(r"/factor_files/[^/]+\.(?:csv|zip)(?:!|$)", "factors of splits and dividends"),
        _refused(r"/map_files/[^/]+\.(?:csv|zip)(?:!|$)", "former names of tickers"),
        _refused(r"/cryptofuture/[^/]+/margin_interest/[^/]+\.csv$", "interest rates"),
        _refused(rf"{_FOLDER}tick/|_(?:Trade|Quote)_Tick\.csv$", "ticks"),
    ),
    names=(_DAY, _ALL, _ENTRY),
    facts=_facts,
    provider="lean-{kind}-{market}",
    price_exponent=None,
    skip={
        "sides without quotes": pl.all_horizontal(
            pl.col(name).is_null() | (pl.col(name).str.strip_chars() == "") for name in bars.PRICES
        ),
    },
    volume="shares, contracts or base asset; none in quote bars",
    adjusted="nothing, as traded; factor_files holds the factors",
    traps=(
        "prices of equities and of options on equities and indices are multiplied by 10,000, "
        "others are not; the folder (equity/usa/minute) decides; such prices with a decimal "
        "point need --price-divisor",
        "times are in Lean's zone for the market: New York for US equities, UTC for futures, "
        "crypto and Oanda, UTC-5 for FXCM, Chicago for SPX; others, also options, need --timezone",
        "milliseconds count from midnight of the date in the file's name",
        "each quote bar becomes two, with the providers lean-forex-oanda-bid and -ask, without a "
        "volume, whatever --provider is",
        "futures are named by month (ES_201312), options by everything in their entry's name",
        "open interest, factor files, map files, margin interest and ticks are refused",
    ),
    source="Lean's data folder and its readmes; LeanData and market-hours-database in its code",
)
