"""CoinGecko's bars of four days, which are an interval of no other source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loader.errors import UnreadableFile
from loader.settings import Settings
from tests.support.golden import taken_in

DAY = 86_400_000


def test_bars_of_four_days_are_refused_with_what_to_ask_for(tmp_path: Path) -> None:
    rows = [[1_699_920_000_000 + each * 4 * DAY, 70, 74, 69, 72] for each in range(4)]
    (tmp_path / "coingecko-litecoin.json").write_text(json.dumps(rows))
    with pytest.raises(UnreadableFile, match="bars of four days") as raised:
        taken_in(tmp_path, Settings(), 1_000)
    assert "interval=daily" in str(raised.value.hint)


def test_files_of_other_names_are_read_on_request(tmp_path: Path) -> None:
    file = tmp_path / "btc.json"
    file.write_text(
        json.dumps([[1_699_920_000_000, 70, 74, 69, 72], [1_700_006_400_000, 72, 75, 71, 73]])
    )
    said = Settings(dialect="coingecko", symbol="BTC", interval="1d")
    found = taken_in(file, said, 1_000).bars
    assert [str(bar[3].date()) for bar in found] == ["2023-11-13", "2023-11-14"]
