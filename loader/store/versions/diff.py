"""What differs between two instants: bars added, changed and gone."""

from __future__ import annotations

import json
from typing import Final

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.db.arrow import Connection
from loader.lazy import dataclass
from loader.store.series import SeriesFilter
from loader.store.versions.instants import Instant

_OLD: Final = [f"old_{v}" for v in bars.VALUES]
_NEW: Final = [f"new_{v}" for v in bars.VALUES]
_SCHEMA: Final = pl.Schema(
    {
        **{k: bars.SCHEMA[k] for k in bars.KEY},
        **{f"{side}_{v}": bars.SCHEMA[v] for side in ("old", "new") for v in bars.VALUES},
    }
)
#: The columns of measured rows.
MEASURED: Final[dict[str, pl.DataType]] = {
    **{k: bars.SCHEMA[k] for k in bars.KEY},
    "kind": pl.String(),
    "fields": pl.List(pl.String()),
    "bps": pl.Float64(),
    "ticks": pl.Int64(),
    **{f"{side}_{v}": bars.SCHEMA[v] for side in ("old", "new") for v in bars.VALUES},
}
#: The kinds of rows that have two values, of which fields differ.
CHANGED: Final = frozenset({"changed"})
#: Decimal places that a tick may have.
_PLACES: Final = 10


@dataclass(frozen=True, slots=True)
class InstantDiff:
    """What differs between instants `a` and `b`.

    Attributes:
        rows: the bars' key, `kind` (added, changed, gone), `fields` (the names of those that
            changed), `bps` and `ticks` (the largest change of a price, in basis points and in units
            of the last decimal place that the series' differing prices have), and old and new
            values; in key order.
        series: by series how many bars were `added`, `changed` and `gone`, the largest `bps` and
            `ticks`, `first` and `last` ts.
    """

    a: Instant
    b: Instant
    rows: pl.DataFrame
    series: pl.DataFrame


def diff(connection: Connection, a: Instant, b: Instant, asked: SeriesFilter) -> InstantDiff:
    """Compares the bars at two instants.

    Raises:
        DatabaseError: the server failed.
    """
    connection.run("past_set", None, None)
    symbols = json.dumps(list(asked.symbols), ensure_ascii=False) if asked.symbols else None
    found = connection.frame(
        "diff_rows", a.text, a.load_id, b.text, b.load_id, asked.provider, symbols,
        asked.interval, asked.since, asked.until,
    )  # fmt: skip
    rows = _measured(found.cast(_SCHEMA))
    counts = [(pl.col("kind") == kind).sum().alias(kind) for kind in ("added", "changed", "gone")]
    series = rows.group_by(SERIES, maintain_order=True).agg(
        *counts, pl.col("bps").max(), pl.col("ticks").max(),
        first=pl.col("ts").min(), last=pl.col("ts").max(),
    )  # fmt: skip
    return InstantDiff(a, b, rows, series)


def _measured(found: pl.DataFrame) -> pl.DataFrame:
    kind = (
        pl.when(pl.col("old_open").is_null())
        .then(pl.lit("added"))
        .when(pl.col("new_open").is_null())
        .then(pl.lit("gone"))
        .otherwise(pl.lit("changed"))
    )
    return measured(found.with_columns(kind=kind), "kind")


def measured(
    found: pl.DataFrame, kind: str, two: frozenset[str] | set[str] = CHANGED
) -> pl.DataFrame:
    """Rows with old and new values, with `fields`, `bps` and `ticks` as in `InstantDiff.rows`.
    `kind` names the column that says what each is; `two` are the kinds that have both values."""
    changed = [
        pl.when(pl.col(f"old_{v}").ne_missing(pl.col(f"new_{v}"))).then(pl.lit(v))
        for v in bars.VALUES
    ]
    sizes = [(pl.col(f"new_{p}") / pl.col(f"old_{p}") - 1).abs() * 10_000 for p in bars.PRICES]
    steps = [(pl.col(f"new_{p}") - pl.col(f"old_{p}")).abs() for p in bars.PRICES]
    rows = found.with_columns(
        fields=pl.when(pl.col(kind).is_in(sorted(two))).then(
            pl.concat_list(changed).list.drop_nulls()
        ),
        bps=pl.max_horizontal(sizes),
        step=pl.max_horizontal(steps),
    )
    ticks = (pl.col("step") * 10.0 ** pl.col("places")).round().cast(pl.Int64, strict=False)
    rows = rows.join(_places(found), on=SERIES, how="left", maintain_order="left")
    return rows.with_columns(ticks=ticks).select(
        *bars.KEY, "kind", "fields", "bps", "ticks", *_OLD, *_NEW
    )


def _places(found: pl.DataFrame) -> pl.DataFrame:
    """By series how many decimal places its prices have (`places`)."""
    prices = [f"{side}_{p}" for side in ("old", "new") for p in bars.PRICES]
    long = found.unpivot(prices, index=list(SERIES), value_name="price").drop_nulls("price")
    exact = [
        pl.when((pl.col("price").round(n) == pl.col("price")).all()).then(n) for n in range(_PLACES)
    ]
    return long.group_by(SERIES).agg(places=pl.coalesce(*exact, pl.lit(_PLACES)))
