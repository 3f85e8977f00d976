"""Output of all commands: tables for people, JSON for programs; times are UTC.

rich is imported only where a table is drawn: it takes longer than most commands.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, Final, Literal

import click

from loader.cli.views.paths import shortened
from loader.lazy import dataclass
from loader.text import cell, plain, visible, visible_json

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

#: Text is wrapped down to this width before a column is left out, and then down to the other one
#: before the terminal has to fold lines.
_COMFORTABLE: Final = 24
_NARROWEST: Final = 12
_GAP: Final = 2
#: The width of labels.
_LABEL: Final = 9
#: So many columns stay, however narrow the terminal is.
_FEWEST: Final = 2
_PIPE: Final = 100_000
_STYLES: Final = {
    "running": "cyan", "success": "green", "failure": "red", "cancelled": "yellow",
    "loading": "cyan", "loaded": "green", "known": "green", "partial": "yellow",
    "refused": "red", "failed": "red", "unfinished": "yellow",
}  # fmt: skip


def print_json(value: object) -> None:
    """`value` on stdout as one JSON document: records as objects, times as ISO 8601 in UTC."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=plain)
    click.echo(visible_json(text), file=sys.stdout)


def say(text: str = "") -> None:
    """A line for people on stdout, without what would steer their terminal."""
    click.echo(visible(text), file=sys.stdout)


def labelled(facts: Iterable[tuple[str, str]], width: int = _LABEL) -> None:
    """A line on stdout for each label, of `width` characters, and its value; a terminal gets long
    ones wrapped."""
    for label, value in facts:
        for n, line in enumerate(wrapped(value, width + _GAP)):
            say(f"{'' if n else label:>{width}}{' ' * _GAP}{line}")


def wrapped(value: str, indent: int) -> list[str]:
    """The lines of `value` beside an indent on a terminal, broken at blanks and not at a no-break
    space; one line in a pipe."""
    lines = [value]
    if sys.stdout.isatty():
        room = max(get_terminal_size().columns - indent, _COMFORTABLE)
        lines = wrap(value, room, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\xa0", " ") for line in lines or [""]]


def unbroken(value: str, indent: int) -> str:
    """A path or URL that has to fit beside an indent: shortened in its middle on a terminal."""
    if not sys.stdout.isatty():
        return value
    return shortened([value], max(get_terminal_size().columns - indent, _NARROWEST))[0]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    `kind` is `number` (to the right), `status` (coloured by its word), `time`, `name`, `strip` (a
    letter for each piece of time, coloured where there is little), `path` (shortened in its
    middle), or `text`, which alone is wrapped. Where the terminal is too narrow for all, columns
    with the largest `spare` give way first. If that is not enough, so do those below 0, the least
    first, and then the others from the right; two columns stay.
    """

    name: str
    kind: Literal["text", "path", "number", "status", "strip", "time", "name"] = "text"
    spare: int = 0


def table(
    title: str | None, columns: Sequence[str | Column], rows: Iterable[Sequence[object]],
    *, name_missing: bool = True,
) -> list[str]:  # fmt: skip
    """Prints a table on stdout. Returns the names of the columns that a narrow terminal has no room
    for; a line under the table has them too, unless the caller names them (`name_missing`). In a
    pipe nothing is cut.

    Cells: text as it is (no markup), integers with thousands, datetimes as `utc`, None as a dash.
    """
    from rich.console import Console

    named = [c if isinstance(c, Column) else Column(c) for c in columns]
    body = [[cell(value) for value in row] for row in rows]
    console = Console(highlight=False)
    kept = [*range(len(named))]
    if console.is_terminal:
        kept = _fitting(named, body, console.width)
        body = _shortened(named, body, kept, console.width)
    drawn = _drawn([named[i] for i in kept], [[row[i] for i in kept] for row in body])
    if console.is_terminal:
        # Rather a line that the terminal folds than a number without its end.
        console.width = max(console.width, _total(named, body, kept, _NARROWEST))
    else:
        console.width = console.measure(drawn, options=console.options.update(width=_PIPE)).maximum
    if title:
        console.print(visible(title), style="bold", markup=False)
    console.print(drawn)
    missing = [column.name for i, column in enumerate(named) if i not in kept]
    if missing and name_missing:
        console.print(f"no room for: {', '.join(missing)}", style="dim", markup=False)
    return missing


def _fitting(named: Sequence[Column], body: Sequence[Sequence[str]], room: int) -> list[int]:
    """The columns that fit into `room`."""
    shown = [*range(len(named))]
    for i in sorted((i for i in shown if named[i].spare > 0), key=lambda i: -named[i].spare):
        if _total(named, body, shown, _COMFORTABLE) <= room:
            return shown
        shown.remove(i)
    for i in sorted(shown[1:], key=lambda i: (named[i].spare, -i)):
        if len(shown) <= _FEWEST or _total(named, body, shown, _NARROWEST) <= room:
            break
        shown.remove(i)
    return shown


def _total(
    named: Sequence[Column], body: Sequence[Sequence[str]], kept: Sequence[int], text: int
) -> int:
    """The width of the `kept` columns, in which text and paths are no wider than `text`."""
    widths = [_width(named[i], [row[i] for row in body], text) for i in kept]
    return sum(widths) + _GAP * (len(widths) - 1)


def _width(column: Column, values: Iterable[str], text: int) -> int:
    from rich.cells import cell_len

    longest = max(cell_len(column.name), *map(cell_len, values), 1)
    return min(longest, text) if column.kind in ("text", "path") else longest


def _shortened(
    named: Sequence[Column], body: list[list[str]], kept: Sequence[int], room: int
) -> list[list[str]]:
    """`body` with paths that fit into what the other columns leave of `room`."""
    paths = [i for i in kept if named[i].kind == "path"]
    for i in paths:
        others = _total(named, body, [j for j in kept if j not in paths], _COMFORTABLE)
        own = (room - others) // len(paths) - _GAP
        for row, path in zip(
            body, shortened([r[i] for r in body], max(own, _NARROWEST)), strict=True
        ):
            row[i] = path
    return body


def details(title: str, entries: Mapping[str, str | None]) -> None:
    """Prints a title and labelled entries under it; a terminal gets long ones wrapped."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(visible(title), "bold"))
    width = max((len(name) for name, value in entries.items() if value is not None), default=0)
    for name, value in entries.items():
        if value is not None:
            for n, line in enumerate(wrapped(visible(value), width + 2 * _GAP)):
                label = "" if n else name
                console.print(Text.assemble((f"  {label:<{width}}  ", "dim"), line))


def _drawn(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        drawn.add_column(
            Text(column.name),
            justify="right" if column.kind == "number" else "left",
            no_wrap=column.kind not in ("text", "path"),
            overflow="fold",
        )
    for row in rows:
        drawn.add_row(*(_styled(column, value) for column, value in zip(columns, row, strict=True)))
    return drawn


def _styled(column: Column, value: str) -> Text:
    from rich.text import Text

    text = Text(value, _STYLES.get(value, "") if column.kind == "status" else "")
    if column.kind == "strip":
        text.highlight_regex("[·.]+", "red")
        text.highlight_regex("[░▒=-]+", "yellow")
    return text
