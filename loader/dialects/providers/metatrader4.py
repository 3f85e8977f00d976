"""MetaTrader 4: history as CSV, with or without a header, and the terminal's .hst files."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from loader.bars.times import spacing
from loader.dialects.dialect import OHLCV, Dialect, Opening, Reshape, Shape

_COLUMNS = ("date", "time", "open", "high", "low", "close", "volume")
#: A count of price changes is never 0. In HistData's files for MetaTrader it always is.
_TICKS = r"\d*[1-9]\d*"
_CLOCK = {"date": r"\d{4}\.\d\d\.\d\d", "time": r"\d\d:\d\d"}
_MINUTES = {
    "1": "1m", "5": "5m", "15": "15m", "30": "30m", "60": "1h", "240": "4h", "1440": "1d",
    "10080": "1w", "43200": "1mo",
}  # fmt: skip


def _facts(opening: Opening) -> Mapping[str, str]:
    if opening.container == "hst":
        said = opening.metadata
        return {"symbol": said["symbol"], "interval": said["period"]}
    # `GER30.csv` is not a 30-minute file of GER if its bars are an hour apart.
    facts = dict(opening.facts)
    shown = spacing.infer(_stamps(opening.first)).interval if "interval" in facts else None
    return facts if shown in (None, _MINUTES.get(facts.get("interval", ""))) else {}


def _stamps(first: pl.DataFrame) -> pl.Series:
    text = pl.concat_str(*first.columns[:2], separator=" ")
    return first.select(text.str.to_datetime("%Y.%m.%d %H:%M", strict=False)).to_series()


def _server_clock(opening: Opening) -> Reshape:
    """Reads the seconds in a .hst as local times: they count on the server's clock."""
    return lambda batch: batch.with_columns(
        pl.from_epoch("time", time_unit="s").cast(pl.Datetime("us"))
    )


DIALECT = Dialect(
    name="metatrader4",
    title="MetaTrader 4 history",
    columns={
        "ts": ("date",),
        "time_of_day": ("time",),
        **OHLCV,
    },
    shapes=(
        Shape(positions=_COLUMNS, values={**_CLOCK, "volume": _TICKS}),
        Shape(header=_COLUMNS, exact=True, values=_CLOCK),
        Shape(
            containers=("hst",),
            columns={
                "ts": ("time",),
                **OHLCV,
            },
            reshape=_server_clock,
        ),
    ),
    names=(
        r"(?:^|[/!])(?P<symbol>[A-Za-z#][A-Za-z0-9.#&+$]{2,}?)"
        r"(?P<interval>1|5|15|30|60|240|1440|10080|43200)\.(?:csv|CSV)(?:\.\w+)?$",
    ),
    facts=_facts,
    left_out={
        "spread": "the spread in points is not stored",
        "realvolume": "the exchange's volume, 0 without an exchange: `volume` counts ticks",
    },
    intervals=_MINUTES,
    volume="number of price changes (ticks), not what was traded",
    adjusted="nothing",
    traps=(
        "times are on the broker server's clock: use --timezone. Many servers run at New York time "
        "plus seven hours (America/New_York+7h), others at UTC+2 or +3 with European DST",
        "a terminal keeps a limited number of bars, often 65,000: older ones are missing silently",
        "HistData's files for MetaTrader look the same, are in UTC-5, and always have volume 0",
        "the number at the end of the file's name is the interval in minutes: EURUSD60.csv",
    ),
    source="exports with and without a header; mql5.com on servers' zones; public readers of .hst",
)
