"""The output of `coverage`: a table with a timeline for each series; darker cells are fuller."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from loader.cli.views.table import Column, print_json, say, table
from loader.errors import NothingStored
from loader.listen import log
from loader.survey.coverage import Coverage, Covered, relative
from loader.text import counted, number, utc

#: From nothing to full; a cell outside of a series' own time is blank.
_SHADES: Final = "·░▒▓█"
_ASCII: Final = ".-=%#"
#: What the other columns of a usual table take of a line.
_OTHERS: Final = 80
#: A line that is narrower has dates without times.
_NARROW: Final = 116


def cells_that_fit() -> int:
    """The number of cells of a timeline that fit on this terminal."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        return 48
    others = _OTHERS if console.width >= _NARROW else _OTHERS - 14
    return max(12, min(60, console.width - others))


def print_coverage(found: Coverage, *, as_json: bool) -> None:
    """Prints the table, or an array of series with their cells."""
    if as_json:
        print_json([_as_object(series, found) for series in found.series])
        return
    if not found.series or found.origin is None:
        say("no bars in that time")
        return
    from rich.console import Console

    console = Console()
    shades = _SHADES if (console.encoding or "").lower().startswith("utf") else _ASCII
    short = console.is_terminal and console.width < _NARROW
    many = len(found.series[0].cells)
    table(
        None,
        [
            Column("provider", spare=1),
            Column("symbol"),
            Column("interval", "time", spare=-1),
            Column("first", "time", spare=2),
            Column("last", "time"),
            Column("bars", "number"),
            Column(_axis(found.origin, found.origin + many * found.cell, many), "strip"),
        ],
        [
            [
                s.provider, s.symbol, s.interval, *_ends(s, short=short), _bars(s),
                "".join(_shade(cell, shades) for cell in relative(s.cells)),
            ]
            for s in found.series
        ],
    )  # fmt: skip
    say()
    say(_sum(found.series))


def print_none(none: NothingStored, *, as_json: bool) -> None:
    """Prints that the store is empty, which is not an error: that comes before the first load."""
    if as_json:
        print_json([])
    else:
        say(str(none))
        log.note(f"hint: {none.hint}")


def _as_object(series: Covered, found: Coverage) -> dict[str, object]:
    return {
        "provider": series.provider, "symbol": series.symbol, "interval": series.interval,
        "first": series.first, "last": series.last, "bars": series.bars, "exact": series.exact,
        "strip": {
            "from": found.origin, "cell_seconds": found.cell.total_seconds(),
            "filled": [None if cell is None else round(cell, 3) for cell in series.cells],
        },
    }  # fmt: skip


def _shade(cell: float | None, shades: str) -> str:
    if cell is None:
        return " "
    return shades[0] if cell == 0 else shades[min(1 + int(cell * 4), 4)]


def _ends(series: Covered, *, short: bool) -> list[str]:
    midnight = all(
        (ts.hour, ts.minute, ts.second) == (0, 0, 0) for ts in (series.first, series.last)
    )
    if short or midnight:
        return [f"{ts:%Y-%m-%d}" for ts in (series.first, series.last)]
    return [utc(ts, seconds=False) for ts in (series.first, series.last)]


def _bars(series: Covered) -> str:
    return number(series.bars) if series.exact else about(series.bars)


def about(n: int) -> str:
    """`~1,230,000`: an estimate is rounded to three digits."""
    unit = 10 ** max(len(str(n)) - 3, 0)
    return f"~{round(n / unit) * unit:,}"


def _sum(series: Sequence[Covered]) -> str:
    total = sum(s.bars for s in series)
    what = f"{number(len(series))} series, "
    if all(s.exact for s in series):
        return what + counted(total, "bar")
    return what + f"{about(total)} bars (~ is estimated from a sample; --exact counts)"


def _axis(begin: datetime, end: datetime, width: int) -> str:
    """The dates at both ends of the timeline, if they fit."""
    left, right = f"{begin:%Y-%m-%d}", f"{end:%Y-%m-%d}"
    if width >= len(left) + len(right) + 1:
        return left + right.rjust(width - len(left))
    return left.ljust(width)
