"""Prices of one series that change their unit midway: pounds and then pence, fixed point."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final

import polars as pl

from loader import bars
from loader.bars.words import changes
from loader.errors import ColumnMismatch
from loader.text import counted

#: Smaller powers of ten are splits that happen.
_LEAST: Final = 2
#: How far all four prices may be from the power of ten, as prices move from bar to bar.
_NEAR: Final = math.log10(1.35)
#: A series that often moves by more than this makes a jump of a hundred no sign.
_WILD, _FEW_WILD = math.log10(3), 0.02
#: Of series that span less than this no price can jump.
_SPAN: Final = 50
#: Bars on either side that show a level; fewer are single wrong rows, as long as these are few.
_LEVEL, _OF_BARS = 3, 0.1
#: Bars before and after a jump of which the volumes are compared: a split changes them too.
_AROUND: Final = 5
#: How many runs of one series there may be for a row, so that each is looked at first.
_RUNS: Final = 1 / 8
#: The share of series that must jump; of a whole market a few do.
_OF_SERIES: Final = 0.05
#: Jumps that are kept.
_MOST: Final = 10_000
#: What `--accept` calls them.
SIGN: Final = "price_scale"
_SERIES: Final = list(bars.SERIES)
_FEED: Final = [*_SERIES, "ts", *bars.PRICES, "volume", "row_number"]
_NO_SERIES: Final = pl.DataFrame(schema=dict.fromkeys(_SERIES, pl.String()))


class Jumps:
    """Looks through the good bars of a file, in the file's order.

    Args:
        where: the file.
        accepted: the signs that `--accept` lets pass.
    """

    def __init__(self, where: str, accepted: Collection[str]) -> None:
        self._where = where
        self._accepted = SIGN in accepted
        self._tail = pl.DataFrame()
        self._series = _NO_SERIES
        self._jumps: list[pl.DataFrame] = []
        self._steps: list[pl.DataFrame] = []

    def look(self, good: pl.DataFrame) -> None:
        """Looks at the `good` bars (with `row_number`) of a batch."""
        if good.is_empty() or sum(part.height for part in self._jumps) > _MOST:
            return
        new, before = good[_FEED], self._tail.height
        rows = pl.concat([self._tail, new]) if before else new
        opens = changes([rows[name] for name in _SERIES])
        series = _series(rows, opens, before)
        known = self._series.height
        self._series = pl.concat([self._series, series]).unique() if known else series
        self._tail = rows.tail(2 * _AROUND * series.height)
        wide = _wide(rows, opens, one=self._series.height == 1)
        if wide.height:
            stepped = _stepped(wide)
            self._jumps.append(stepped.filter("jumps"))
            self._steps.append(
                stepped.group_by(_SERIES).agg(
                    rows=pl.len(), wild=(pl.col("wild") & ~pl.col("jumps")).sum()
                )
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of jumps that are not refused."""
        found = self._found()
        if found.is_empty():
            return ()
        return (f"{_sentence(found)}{' (--accept price_scale)' if self._accepted else ''}",)

    def refuse(self) -> None:
        """To be called once all batches are seen.

        Raises:
            ColumnMismatch: the prices of some series are in another unit from some bar on.
        """
        if self._accepted or not self._jumps:
            return
        found = self._found().filter("lasts")
        if found.height < max(1, _OF_SERIES * self._series.height):
            return
        factor = 10 ** abs(int(found["power"][0]))
        raise ColumnMismatch.at(
            self._where,
            f"{_sentence(found)}: the unit of prices seems to change",
            hint=f"load the rows of each unit as a file of its own, those in the smaller one with "
            f"--price-divisor {factor}; or if prices are right: --accept {SIGN}",
        )

    def _found(self) -> pl.DataFrame:
        """A row for each series with jumps: the first of them (`row_number`, `ts`, `power`), how
        many there are, and whether prices stay in another unit, or change it again and again."""
        if not self._jumps:
            return pl.DataFrame(schema={"lasts": pl.Boolean()})
        # A bar near the end of a batch is looked at twice: with all bars around it counts.
        jumps = pl.concat(self._jumps).sort("around", descending=True, maintain_order=True)
        jumps = jumps.unique([*_SERIES, "row_number"], keep="first").filter(~pl.col("splits"))
        steps = pl.concat(self._steps).group_by(_SERIES).agg(pl.col("rows", "wild").sum())
        by_series = jumps.sort("row_number").group_by(_SERIES, maintain_order=True)
        each = by_series.agg(
            pl.col("row_number", "ts", "power").first(),
            jumps=pl.len(),
            factors=pl.col("power").abs().n_unique(),
            lasts=pl.col("lasts").any() & (pl.col("power").sum() != 0),
        )
        calm = each.join(steps, on=_SERIES).filter(
            pl.col("factors") == 1, pl.col("wild") <= _FEW_WILD * pl.col("rows")
        )
        often = (pl.col("jumps") >= _LEVEL) & (pl.col("jumps") >= _OF_BARS * pl.col("rows"))
        return calm.with_columns(lasts=pl.col("lasts") | often).sort("row_number")


def may_jump() -> pl.Expr:
    """Whether the prices of a series span enough for a jump."""
    return pl.col("close").max() >= _SPAN * pl.col("close").min()


def _series(rows: pl.DataFrame, opens: pl.Series, begin: int) -> pl.DataFrame:
    """The distinct series of the rows from `begin` on. `opens` says where another one begins."""
    first, others = rows[begin : begin + 1][_SERIES], opens[begin + 1 :]
    if not others.any():
        return first
    return pl.concat([first, rows[begin + 1 :][_SERIES].filter(others)]).unique()


def _wide(rows: pl.DataFrame, opens: pl.Series, *, one: bool) -> pl.DataFrame:
    """The `rows` of series in which a price may jump; most have none."""
    close = rows["close"]
    if close.max() < _SPAN * close.min():  # type: ignore[operator]
        return rows.clear()
    if one:
        return rows
    wide = _ends(rows, opens).group_by(_SERIES).agg(wide=may_jump()).filter("wide")
    if wide.is_empty():
        return rows.clear()
    return rows.join(wide, on=_SERIES, how="semi", maintain_order="left")


def _ends(rows: pl.DataFrame, opens: pl.Series) -> pl.DataFrame:
    """The series of the rows with `close`: the lowest and the highest of each run, which `opens`
    begins; of all rows where runs are short. To group by words takes long."""
    if opens.sum() > rows.height * _RUNS:
        return rows
    runs = pl.DataFrame([opens.cum_sum().set_sorted().alias("run"), rows["close"]])
    both = pl.col("close").min().append(pl.col("close").max())
    each = runs.group_by("run", maintain_order=True).agg(both)
    return rows.filter(opens)[_SERIES].hstack(each[["close"]]).explode("close")


def _stepped(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with `power` (of ten, from the bar before), whether they jump, whether the bars on
    both sides stay at a level, whether volumes change inversely as after a split, how many bars
    are around, and whether the step is `wild`."""
    step = {name: _step(pl.col(name), pl.col(name).shift()) for name in bars.PRICES}
    opening = _step(pl.col("open"), pl.col("close").shift())
    power = step["close"].round()
    near = pl.all_horizontal((each - power).abs() < _NEAR for each in (*step.values(), opening))
    back, on = (
        [pl.col("close").shift(by) for by in shifts]
        for shifts in (range(1, _LEVEL + 1), range(0, -_LEVEL, -1))
    )
    level = [_step(each, side[0]).abs() < _WILD for side in (back, on) for each in side[1:]]
    before, after = (
        [pl.col("volume").shift(by) for by in shifts]
        for shifts in (range(1, _AROUND + 1), range(0, -_AROUND, -1))
    )
    traded = _step(pl.mean_horizontal(after), pl.mean_horizontal(before))
    shifted = [pl.col("close").shift(by) for by in range(-_AROUND + 1, _AROUND + 1)]
    of_series = {
        "power": power,
        "jumps": near & (power.abs() >= _LEAST),
        "wild": step["close"].abs() > _WILD,
        "lasts": pl.all_horizontal(level),
        "splits": -traded * power.sign() > power.abs() / 2,
        "around": pl.sum_horizontal(each.is_not_null() for each in shifted),
    }
    found = rows.select(
        *_SERIES, "ts", "row_number", *(e.over(_SERIES).alias(n) for n, e in of_series.items())
    )
    return found.with_columns(pl.col("jumps", "wild", "lasts", "splits").fill_null(False))


def _step(value: pl.Expr, before: pl.Expr) -> pl.Expr:
    """The common logarithm of a ratio; null where one of the two is not positive."""
    return pl.when((value > 0) & (before > 0)).then((value / before).log10())


def _sentence(found: pl.DataFrame) -> str:
    symbol, at, ts, power, jumps = found.select("symbol", "row_number", "ts", "power", "jumps").row(
        0
    )
    factor = f"{10 ** int(abs(power)):,}"
    times = f"{factor} times" if power > 0 else f"1/{factor} of"
    more = f", and {counted(jumps - 1, 'more jump')}" if jumps > 1 else ""
    others = f"; {counted(found.height - 1, 'more symbol')} likewise" if found.height > 1 else ""
    return (
        f"prices of {symbol} are {times} those of the bar before at row {at:,} "
        f"({ts:%Y-%m-%d %H:%M}Z), and volumes do not change as with a split{more}{others}"
    )
