"""FirstRate Data's text: no header, New York's clock, one file per symbol and adjustment."""

from __future__ import annotations

from collections.abc import Mapping

from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

_BAR = ("time", "open", "high", "low", "close", "volume")
_TIME = r"^\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d)?$"


def _timed(opening: Opening) -> bool:
    """All of the first times are written so; asked here and not scored, as that is everybody's
    way to write them: only together with a name like FirstRate's is it evidence."""
    return bool(opening.first["time"].head(1_000).str.strip_chars().str.contains(_TIME).all())


def _facts(opening: Opening) -> Mapping[str, str]:
    """Each adjustment goes by a name of its own, as the file's name has it."""
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
    adjusted="as the file's name says, if it does: adjsplitdiv, adjsplit, UNADJUSTED, continuous_…",
    traps=(
        "three adjustments of one symbol come in files of their own, which only their names tell "
        "apart: bars of each are stored under a provider of its own, firstrate-adjsplitdiv and so "
        "on; where a name does not say it nothing can",
        "symbols of futures are FirstRate's own: E6 is CME's 6E, C is London cocoa, BTC is both "
        "the future and the coin",
        "bars without a trade are left out",
        "the hour that New York's clock shows twice each autumn is rejected: nothing tells its "
        "bars apart",
        "taken for FirstRate's only where the name is like AAPL_full_1min_adjsplit.txt: otherwise "
        "--dialect firstrate",
    ),
    source="readmes that come with the bundles; file names in public readers",
)
