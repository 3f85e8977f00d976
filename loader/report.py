"""What the commands print: tables for people, JSON for programs; times are UTC.

rich is imported only where a table is drawn: it takes longer than most commands.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, Literal

import click

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

NOTHING: Final = "-"
#: Text is wrapped down to this width before a column is left out, and then down to the other one
#: before the terminal has to fold lines.
_COMFORTABLE: Final = 24
_NARROWEST: Final = 12
_GAP: Final = 2
_PIPE: Final = 100_000
_STYLES: Final = {
    "running": "cyan", "success": "green", "failure": "red", "cancelled": "yellow",
    "loading": "cyan", "loaded": "green", "known": "green", "partial": "yellow",
    "refused": "red", "failed": "red", "unfinished": "yellow",
}  # fmt: skip


def print_json(value: object) -> None:
    """`value` on stdout as one JSON document: records as objects, times as ISO 8601 in UTC."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=plain))


def plain(value: object) -> object:
    """What JSON has for `value`: `default` of json.dumps."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal() | PurePath():
            return str(value)
        case set() | frozenset():
            return sorted(value)
        case Mapping():
            return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    raise TypeError(f"a {type(value).__name__} has no JSON form")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    `kind` is `number` (to the right), `status` (coloured by its word), `time`, `strip` (a letter
    for each piece of time, coloured where there is little) or `text`, which alone is wrapped. Where
    the terminal is too narrow for all, columns with the largest `spare` give way first, and those
    with 0 never.
    """

    name: str
    kind: Literal["text", "number", "status", "strip", "time"] = "text"
    spare: int = 0


def table(
    title: str | None, columns: Sequence[str | Column], rows: Iterable[Sequence[object]]
) -> list[str]:
    """Prints a table on stdout and gives the names of the columns that a narrow terminal had to do
    without. In a pipe nothing is cut.

    Cells: text as it is (no markup), integers with thousands, datetimes as `utc`, None as a dash.
    """
    from rich.console import Console  # noqa: PLC0415

    named = [c if isinstance(c, Column) else Column(c) for c in columns]
    body = [[cell(value) for value in row] for row in rows]
    console = Console(highlight=False)

    def width(columns: Iterable[int], text: int) -> int:
        widths = [_width(named[i], [row[i] for row in body], text) for i in columns]
        return sum(widths) + _GAP * (len(widths) - 1)

    shown = set(range(len(named)))
    if console.is_terminal:
        for i in sorted(shown, key=lambda i: -named[i].spare):
            if not named[i].spare or width(shown, _COMFORTABLE) <= console.width:
                break
            shown.remove(i)
    kept = sorted(shown)
    drawn = _drawn([named[i] for i in kept], [[row[i] for i in kept] for row in body])
    # Rather a line that the terminal folds than a number without its end.
    console.width = max(console.width, width(kept, _NARROWEST))
    if not console.is_terminal:
        console.width = console.measure(drawn, options=console.options.update(width=_PIPE)).maximum
    if title:
        console.print(title, style="bold", markup=False)
    console.print(drawn)
    return [column.name for i, column in enumerate(named) if i not in shown]


def _width(column: Column, values: Iterable[str], text: int) -> int:
    from rich.cells import cell_len  # noqa: PLC0415

    longest = max(cell_len(column.name), *map(cell_len, values), 1)
    return min(longest, text) if column.kind == "text" else longest


def details(title: str, entries: Mapping[str, str | None]) -> None:
    """Prints a title and what is known under it, one entry a line."""
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(title, "bold"))
    width = max((len(name) for name, value in entries.items() if value is not None), default=0)
    for name, value in entries.items():
        if value is not None:
            console.print(Text.assemble((f"  {name:<{width}}  ", "dim"), value))


def _drawn(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Table:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        drawn.add_column(
            Text(column.name),
            justify="right" if column.kind == "number" else "left",
            no_wrap=column.kind != "text",
            overflow="fold",
        )
    for row in rows:
        drawn.add_row(*(_styled(column, value) for column, value in zip(columns, row, strict=True)))
    return drawn


def _styled(column: Column, value: str) -> Text:
    from rich.text import Text  # noqa: PLC0415

    text = Text(value, _STYLES.get(value, "") if column.kind == "status" else "")
    if column.kind == "strip":
        text.highlight_regex("[·.]+", "red")
        text.highlight_regex("[░▒=-]+", "yellow")
    return text


def cell(value: object) -> str:
    """A value as a table shows it."""
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return number(value)
        case datetime():
            return utc(value)
        case list() | tuple():
            return ", ".join(map(cell, value)) or NOTHING
    return str(value)


def number(n: float | None) -> str:
    """`1234567` as `1,234,567`; a float in its shortest exact form, without a `.0`."""
    if isinstance(n, float):
        return repr(n).removesuffix(".0")
    return NOTHING if n is None else f"{n:,}"


def counted(n: int, thing: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number(n)} {thing}{'' if n == 1 else 's'}"


def utc(moment: datetime | None, *, seconds: bool = True) -> str:
    """`2024-03-01 14:30:05Z`, or without the seconds."""
    if moment is None:
        return NOTHING
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M{':%S' if seconds else ''}}Z"


def span(first: datetime | None, last: datetime | None) -> str:
    """From the first bar to the last: `2024-03-01 to 2024-05-31`, with times unless all are
    midnight."""
    if first is None or last is None:
        return NOTHING
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    if all((ts.hour, ts.minute, ts.second, ts.microsecond) == (0, 0, 0, 0) for ts in (first, last)):
        return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    seconds = ":%S" if first.second or last.second else ""
    return f"{first:%Y-%m-%d %H:%M{seconds}} to {last:%Y-%m-%d %H:%M{seconds}}"


def duration(ms: float | None) -> str:
    """`840 ms`, `12.3 s`, `4m 05s`, `2h 07m`, `3d 04h`."""
    if ms is None:
        return NOTHING
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f} s"
    seconds = round(ms / 1000)
    for unit, below, small, smaller in ((60, 3600, "m", "s"), (3600, 86_400, "h", "m")):
        if seconds < below:
            return f"{seconds // unit}{small} {seconds % unit // (unit // 60):02}{smaller}"
    return f"{seconds // 86_400}d {seconds % 86_400 // 3600:02}h"


def bytes_(n: int | None) -> str:
    """`512 B`, `1.5 kB`, `23.4 MB`, by thousands."""
    if n is None:
        return NOTHING
    if n < 1000:
        return f"{n} B"
    size = float(n)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"
