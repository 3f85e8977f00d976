"""Times that begin again with other prices: two series, one behind the other, under one symbol."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

from loader import bars
from loader.check.instruments.next_steps import quoted
from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch
from loader.lazy import dataclass, regex
from loader.text import counted, number

#: Fewer bars of a stretch than this may be updates of bars that were still running.
_FEWEST: Final = 3
#: Of the bars that a stretch restates, the share that it must change to be of another series; of
#: the series' bars, that share if there are many, and if there are few.
_OF_MET: Final = 0.5
_OF_MANY, _OF_FEW, _MANY = 0.2, 0.5, 20
#: The factor between prices of one bar that is too large for an update, and the spread of factors
#: that a split does not have.
_JUMP: Final = 1.5
_SPREAD: Final = 1.05
#: The share of series that must begin again, in a file with symbols.
_OF_SERIES: Final = 0.5
#: The share of a series' bars that must have two rows with price ranges that do not overlap.
_OF_BARS: Final = 0.5
#: Parts that are kept before they are added up.
_PARTS: Final = 64
_NONE: Final = pl.DataFrame(
    schema={
        **{name: pl.String() for name in bars.SERIES},
        **dict.fromkeys(("keys", "met", "conflicts", "apart", "turns", "at", "seam"), pl.Int64()),
        **dict.fromkeys(("factor", "spread"), pl.Float64()),
    }
)
_VERSIONS: Final = regex(
    r"(?:last)?(?:updat|creat|insert|ingest|load|download|fetch|modif|receiv|publish|retriev|import)"
    r"(?:e?d)?(?:at|on|time|date|ts)?|asof(?:date)?|knowledge(?:time|date)|revision|version"
)


@dataclass(frozen=True, slots=True)
class Restarts:
    """What to look for in a file whose series may begin again.

    Attributes:
        where: the file.
        column: its column of symbols, or None.
        versioned: whether another column says when rows were written, or which version they are.
    """

    where: str
    column: str | None = None
    versioned: bool = False


class SeriesSeen:
    """The series of the parts of a file. All rows of one key are in one part."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []
        self._restated = False

    def add(self, series: pl.DataFrame) -> None:
        """Adds a part that restates none of its bars: `series` has `bars.SERIES` and `rows`."""
        part = series[[*bars.SERIES, "rows"]]
        part.columns = [*bars.SERIES, "keys"]
        self._add(part)

    def add_restated(self, rows: pl.DataFrame) -> None:
        """Adds a part that restates some of its bars: its `rows`, with their `row_number`."""
        self._restated = True
        self._add(_again(rows.sort("row_number")))

    def _add(self, part: pl.DataFrame) -> None:
        self._parts.append(part)
        if len(self._parts) == _PARTS:
            self._parts = [_added(self._parts)]

    def refuse(self, restarts: Restarts | None) -> None:
        """
        Raises:
        ColumnMismatch: the times of most series begin again, and most bars that are there for the
            second time have other prices; or most bars have rows with prices that do not meet.
            Updates of single bars are not so: a running bar only becomes wider.
        """
        if not self._restated or restarts is None:
            return
        whole = _added(self._parts)
        _refuse_mixed(whole, restarts)
        flagged = whole.filter(_is_other(versioned=restarts.versioned))
        sound = whole.filter(pl.col("keys") >= _FEWEST).height
        if flagged.is_empty() or flagged.height < _OF_SERIES * sound:
            return
        conflicts, at = flagged.select(
            pl.col("conflicts").sum(), pl.min_horizontal("at", "seam").min()
        ).row(0)
        some = f"{number(conflicts)} bars have" if conflicts >= _FEWEST else "some bars have"
        name = "-" if restarts.column is None else restarts.column
        raise ColumnMismatch.at(
            restarts.where,
            f"from row {at:,} on times begin again, and {some} other prices there: these look like "
            "two series, one behind the other",
            column=restarts.column,
            hint="load each as a file of its own, under its own symbol or provider; or if later "
            f"rows correct earlier ones: --column symbol={quoted(name)}",
        )


def _refuse_mixed(whole: pl.DataFrame, restarts: Restarts) -> None:
    """Refuses rows of two series in turns, which nothing in the file tells apart."""
    apart, keys = pl.col("apart"), pl.col("keys")
    mixed = whole.filter((apart >= _FEWEST) & (apart >= _OF_BARS * keys) & (pl.col("turns") == 0))
    if restarts.versioned or mixed.is_empty():
        return
    if mixed.height < _OF_SERIES * whole.filter(keys >= _FEWEST).height:
        return
    symbol, count = mixed.select("symbol", "apart").row(0)
    name = "-" if restarts.column is None else restarts.column
    raise ColumnMismatch.at(
        restarts.where,
        f"{counted(count, 'bar')} of {symbol} have two rows with prices that do not meet: these "
        "look like rows of two series in turns",
        column=restarts.column,
        hint="write what tells them apart into a column, and read it: --column symbol=NAME; or if "
        f"the last row of each time is right: --column symbol={quoted(name)}",
    )


def are_versioned(names: Iterable[str]) -> bool:
    """Whether one of the columns called `names` says when its row was written, or its version."""
    return any(_VERSIONS.fullmatch(fold(name)) for name in names)


def _again(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each series in `rows`, which are in the file's order: how many distinct `keys` it has, how
    many rows come back to a bar (`met`) of three rows or more before and how many of these have
    other prices (`conflicts`), how many bars have two rows in a row with price ranges that do not
    overlap (`apart`; a snapshot has no range), how often its times turn back (`turns`),
    the first row at which they do (`at`), and the usual `factor` between the prices of one bar,
    with its `spread`."""
    own = list(bars.SERIES)
    step = pl.col("ts").diff().over(own).dt.total_microseconds().sign()
    steps = rows.select(*own, "row_number", step=step)
    ways = steps.group_by(own).agg(
        back=(pl.col("step") < 0).sum(),
        forth=(pl.col("step") > 0).sum(),
        at_back=pl.col("row_number").filter(pl.col("step") < 0).first(),
        at_forth=pl.col("row_number").filter(pl.col("step") > 0).first(),
    )
    key, falls = list(bars.KEY), pl.col("back") > pl.col("forth")
    after = {name: pl.col(name).shift(-1).over(key) for name in ("at", *bars.PRICES)}
    differ = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_after") for name in bars.PRICES)
    met = (
        rows.with_columns(at=pl.int_range(pl.len()).over(own))
        .with_columns(expr.alias(f"{name}_after") for name, expr in after.items())
        .filter(pl.col("at_after") - pl.col("at") >= _FEWEST)
        .with_columns(differ=differ, factor=pl.col("close_after") / pl.col("close"))
    )
    other = pl.col("factor").filter(pl.col("differ"))
    beside = {name: pl.col(name).shift(-1).over(key) for name in ("high", "low")}
    above, below = pl.col("low") > beside["high"], pl.col("high") < beside["low"]
    wide = (pl.col("high") > pl.col("low")) & (beside["high"] > beside["low"])
    apart = rows.filter(wide & (above | below)).group_by(own)
    counts = met.group_by(own).agg(
        met=pl.len(),
        conflicts=pl.col("differ").sum(),
        factor=other.median(),
        spread=other.quantile(0.9) / other.quantile(0.1),
    )
    keys = rows.group_by(own).agg(keys=pl.col("ts").n_unique().cast(pl.Int64))
    return (
        keys.join(ways, on=own)
        .join(counts, on=own, how="left")
        .join(apart.agg(apart=pl.col("ts").n_unique()), on=own, how="left")
        .join(_seams(rows), on=own, how="left")
        .select(
            *own, "keys", "factor", "spread", pl.col("seam").cast(pl.Int64),
            pl.col("met", "conflicts", "apart").cast(pl.Int64).fill_null(0),
            turns=pl.min_horizontal("back", "forth").cast(pl.Int64),
            at=pl.when(falls).then("at_forth").otherwise("at_back"),
        )
    )  # fmt: skip


def _seams(rows: pl.DataFrame) -> pl.DataFrame:
    """The `seam` of each series in `rows` that has one: the single row at which times stop to run
    one way, if prices are others by far from there on, for the bars that come again and for those
    after them. Corrections leave the later bars where they were."""
    own, ts = list(bars.SERIES), pl.col("ts")
    step = ts.diff().over(own).dt.total_microseconds().sign()
    way = pl.when(step.mean().over(own) < 0).then(-1).otherwise(1)
    seams = rows.with_columns(later=(step * way <= 0).fill_null(False).cum_sum().over(own), way=way)
    seams = seams.filter(pl.col("later").max().over(own) == 1)
    first = seams.filter(pl.col("later") == 0)
    ends = first.group_by(own).agg(
        lo=ts.min(), hi=ts.max(), end=pl.col("close").sort_by("row_number").tail(_FEWEST).median()
    )
    second = seams.filter(pl.col("later") == 1).join(ends, on=own)
    beyond = pl.when(pl.col("way") > 0).then(ts > pl.col("hi")).otherwise(ts < pl.col("lo"))
    again = second.join(first.select(*bars.KEY, "close"), on=list(bars.KEY), suffix="_before")
    factors = again.group_by(own).agg(
        factor=(pl.col("close") / pl.col("close_before")).median(), seam=pl.col("row_number").min()
    )
    goes_on = (
        second.filter(beyond)
        .group_by(own)
        .agg(rows=pl.len(), step=(pl.col("close") / pl.col("end")).sort_by("row_number").first())
    )
    up, down = (pl.min_horizontal("factor", "step") >= _JUMP,
                pl.max_horizontal("factor", "step") <= 1 / _JUMP)  # fmt: skip
    joined = factors.join(goes_on, on=own)
    return joined.filter(up | down, pl.col("rows") >= _FEWEST).select(*own, "seam")


def _added(parts: list[pl.DataFrame]) -> pl.DataFrame:
    return (
        pl.concat([_NONE, *parts], how="diagonal")
        .group_by(bars.SERIES)
        .agg(
            pl.col("keys", "met", "conflicts", "apart").sum(),
            pl.col("factor", "spread").median(),
            pl.col("turns").max(),
            pl.col("at").min(),
            pl.col("seam").min(),
        )
    )


def _is_other(*, versioned: bool) -> pl.Expr:
    conflicts, keys, factor = pl.col("conflicts"), pl.col("keys"), pl.col("factor")
    jump = (factor >= _JUMP) | (factor <= 1 / _JUMP)
    if versioned:
        much = jump & (pl.col("spread") > _SPREAD)
    else:
        share = pl.when(conflicts >= _MANY).then(_OF_MANY).otherwise(_OF_FEW)
        much = jump | (conflicts >= share * keys)
    several = (
        (conflicts >= _FEWEST)
        & (conflicts >= _FEWEST * pl.col("turns"))
        & (conflicts >= _OF_MET * pl.col("met"))
        & much.fill_null(False)
    )
    return several if versioned else several | pl.col("seam").is_not_null()
