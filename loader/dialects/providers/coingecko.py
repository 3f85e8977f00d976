"""CoinGecko: the answer of its OHLC endpoint, rows of numbers stamped with the ends of bars."""

from collections.abc import Mapping

import polars as pl

from loader.dialects.dialect import OHLC, Dialect, Opening, Shape
from loader.errors import UnreadableFile

_FOUR_DAYS = 4 * 86_400_000


def _facts(opening: Opening) -> Mapping[str, str]:
    """Refuses bars of four days, which are those of more than a month."""
    if "timestamp" in opening.first.columns:
        time = opening.first["timestamp"].cast(pl.Int64, strict=False).drop_nulls()
        step = time.unique().sort().diff().drop_nulls()
        if len(step) and (step == _FOUR_DAYS).mean() > 0.5:  # type: ignore[operator]
            raise UnreadableFile.of(
                opening.name,
                "has bars of four days, which is not an interval that bars are stored with",
                hint="ask CoinGecko for up to 30 days, or with interval=daily",
            )
    return opening.facts


DIALECT = Dialect(
    name="coingecko",
    title="CoinGecko OHLC",
    columns={"ts": ("timestamp",), **OHLC},
    shapes=(
        Shape(
            containers=("json",),
            place=r"\[\]",
            positions=("timestamp", "open", "high", "low", "close"),
            name=r"(?i)coin_?gecko",
            values={"timestamp": r"\d{12,13}"},
        ),
    ),
    names=(r"(?i)coin_?gecko(?:[-_]ohlc)?[-_](?P<symbol>[a-z0-9]+(?:-[a-z0-9]+)*)[^/!]*\.json",),
    facts=_facts,
    stamp="end",
    midnight_ends=True,
    volume="not in the answer",
    adjusted="nothing to adjust",
    traps=(
        "a time is the end of its bar: midnight is the end of the day before",
        "rows have no names: the file is recognised by coingecko in its name or path, else with "
        "--dialect coingecko",
        "the granularity follows the length asked for: 30 minutes for up to 2 days, 4 hours for "
        "up to 30, else 4 days, which are refused",
        "the last row may be of a bar that is not finished",
        "prices are averages over exchanges, in the currency asked for, which the file does not "
        "name",
    ),
    source="docs.coingecko.com, coins-id-ohlc: the payload, the time as the end of a candle, the "
    "granularity",
)
