"""Two providers, or two intervals, over the same series and time: which bars differ by more than a
tolerance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from loader import bars
from loader.db.arrow import Connection
from loader.errors import NothingStored, SettingsError
from loader.lazy import dataclass, regex
from loader.read.spool import Spool
from loader.store.versions.diff import MEASURED, measured

#: What can be said of a bar of either side; `partial` of a longer bar that is made of a part of its
#: shorter ones, and differs.
KINDS: Final = ("equal", "different", "only_a", "only_b", "partial")
_DIFFERING: Final = KINDS[1:4]
#: Units of longer bars that have no fixed length.
_UNITS: Final = {"1w": "week", "1mo": "month", "3mo": "quarter", "1y": "year"}
_TOLERANCE: Final = regex(r"(\d+(?:\.\d+)?|\.\d+)\s*(bps|ticks?)?")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far apart two values may be: `absolute`, or `bps` of the value of A."""

    absolute: float = 0.0
    bps: float = 0.0

    def exceeded(self, a: pl.Expr, b: pl.Expr) -> pl.Expr:
        """False where a side has no value."""
        # The difference of two prices is rounded: 10.1 - 10.0 is above 0.1.
        slack = 1 + 1e-9
        apart = (a - b).abs()
        within = (apart <= self.absolute * slack) | (apart <= a.abs() * self.bps / 10_000 * slack)
        return ((a != b) & ~within).fill_null(False)


@dataclass(frozen=True, slots=True)
class Side:
    """Bars of a provider and an interval."""

    provider: str
    interval: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.interval}"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """`series` has for each symbol how many bars of each of `KINDS` there are, the largest `bps`,
    and the `first` and `last` ts that were compared."""

    a: Side
    b: Side
    series: pl.DataFrame

    @property
    def differing(self) -> int:
        return int(self.series.select(pl.sum_horizontal(pl.sum(*_DIFFERING))).item() or 0)


def tolerances(given: Mapping[str, str], tick: float | None) -> dict[str, Tolerance]:
    """By field of a bar; `prices` and `all` stand for several, and a field's own name goes before.
    A value is a number, `5bps`, or `2ticks` of size `tick`.

    Raises:
        SettingsError: one is not understood, or a tick has no size.
    """
    groups: dict[str, Sequence[str]] = {"all": bars.VALUES, "prices": (*bars.PRICES, "vwap")}
    found: dict[str, Tolerance] = {}
    for name in sorted(given, key=lambda name: [*groups].index(name) if name in groups else 9):
        fields = groups.get(name, (name,))
        if not set(fields) <= set(bars.VALUES):
            raise SettingsError(
                f"there is no field {name!r}", option="--tolerance",
                hint=f"name one of {', '.join(bars.VALUES)}, prices, all",
            )  # fmt: skip
        found |= dict.fromkeys(fields, _tolerance(given[name], tick))
    return found


def _tolerance(text: str, tick: float | None) -> Tolerance:
    match = _TOLERANCE.fullmatch(text.strip())
    if match is None:
        raise SettingsError(
            f"{text!r} is not understood", option="--tolerance",
            hint="for example close=0.01, prices=5bps, all=0, prices=2ticks with --tick 0.01",
        )  # fmt: skip
    amount, unit = float(match[1]), match[2] or ""
    if unit == "bps":
        return Tolerance(bps=amount)
    if unit:
        if tick is None:
            raise SettingsError("ticks need a size", option="--tolerance", hint="--tick 0.01")
        return Tolerance(absolute=amount * tick)
    return Tolerance(absolute=amount)


def reconcile(
    connection: Connection,
    a: Side,
    b: Side,
    rows: Spool,
    allowed: Mapping[str, Tolerance],
    *,
    symbols: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> Reconciled:
    """Compares the two sides and appends the bars that differ to `rows`, of `MEASURED`: `kind` is
    one of `_DIFFERING`, the old values are those of A. A field that a side does not have is not
    compared. Of two intervals, the longer bars are compared with those made of the shorter ones.

    Raises:
        NothingStored: no symbol is stored on both sides.
        SettingsError: bars of the one interval cannot be made of the other.
    """
    longer = max(a.interval, b.interval, key=_seconds)
    wanted = {
        "a": _asked(a, longer), "b": _asked(b, longer), "symbols": list(symbols) or None,
        "since": since and since.isoformat(), "until": until and until.isoformat(),
    }  # fmt: skip
    connection.run("past_set", None, None)
    connection.run("wanted_set", json.dumps(wanted, ensure_ascii=False))
    counts: list[pl.DataFrame] = []
    for frame in connection.frames("reconcile_rows"):
        if frame.height:
            told = _told(frame.cast({"ts": bars.TS}), a, longer, allowed)
            counts.append(_counted(told))
            odd = told.filter(pl.col("kind").is_in(_DIFFERING))
            if odd.height:
                rows.append(odd.select(list(MEASURED)).cast(pl.Schema(MEASURED)))
    if not counts:
        raise NothingStored(
            f"no symbol has bars of both {a} and {b} in that time",
            hint="see what there is: mdload coverage",
        )
    series = pl.concat(counts).group_by("symbol", maintain_order=True).agg(
        pl.col(KINDS).sum(), pl.col("bps").max(), pl.col("first").min(), pl.col("last").max()
    )  # fmt: skip
    worst = series.sort("bps", *_DIFFERING, descending=True, nulls_last=True, maintain_order=True)
    return Reconciled(a, b, worst)


def _seconds(interval: str) -> int:
    return bars.INTERVAL_SECONDS[interval]


def _asked(side: Side, longer: str) -> dict[str, Any]:
    asked: dict[str, Any] = {"provider": side.provider, "interval": side.interval}
    if side.interval == longer:
        return {**asked, "unit": None, "seconds": None}
    if longer not in _UNITS and _seconds(longer) % _seconds(side.interval):
        raise SettingsError(f"{longer} bars cannot be made of {side.interval} bars")
    unit = _UNITS.get(longer)
    return {**asked, "unit": unit, "seconds": None if unit else _seconds(longer)}


def _told(
    frame: pl.DataFrame, a: Side, interval: str, allowed: Mapping[str, Tolerance]
) -> pl.DataFrame:
    exact = Tolerance()
    outside = {
        v: allowed.get(v, exact).exceeded(pl.col(f"a_{v}"), pl.col(f"b_{v}")) for v in bars.VALUES
    }
    in_both = pl.col("in_a") & pl.col("in_b")
    kind = (
        pl.when(pl.col("is_partial") & ~(in_both & ~pl.any_horizontal(outside.values())))
        .then(pl.lit("partial"))
        .when(~pl.col("in_b"))
        .then(pl.lit("only_a"))
        .when(~pl.col("in_a"))
        .then(pl.lit("only_b"))
        .when(pl.any_horizontal(outside.values()))
        .then(pl.lit("different"))
        .otherwise(pl.lit("equal"))
    )
    names = [pl.when(outside[v]).then(pl.lit(v)) for v in bars.VALUES]
    told = frame.with_columns(
        provider=pl.lit(a.provider),
        interval=pl.lit(interval),
        kind=kind,
        beyond=pl.concat_list(names).list.drop_nulls(),
    ).rename({f"{s}_{v}": f"{o}_{v}" for s, o in (("a", "old"), ("b", "new")) for v in bars.VALUES})
    sized = measured(told, "kind", {"different"})
    return sized.with_columns(fields=pl.when(pl.col("kind") == "different").then(told["beyond"]))


def _counted(told: pl.DataFrame) -> pl.DataFrame:
    kinds = [(pl.col("kind") == each).sum().cast(pl.Int64).alias(each) for each in KINDS]
    worst = pl.col("bps").filter(pl.col("kind") == "different").max()
    return told.group_by("symbol", maintain_order=True).agg(
        *kinds, worst, first=pl.col("ts").min(), last=pl.col("ts").max()
    )
