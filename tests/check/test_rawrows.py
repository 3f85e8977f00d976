"""Raw rows come back as the file had them, whatever is in their cells."""

from __future__ import annotations

import json

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.check import rawjson
from loader.check.rawrows import decoded, is_text, tables

TEXT = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ['": "', '\\": null', "␛", "␀", "␛␀\0", '"', "\\", "null", "{}", ", "]
)


def as_stored(raw: str) -> str:
    """As the server writes jsonb: a blank after colons and commas."""
    return json.dumps(json.loads(raw), ensure_ascii=False)


@settings(max_examples=200)
@given(
    st.lists(TEXT.filter(bool), min_size=1, max_size=4, unique_by=rawjson._visible_name),
    st.data(),
)
def test_cells_come_back(names: list[str], data: st.DataObject) -> None:
    cells = st.lists(TEXT | st.none(), min_size=len(names), max_size=len(names))
    rows = data.draw(st.lists(cells, min_size=1, max_size=5))
    columns = {name: [row[n] for row in rows] for n, name in enumerate(names)}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String()))
    raw = pl.Series("raw", [as_stored(text) for text in rawjson.encode(frame)])
    expected = [dict(zip(names, row, strict=True)) for row in rows]
    assert [decoded(text) for text in raw] == expected
    found: dict[int, dict[str, str | None]] = {}
    for places, part in tables(raw):
        found |= dict(zip(places, part.to_dicts(), strict=True))
    assert [found[place] for place in sorted(found)] == expected


def test_rows_of_different_columns_are_kept_apart() -> None:
    rows = ['{"a": "1"}', '{"b": "2", "a": null}', '{"a": "3"}', '{"why": "x", "line": "y"}',
            '{"a": 4}']  # fmt: skip
    found = [(places.to_list(), part.to_dicts()) for places, part in tables(pl.Series(rows))]
    assert found == [
        ([0, 2], [{"a": "1"}, {"a": "3"}]),
        ([1], [{"b": "2", "a": None}]),
        ([3], [{"why": "x", "line": "y"}]),
        ([4], [{"a": "4"}]),
    ]
    assert [is_text(part.columns) for _, part in tables(pl.Series(rows))] == [
        False, False, True, False,
    ]  # fmt: skip
