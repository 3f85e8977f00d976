"""The output of `inspect`: labelled lines and the first bars, or an object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import click

from loader import bars
from loader.cli.views.load import listed
from loader.cli.views.table import Column, labelled, print_json, say, table
from loader.ingest import tally
from loader.ingest.ways.inspection import Inspection
from loader.listen import log
from loader.results import FileResult, as_file
from loader.text import counted, number, span, visible

#: The width of labels.
_LABEL: Final = 11


def print_looks(looks: Iterable[Inspection], rows: int) -> int:
    """Prints each file with its first `rows` bars as soon as it has been looked at. Returns the
    highest exit code of their errors."""
    worst = 0
    for place, look in enumerate(looks):
        if place:
            say()
        click.echo(click.style(visible(look.path, ""), bold=True))
        labelled(((label, visible(value, "")) for label, value in _facts(look)), _LABEL)
        if look.good.height:
            say()
            _print_bars(look, rows)
        if (refusal := _refusal(look)) is not None:
            text, hint, exit_code = refusal
            log.error(text, hint)
            worst = max(worst, exit_code)
    return worst


def print_json_looks(looks: Iterable[Inspection], rows: int, *, several: bool) -> int:
    """The same as one JSON document: an object for one file, or a list of them under `files`."""
    worst = 0
    if several:
        click.echo('{"files": [')
    for place, look in enumerate(looks):
        if place:
            click.echo(",")
        print_json(_look(look, rows))
        refusal = _refusal(look)
        worst = max(worst, refusal[2] if refusal else 0)
    if several:
        click.echo("]}")
    return worst


def _refusal(look: Inspection) -> tuple[str, str | None, int] | None:
    """Why a load would not take the file: text, hint and exit code."""
    if look.error is not None:
        return str(look.error), look.error.hint, look.error.exit_code
    if look.result is not None and look.result.error is not None:
        return look.result.error, look.result.hint, look.result.exit_code
    return None


def _facts(look: Inspection) -> list[tuple[str, str]]:
    notes = [("note", note.text) for note in look.notes]
    rows = "more than the first batch" if look.rows is None else number(look.rows)
    if not look.columns:
        known = {"container": look.container, "found": ", ".join(look.found)}
        known["rows"] = None if look.error else rows
        return [*((label, value) for label, value in known.items() if value), *notes]
    seen = _look(look, 0)
    rejected = ", ".join(f"{rule} {n:,}" for rule, n in look.rejected.items()) or "none"
    part = "" if look.whole else " (of the first batch)"
    return [
        ("container", str(look.container)),
        ("dialect", str(look.dialect)),
        *[("because", f"{'; '.join(look.reasons)} ({look.score} points)")][: len(look.reasons)],
        ("provider", seen["provider"] or "several"),
        ("interval", seen["interval"] or "several"),
        ("rows", rows),
        ("columns", ", ".join(f"{field} = {name}" for field, name in look.columns.items())),
        ("symbols", listed(seen["symbols"])),
        ("span", span(seen["min_ts"], seen["max_ts"])),
        ("rejected", f"{rejected}{part}"),
        *[("skipped", f"{look.skipped:,}{part}")][: look.skipped],
        *notes,
        *(_compared(look.result) if look.result is not None else ()),
    ]


def _compared(result: FileResult) -> Iterator[tuple[str, str]]:
    counts = result.counts
    if result.state == "known":
        yield "store", result.notes[0].text
    elif result.error:
        yield "store", "a load would refuse the file"
    else:
        yield (
            "store",
            (
                f"a load would insert {counted(counts.inserted, 'bar')} and update "
                f"{counts.updated:,}; unchanged: {counts.unchanged:,}"
            ),
        )
    if text := str(result.history):
        yield "history", text
    for note in result.notes:
        if note.kind == "history":
            yield "note", note.text


def _print_bars(look: Inspection, rows: int) -> None:
    head = look.good.head(rows).select(bars.COLUMNS)
    columns = []
    for spare, name in enumerate(head.columns, start=1):
        is_same = name != "ts" and look.good[name].n_unique() == 1  # and told above
        kind: Literal["number", "time", "text"] = "number" if name in bars.VALUES else "text"
        columns.append(Column(name, "time" if name == "ts" else kind, spare if is_same else 0))
    table(None, columns, head.rows(), name_missing=False)


def _look(look: Inspection, rows: int) -> dict[str, Any]:
    good, refusal = look.good, _refusal(look)
    return {
        "path": look.path,
        "container": look.container,
        "dialect": look.dialect,
        "score": look.score,
        "reasons": list(look.reasons),
        "provider": tally.only(set(good["provider"])),
        "interval": tally.only(set(good["interval"])),
        "rows": look.rows,
        "columns": dict(look.columns),
        "found": list(look.found),
        "symbols": sorted(set(good["symbol"])),
        "min_ts": good["ts"].min(),
        "max_ts": good["ts"].max(),
        "rejected": dict(look.rejected),
        "skipped": look.skipped,
        "whole_file": look.whole,
        "notes": [note.text for note in look.notes],
        "error": refusal[0] if refusal else None,
        "hint": refusal[1] if refusal else None,
        "load": as_file(look.result) if look.result is not None else None,
        "bars": good.head(rows).select(bars.COLUMNS).to_dicts(),
    }
