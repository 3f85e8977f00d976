"""An object around one array of rows: reading in pieces equals reading as a whole."""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.errors import UnreadableFile
from loader.read.formats.containers import json as reader
from loader.read.formats.containers.json import inside, values
from loader.read.formats.containers.json.values import Values
from loader.read.sources import Source

Found = tuple[Any, ...] | str


def found(path: Path, block: int, stack: ExitStack | None) -> Found:
    source = Source(path, "f.json", None, path.stat().st_size)
    with io.BufferedReader(io.FileIO(path)) as stream:
        try:
            reading = reader.read(stream, source, 7, block, stack)
            batches = [(b.frame.rows(), b.ragged is None or b.ragged.rows()) for b in reading]
        except UnreadableFile as error:
            return f"{error} ({error.hint})"
    said = reading.container, reading.place, reading.columns, reading.header, reading.notes
    return *said, reading.rows, batches


def both(text: str, block: int) -> tuple[Found, Found]:
    """What the text is in pieces, and as a whole."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder) / "f.json"
        path.write_text(text)
        return found(path, block, stack), found(path, block, None)


def is_read_in_pieces(text: str, block: int = 150) -> bool:
    pieces = iter([text[at : at + block] for at in range(0, len(text), block)])
    begun = Values(pieces, "f.json", block)
    around = inside.around(begun.text)
    if around is None:
        return False
    begun.enter(around[1])
    with ExitStack() as stack:
        return inside.read(begun, around[0], "f.json", stack) is not None


BARS = [
    {"t": 1577836800000 + 60000 * n, "o": 1.10, "h": 2.5e3, "l": 0.5, "c": n / 8, "s": f"x{n}"}
    for n in range(40)
]
LISTS: list[list[Any]] = [list(bar.values()) for bar in BARS]
DOCUMENTS: dict[str, Any] = {
    "objects": {"ticker": "A", "results": BARS, "status": "OK", "count": 40},
    "arrays": {"retCode": 0, "result": {"symbol": "B", "list": LISTS, "n": 1}, "time": 5},
    "under a symbol": {"bars": {"AAPL": BARS}, "next_page_token": None},
    "with nulls": {"data": [{**bar, "o": None, "s": ""} for bar in BARS], "more": {"x": [1]}},
    "with names that come and go": {"data": [*BARS[:9], {"c": 1, "o": 2}, *BARS[9:]]},
    "with a column of its own outside": {"t": 5, "data": BARS, "s": "z"},
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_around_one_array(name: str, indent: int | None) -> None:
    text = json.dumps(DOCUMENTS[name], indent=indent)
    for block in (150, 300, 1000):
        assert is_read_in_pieces(text, block)
        in_pieces, whole = both(text, block)
        assert in_pieces == whole
        assert isinstance(whole, tuple)
        assert whole[5] == sum(len(rows) for rows, _ in whole[6]) >= 40


@pytest.mark.parametrize(
    "document",
    [
        {"bars": {"AAPL": BARS, "MSFT": BARS}},
        {"a": BARS, "b": [{"x": 1, "y": 2, "z": 3, "w": 4}]},
        {"a": BARS, "b": {"c": LISTS}},
        {"data": [*BARS, {"t": 1, "new": 2}]},
        {"data": [*BARS, None]},
        {"data": [*LISTS, [1, 2]]},
        {"data": [*BARS, {"t": 1, "o": {"deep": 1}}]},
        {"data": [*BARS, {"t": 1, "o": [{"w": 1, "x": 2, "y": 3, "z": 4}]}]},
        {"data": [{"symbol": "A", "bars": BARS}]},
        {"data": [{"x": n, "y": n} for n in range(60)]},
        {name: [bar[name] for bar in BARS] for name in BARS[0]},
        {f"2024-01-{n:02}": bar for n, bar in enumerate(BARS)},
    ],
)
def test_what_is_more_than_that_is_read_as_a_whole(document: Any) -> None:
    text = json.dumps(document)
    assert not is_read_in_pieces(text)
    for block in (150, 1000):
        in_pieces, whole = both(text, block)
        assert in_pieces == whole


@pytest.mark.parametrize(
    "after", ["", "}", ',"x":}', ',"data":[]}', '}\n{"a":1}', ',"x":1}}', ',"x":1', ',"a":2} x']
)
def test_a_bad_end(after: str) -> None:
    text = '{"a":1,"data":' + json.dumps(BARS) + after
    in_pieces, whole = both(text, 300)
    assert in_pieces == whole


def test_the_end_is_damaged_beyond_what_is_held_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "LIMIT", 1000)
    monkeypatch.setattr(reader, "LIMIT", 1000)
    text = json.dumps(DOCUMENTS["objects"])
    in_pieces, whole = both(text, 300)
    assert isinstance(in_pieces, tuple)
    assert in_pieces[5] == 40
    assert "has one JSON value of more than 0 MB" in whole
    in_pieces, _ = both(text[:-60], 300)
    assert in_pieces == (
        f"f.json is not complete JSON, it is cut short: expecting value in line 1, "
        f"column {len(text) - 59:,} (get it again from where it came, or mend it there)"
    )


PLAIN = st.sampled_from([0, 1.5, 1e300, -2, True, None, "", "x", 'q"', "é", "]}", "},{"])
NAMES = st.sampled_from(["a", "b", "c", "d", "e", "AB", "0"])
ROW = st.dictionaries(NAMES, PLAIN, min_size=4) | st.lists(PLAIN, min_size=4, max_size=5)
ODD = PLAIN | st.dictionaries(NAMES, PLAIN | st.lists(PLAIN, max_size=2), max_size=3)
MANY = st.tuples(ROW, st.integers(8, 30)).map(lambda drawn: [drawn[0]] * drawn[1])
FEW = st.lists(ROW | ODD, max_size=9)
SELDOM = st.sampled_from([False, False, False, True])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """An object around one array of rows, sometimes with something else in it, or in the rows."""
    value: Any = draw(FEW) if draw(SELDOM) else draw(MANY)
    if draw(SELDOM):
        value = [*value, draw(ROW | ODD), *draw(MANY)]
    names = iter(draw(st.permutations(["a", "b", "c", "d", "AB", "x1", "y", "z", "0", "k", "m"])))
    for _ in range(draw(st.integers(1, 3))):
        other = PLAIN | st.dictionaries(NAMES, PLAIN, max_size=2)
        member = other | FEW | MANY if draw(SELDOM) else other
        before, after = ({next(names): draw(member)} if draw(st.booleans()) else {} for _ in "xx")
        value = {**before, next(names): value, **after}
    text = json.dumps(value, indent=draw(st.sampled_from([None, 0, 2])), ensure_ascii=False)
    if draw(SELDOM):
        text = text[: draw(st.integers(0, len(text)))]
    if draw(SELDOM):
        text += draw(st.sampled_from(["\n", "]", "\n{}", ',"z":1}', ',"a":1}']))
    return text


@settings(max_examples=400)
@given(texts(), st.integers(1, 200))
def test_any_document_is_what_it_is_as_a_whole(text: str, block: int) -> None:
    in_pieces, whole = both(text, block)
    assert in_pieces == whole
