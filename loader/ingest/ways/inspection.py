"""A first look at a file: read and checked as a load would, without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import field, replace

import polars as pl

from loader import bars
from loader.check import rawjson, spellings
from loader.check.file import Checking
from loader.check.unique import in_order
from loader.check.validate import CheckedBatch, rounding_notes, skip_notes
from loader.errors import InputError, MdloadError, TooManyRejects
from loader.lazy import dataclass
from loader.read.formats import read
from loader.read.sources import Source
from loader.results import FileResult, Note, noted
from loader.settings import Settings


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a file.

    Attributes:
        score, reasons: the evidence for the dialect.
        columns: maps each bar field to the file's column for it.
        found: the file's own columns, or their positions if it has no `header`.
        sample: the cells of its first row.
        good: the bars of the first batch (`bars.SCHEMA` and the row number).
        rejected, skipped: count the other rows of the first batch.
        whole: whether the first batch is the whole file.
        error: why the file would not load.
        result: what a load of the whole file would come to, if it was asked for.
    """

    path: str
    container: str | None = None
    dialect: str | None = None
    score: int = 0
    reasons: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    found: tuple[str, ...] = ()
    header: bool = True
    place: str = ""
    sample: tuple[str, ...] = ()
    rows: int | None = None
    good: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=bars.SCHEMA))
    rejected: Mapping[str, int] = field(default_factory=dict)
    skipped: int = 0
    whole: bool = False
    notes: tuple[Note, ...] = ()
    error: MdloadError | None = None
    result: FileResult | None = None


def inspect_source(source: Source, settings: Settings, unlike: str | None = None) -> Inspection:
    """Inspects the first batch of `source`; `unlike` is another file to be loaded with it, see
    `Siblings.unlike`. Errors of mdload's own kinds are part of the result."""
    seen = Inspection(source.name)
    try:
        with read(source, settings.batch_rows) as reading:
            seen = replace(
                seen,
                container=reading.container,
                found=tuple(reading.columns),
                header=reading.header,
                place=reading.place,
                rows=reading.rows,
                notes=noted("reading", reading.notes),
            )
            checking = Checking(reading, source, settings, unlike=unlike)
            with closing(checking.pieces()) as pieces:
                try:
                    first = next(pieces, None)
                    whole = first is None or next(pieces, None) is None
                finally:
                    seen = replace(seen, sample=_sample(checking))
    except MdloadError as error:
        return replace(seen, rows=None, error=error)
    layout, taken = checking.layout, checking.taken
    if first is None or layout is None or taken is None:
        return replace(seen, rows=0, whole=True)
    seen = replace(
        seen,
        dialect=layout.dialect.name,
        score=taken.score,
        reasons=taken.reasons,
        columns=dict(layout.columns),
        rows=seen.rows or (first.last_row if whole else None),
        good=first.good,
        rejected=dict(first.rejected),
        skipped=first.skipped,
        whole=whole,
        notes=(
            *(note for note in checking.notes if note.kind != "recognition"),
            *noted("rows", skip_notes(first.skipped, layout.skip)),
            *noted("numbers", rounding_notes(first.rounded)),
            *spellings.notes(first.spellings),
        ),
    )
    try:
        spellings.refuse_collisions(first.spellings)
        for _ in in_order([first]):
            pass
        return _within_limit(seen, first, settings)
    except InputError as error:
        return replace(seen, error=error)


def _within_limit(seen: Inspection, first: CheckedBatch, settings: Settings) -> Inspection:
    """The inspection, with what the load will say of the rejects: an error if it will refuse the
    file, or a note if it will as far as the first batch shows."""
    rejected, limit = first.bad.height, settings.max_rejects
    read = first.good.height + rejected
    if not limit.exceeded(rejected, read):
        return seen
    most = Counter(first.rejected).most_common(3)
    rules = ", ".join(f"{rule} {n:,}" for rule, n in most)
    most_allowed = f"more than --max-rejects {limit} allows"
    why = f"{rejected:,} of {read:,} rows would be rejected ({rules}), {most_allowed}"
    if not seen.whole and limit.rows is None:
        why = f"of the first batch {why}: a load will refuse the file if its other rows are alike"
        return replace(seen, notes=(*seen.notes, Note("rows", why)))
    error = TooManyRejects.at(
        seen.path,
        f"{why}: a load will refuse the file",
        hint="read it otherwise (--column, --timezone, …), or load it with --max-rejects N|P%",
    )
    return replace(seen, error=error)


def _sample(checking: Checking) -> tuple[str, ...]:
    if checking.opening is None or not checking.opening.first.height:
        return ()
    return tuple(_shown(column.head(1)) for column in checking.opening.first)


def _shown(column: pl.Series) -> str:
    cell = column[0] if isinstance(column.dtype, pl.Binary) else rawjson.as_text(column)[0]
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell or ""
