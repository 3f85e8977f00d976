"""Lines of JSON into checked bars: accepted lines, rejects and notes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.check.validate import CheckedBatch
from loader.client.live.lines import Lines
from loader.results import Note
from loader.settings import Settings

BAR = {"provider": "p", "symbol": "AA", "interval": "1m", "ts": "2024-03-04T14:30:00Z",
       "open": 10, "high": 11.5, "low": 9, "close": 10.25, "volume": None}  # fmt: skip


def check(
    *lines: Any, first: int = 1, told: list[Note] | None = None, **given: Any
) -> CheckedBatch:
    """The lines (objects are written as JSON) as one batch of a feed of their own."""
    raw = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines]
    feed = Lines(Settings(**given), "stdin", [].append if told is None else told.append)
    return feed.check(raw, first)


def rejects(checked: CheckedBatch) -> list[tuple[int, list[str], Any]]:
    return [
        (number, rules, json.loads(raw))
        for number, rules, raw in checked.bad.select("row_number", "rules", "raw").rows()
    ]


def test_bars_under_their_plain_names() -> None:
    found = check(BAR, {**BAR, "symbol": " bb ", "volume": 7, "vwap": "10.5", "trade_count": 3})
    assert found.good.rows() == [
        ("p", "AA", "1m", datetime(2024, 3, 4, 14, 30, tzinfo=UTC), 10.0, 11.5, 9.0, 10.25, None,
         None, None, 1),
        ("p", "BB", "1m", datetime(2024, 3, 4, 14, 30, tzinfo=UTC), 10.0, 11.5, 9.0, 10.25, 7.0,
         10.5, 3, 2),
    ]  # fmt: skip
    assert found.bad.height == 0
    assert sorted(found.spellings.rows()) == [
        ("p", " bb ", "BB", "plain"),
        ("p", "AA", "AA", "plain"),
    ]


def test_other_names_and_what_the_options_say() -> None:
    line = {"t": 1709562600000, "T": "AA", "o": "10", "h": "11", "l": "9", "c": "10", "x": [1, 2]}
    found = check(line, provider="q", interval="1m", symbol=None, columns={"symbol": "T"})
    assert found.good.select("provider", "symbol", "interval", "ts", "close").rows() == [
        ("q", "AA", "1m", datetime(2024, 3, 4, 14, 30, tzinfo=UTC), 10.0)
    ]
    local = {**BAR, "ts": "2024-03-04 09:30"}
    assert check(local, timezone="America/New_York").good["ts"].to_list() == [
        datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
    ]


def test_numbers_are_read_as_they_are_written() -> None:
    """Values never pass through a float, which would change all of these."""
    line = (
        b'{"provider":"p","symbol":600000,"interval":"1m","ts":"2024-03-04T14:30:00Z","open":0.1,'
        b'"high":1e3,"low":0.10000000000000001,"close":123.456,"trade_count":9007199254740993}'
    )
    (row,) = check(line).good.select("symbol", "open", "high", "low", "trade_count").rows()
    assert row == ("600000", 0.1, 1000.0, 0.1, 9007199254740993)


def test_lines_that_are_no_objects() -> None:
    lines = [b"garbage", b"", b"  \r", b"[1]", b"3", b"null", b"{}", b'{"a":1', b"\xff\xfe{}",
             b'{"symbol":"\\ud800"}', b"nul\0l", b"[" * 100_000]  # fmt: skip
    found = check(*lines, first=11)
    assert found.rejected == {"line_not_json": 10}
    kept = {number: raw["line"] for number, _, raw in rejects(found)}
    assert list(kept) == [11, 14, 15, 16, 17, 18, 19, 20, 21, 22]
    why = {number: raw["why"] for number, _, raw in rejects(found)}
    assert why[11] == "Expecting value at character 1"
    assert why[14] == why[17] == "it is JSON, and no object with names"
    assert why[18] == "Expecting ',' delimiter at character 7"
    assert "invalid start byte" in why[19]
    assert why[22] == "it is nested too deeply"
    assert (kept[11], kept[18], kept[19], kept[21]) == (
        "garbage", '{"a":1', "\\xff\\xfe{}", "nul␀l",
    )  # fmt: skip


def test_objects_that_are_no_bars() -> None:
    told: list[Note] = []
    lines = [{"type": "subscribed"}, BAR, {"type": "heartbeat"}, {"open": 1, "close": 2}]
    found = check(*lines, told=told)
    assert [(number, rules, raw["line"]) for number, rules, raw in rejects(found)] == [
        (1, ["line_not_a_bar"], '{"type": "subscribed"}'),
        (3, ["line_not_a_bar"], '{"type": "heartbeat"}'),
        (4, ["line_not_a_bar"], '{"open": 1, "close": 2}'),
    ]
    first = "no column for ts, open, high, low, close (it has 'type')"
    assert [raw["why"] for *_, raw in rejects(found)][:2] == [first, first]
    assert found.good["row_number"].to_list() == [2]
    assert [note.kind for note in told] == ["columns", "times", "columns"]
    assert told[0].text.startswith("line 1: not a bar, no column for ts, open, high, low, close")


def test_bars_that_break_a_rule() -> None:
    found = check(BAR, {**BAR, "high": 1}, {**BAR, "close": True}, {**BAR, "volume": None})
    assert [(number, rules) for number, rules, _ in rejects(found)] == [
        (2, ["high_below_low", "open_outside_range", "close_outside_range"]),
        (3, ["price_unparsable"]),
    ]
    assert rejects(found)[0][2] == {
        name: None if v is None else str(v) for name, v in {**BAR, "high": 1}.items()
    }
    assert found.good["row_number"].to_list() == [1, 4]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            {k: v for k, v in BAR.items() if k != "provider"},
            "the provider of the bars is not known",
        ),
        ({k: v for k, v in BAR.items() if k != "symbol"}, "the symbol of the bars is not known"),
        ({k: v for k, v in BAR.items() if k != "interval"}, "the interval is not known"),
        ({**BAR, "ts": "yesterday"}, "have no form that is known"),
        ({**BAR, "ts": "2024-03-04 09:30"}, "no time zone is given"),
    ],
)
def test_what_is_not_said_is_not_guessed(line: dict[str, Any], said: str) -> None:
    """Not even the interval from many lines at once: the next batch would be too short for it."""
    told: list[Note] = []
    many = [{**line, "ts": line["ts"].replace(":30", f":{n}")} for n in range(30, 60)]
    assert check(*many, told=told).rejected == {"line_not_a_bar": 30}
    assert len(told) == 1
    assert said in told[0].text


def test_a_shape_is_understood_once_and_asked_again_until_then() -> None:
    told: list[Note] = []
    feed = Lines(Settings(), "stdin", told.append)
    odd, even = {**BAR, "ts": "?"}, {**BAR, "extra": 1}
    for line, good in ((odd, 0), (BAR, 1), (odd, 0), (even, 1), (even, 1)):
        assert feed.check([json.dumps(line).encode()], 1).good.height == good
    # The first odd one is no bar yet; the second one breaks a rule of a shape that is known.
    assert [note.text.partition(":")[2] for note in told] == [
        " not a bar, the times in column 'ts' have no form that is known: '?'; say how they are "
        "written: --time-format '%d.%m.%Y %H:%M'; or name the right column: --column ts=NAME",
        " times are read as the starts of the bars; if they are ends: --stamp end",
        " 'extra' left out: a bar has no field for it",
    ]


def test_the_order_of_lines_is_kept_over_shapes() -> None:
    """The last of two bars for a key wins, whatever spelling each has."""
    lines = [{**BAR, "close": 10.1, "volume": 1}, {**BAR, "close": 10.2}, b"x",
             {**BAR, "close": 10.3, "volume": 2}]  # fmt: skip
    found = check(*lines, first=5)
    assert found.good.select("row_number", "close").rows() == [(5, 10.1), (6, 10.2), (8, 10.3)]
    assert found.bad["row_number"].to_list() == [7]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
near_bars = st.dictionaries(
    st.sampled_from([*BAR, "volume", "vwap", "trade_count", "t", "time", "date", "Open", "", "\0"]),
    json_values,
    max_size=12,
)
mutated = st.builds(lambda change: {**BAR, **change}, near_bars)
any_line = st.one_of(
    st.binary(max_size=60).filter(lambda raw: b"\n" not in raw),
    st.one_of(near_bars, mutated, json_values).map(lambda value: json.dumps(value).encode()),
)


@given(st.lists(st.lists(any_line, max_size=5), max_size=3), st.sampled_from([None, "1m", "1d"]))
def test_nothing_that_a_line_holds_ends_a_feed(
    batches: list[list[bytes]], interval: str | None
) -> None:
    feed = Lines(Settings(provider="p", symbol="S", interval=interval), "stdin", [].append)
    for batch in batches:
        found = feed.check(batch, 1)
        numbers = sorted([*found.good["row_number"], *found.bad["row_number"]])
        assert numbers == [n for n, line in enumerate(batch, 1) if line.strip()]
        for raw in found.bad["raw"]:
            kept = json.loads(raw)
            assert not any("\0" in text for text in (*kept, *filter(None, kept.values())))
