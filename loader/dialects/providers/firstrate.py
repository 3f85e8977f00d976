"""FirstRate Data's text: no header, New York time, one file per symbol and adjustment."""

from __future__ import annotations

from collections.abc import Mapping

from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

_BAR = ("time", "open", "high", "low", "close", "volume")
_TIME = r"^\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d)?$"


def _timed(opening: Opening) -> bool:
    """Whether all of the first times have this form. It is a condition without a score, because the
    form is common: only together with a name like FirstRate's is it evidence."""
    return bool(opening.first["time"].head(1_000).str.strip_chars().str.contains(_TIME).all())


def _facts(opening: Opening) -> Mapping[str, str]:
    """Adds the adjustment in the file's name as a suffix of the provider."""
    said = opening.facts.get("adjustment", "").lower().replace("_", "-")
    return {**opening.facts, "adjustment": said and f"-{said}"}


DIALECT = Dialect(
    name="firstrate",
    title="FirstRate Data text files",
    columns={
        "ts": ("time",),
        **OHLCV,
    },
    shapes=(
        Shape(positions=_BAR, accept=_timed),
        Shape(positions=(*_BAR, "open_interest"), accept=_timed, note="daily bars of a future"),
    ),
    names=(
        r"(?:^|[/!])(?P<symbol>[A-Z0-9.-]+)(?:_full)?_(?P<interval>\d+(?:min|hour|day))"
        r"(?:_(?P<adjustment>(?i:adjsplitdiv|adjsplit|unadjusted"
        r"|continuous_(?:absolute_|ratio_)?(?:un)?adjusted)))?\.txt(?:\.\w+)?$",
        r"(?:^|[/!])(?P<symbol>[A-Z0-9]{1,3}[FGHJKMNQUVXZ]\d\d)\.txt(?:\.\w+)?$",
    ),
    facts=_facts,
    provider="firstrate{adjustment}",
    left_out={"openinterest": "open interest is not stored"},
    timezone="America/New_York",
    volume="shares or contracts",
    adjusted="by the file's name, if it tells: adjsplitdiv, adjsplit, UNADJUSTED, continuous_…",
    traps=(
        "a symbol comes in up to three adjustments, one file each; only the file names differ. "
        "Bars of each get their own provider, firstrate-adjsplitdiv and so on; without the word "
        "in the name the adjustment is unknown",
        "futures have FirstRate's own symbols: E6 is CME's 6E, C is London cocoa, BTC is both the "
        "future and the coin",
        "intervals without a trade have no bar",
        "bars of the hour that New York's clock repeats each autumn are rejected, because nothing "
        "tells the first pass from the second",
        "recognised only by a name like AAPL_full_1min_adjsplit.txt; otherwise use "
        "--dialect firstrate",
    ),
    source="readmes in the bundles; file names in public readers",
)
