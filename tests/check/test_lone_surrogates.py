"""Half a character in a JSON escape: its row is rejected, and no two names become one."""

from __future__ import annotations

import json

import pytest

from tests.support.golden import written

BAR = {"time": "2024-01-02T09:30:00Z", "open": 1, "high": 2, "low": 1, "close": 2, "volume": 5}


@pytest.mark.parametrize("batch_rows", [1000, 1])
def test_symbols_that_differ_only_there_are_rejected(batch_rows: int) -> None:
    rows = [{**BAR, "symbol": symbol} for symbol in ("N\ud800D", "AB", "N\udc01D")]
    text = "\n".join(map(json.dumps, rows)) + "\n"
    loaded = written("a.ndjson", text, batch_rows, provider="p", interval="1m")
    assert [row[1] for row in loaded.bars] == ["AB"]
    assert dict(loaded.rejected) == {"key_unreadable": 2}


def test_prices_and_times_are_rejected() -> None:
    rows = [
        {**BAR, "symbol": "A", "time": "2024-01-02T09:30:00Z"},
        {**BAR, "symbol": "A", "time": "2024-01-02T09:31:00Z", "close": "1\ud800"},
        {**BAR, "symbol": "A", "time": "2024-01-02T09:32:00Z\udfff"},
    ]
    loaded = written("a.json", json.dumps(rows), 1000, provider="p", interval="1m")
    assert len(loaded.bars) == 1
    assert dict(loaded.rejected) == {"price_unparsable": 1, "ts_unparsable": 1}
