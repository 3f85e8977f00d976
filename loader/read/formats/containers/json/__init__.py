"""JSON and lines of JSON: any document that holds rows, as a table of text.

Nothing here knows providers: `place` finds by structure alone where the rows of a document stand.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from io import BufferedReader
from pathlib import PurePath
from typing import Any, Final

import polars as pl

from loader.errors import UnreadableFile
from loader.lazy import regex
from loader.read.batch import NO_ROWS, Reading, batches
from loader.read.formats.containers.json import inside
from loader.read.formats.containers.json.inside import Around, Inside
from loader.read.formats.containers.json.place import Place, find
from loader.read.formats.containers.json.rows import Group, Rows, groups
from loader.read.formats.containers.json.tables import as_columns
from loader.read.formats.containers.json.values import BLOCK, LIMIT, Values, too_deep
from loader.read.formats.format import Format
from loader.read.formats.plain_text import ASK_AGAIN, printable, text_encoding
from loader.read.streams.compression import damage, unwrap
from loader.read.streams.source import Source, open_source

_LONGEST_MESSAGE: Final = 1000
#: Where answers say why they have no data, and what they say where nothing is wrong.
_COMPLAINT: Final = regex(
    r"(ret|err(or)?)?[ _]?(msg|message)|error(_description)?|note|information", re.IGNORECASE
)
_PRAISE: Final = {"ok", "success"}


def read(
    stream: BufferedReader,
    source: Source,
    batch_rows: int,
    block: int = BLOCK,
    stack: ExitStack | None = None,
) -> Reading:
    """The table in `stream`: every column String, every cell spelled as in the file, null and an
    empty one null; `true` and `false` as such, what nests in a cell as JSON.

    Values on lines of their own, and the elements of an outermost array, are read block by block
    in flat memory, their columns those of the first block. So is an object around one array, which
    is set aside on disk, if there is a `stack` to close that, and to open `source` again where it
    turns out to be more than that. Any other value is held whole.

    Raises:
        UnreadableFile: it is no JSON, is damaged or cut short, has no rows, or rows in several
            places; also while its batches are read.
    """
    name = source.name
    encoding = text_encoding(stream.peek(2))
    values = Values(_decoded(stream, encoding, block, name), name, block)
    large = stack is not None and not (values.array or values.drained)
    if stack is not None and large and (begun := inside.around(values.text)):
        found = _inside(values, begun, name, stack)
        if found is not None:
            return _reading_inside(found, encoding, name, batch_rows)
        again, _ = unwrap(stack.enter_context(open_source(source)), name, stack)
        values = Values(_decoded(again, encoding, block, name), name, block)
    try:
        first, place, others, changed = _first(values, name)
        held = list(groups(first, place, name))
        rows = Rows(place, held)
    except RecursionError as exc:
        raise too_deep(name) from exc
    whole = values.ended
    notes = _notes(rows, others, encoding)
    if whole and not rows.rows:
        notes = (*notes, _no_rows(held, name))

    def frames() -> Iterator[pl.DataFrame]:
        yield from rows.frames(held)
        held.clear()
        streams = place.steps == ("[]",) and place.form in {"arrays", "objects"}
        while not values.ended:
            frame = rows.regular(values) if streams else None
            if frame is not None:
                yield frame
            else:
                taken = values.take()
                further = as_columns(taken) if changed else taken
                yield from rows.frames(groups(further, place, name))

    return Reading(
        container="json" if values.array or (whole and isinstance(first, dict)) else "ndjson",
        columns=rows.columns,
        rows=rows.rows if whole else None,
        notes=notes,
        header=rows.header,
        place=str(place),
        around=rows.around,
        batches=batches(frames(), name, batch_rows),
    )


def _inside(
    values: Values, begun: tuple[Around, int], name: str, stack: ExitStack
) -> Inside | None:
    found, at = begun
    try:
        values.enter(at)
        return inside.read(values, found, name, stack)
    except UnreadableFile:
        if values.size > LIMIT:
            raise
    except RecursionError:
        pass
    return None  # as a whole it has the same fault, and that tells its place


def _reading_inside(found: Inside, encoding: str, name: str, batch_rows: int) -> Reading:
    return Reading(
        container="json",
        columns=found.rows.columns,
        rows=found.spool.rows,
        notes=_notes(found.rows, found.others, encoding),
        header=found.rows.header,
        place=str(found.place),
        around=found.rows.around,
        batches=batches(found.frames(), name, batch_rows),
    )


def _notes(rows: Rows, others: list[Place], encoding: str) -> tuple[str, ...]:
    left_out = (f"there are rows at {str(other)!r} too: left out" for other in others)
    return (*(() if encoding == "utf-8" else (f"encoded in {encoding}",)), *rows.notes, *left_out)


def _first(values: Values, name: str) -> tuple[Any, Place, list[Place], bool]:
    """The first block that has rows, where they stand in it, where others do, and whether tables in
    it were changed; see `tables`."""
    taken: Any = values.take()
    if values.ended and len(taken) == 1 and not values.array:
        [taken] = taken
    while True:
        value = as_columns(taken)
        places, others = find(value)
        if len(places) > 1:
            listed = " and ".join(f"{str(place)!r}" for place in places)
            raise UnreadableFile.of(
                name,
                f"has rows in several places: {listed}",
                hint="take those that you want: jq -c '.results[]' FILE > FILE.ndjson",
            )
        if not places:
            raise _no_table(value, name)
        if places[0].cells or values.ended:
            return value, places[0], others, value is not taken
        taken = values.take()


def _no_table(value: Any, name: str) -> UnreadableFile:
    return _message(" ".join(json.dumps(value, ensure_ascii=False).split()), name)


def _message(text: str, name: str) -> UnreadableFile:
    what = "holds no bars but a message" if len(text) < _LONGEST_MESSAGE else "holds no rows"
    if PurePath(name).suffix.lower() in {".csv", ".txt", ".tsv"}:
        what += ", it looks like a saved error answer"
    return UnreadableFile.of(name, f"{what}: {printable(text[:100])!r}", hint=ASK_AGAIN)


def _no_rows(held: list[Group], name: str) -> str:
    """Says what stands where rows should be, for that may be why there are none.

    Raises:
        UnreadableFile: it is a complaint.
    """
    around = {
        key: cell
        for _, outside in held
        for key, cell in outside.items()
        if isinstance(cell, str) and re.search("[A-Za-z]{2}", cell)
    }
    for key, cell in around.items():
        if _COMPLAINT.fullmatch(key.rpartition(".")[2]) and cell.lower() not in _PRAISE:
            raise _message(f"{key}: {cell}", name)
    beside = ", ".join(f"{key} {cell}" for key, cell in around.items())[:200]
    return f"{NO_ROWS}; beside them it says: {beside}" if beside else NO_ROWS


def _decoded(stream: BufferedReader, encoding: str, size: int, name: str) -> Iterator[str]:
    """The text without its byte order mark, piece by piece."""
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else "utf-16")()
    done = 0
    with damage(name, lambda: f" after {done:,} bytes of text"):
        try:
            while piece := stream.read(size):
                yield decoder.decode(piece)
                done += len(piece)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as exc:
            raise UnreadableFile.of(
                name,
                f"is not {encoding.upper()}, as JSON is: {exc.reason} "
                f"within the {size:,} bytes after byte {done:,}",
                hint="it is cut short, or written in another encoding: convert it with iconv",
            ) from exc


FORMAT: Final = Format(
    names=("json", "ndjson"),
    read=lambda opened: read(opened.stream, opened.source, opened.batch_rows, stack=opened.stack),
    text=rb'\s*(\{\s*["}]|\[\s*([\[{\]"0-9-]|null|true|false))',
    suffixes=(".json", ".ndjson", ".jsonl"),
)
