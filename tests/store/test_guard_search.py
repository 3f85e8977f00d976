"""When the guard looks for the bars of a file elsewhere in the store."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import polars as pl
import pytest

from loader.db.arrow import Connection
from loader.store.guard.signs import signs
from loader.store.guard.watch import EVIDENCE

T0 = datetime(2024, 3, 4, tzinfo=UTC)
BARS = 30


class Looked(Exception):
    pass


def session() -> AbstractContextManager[Connection]:
    def looked() -> NoReturn:
        raise Looked

    return looked()


def evidence(closes: dict[int, float]) -> pl.DataFrame:
    """Restated volumes, and some closes."""
    rows = [
        ("p", "ALFA", "1h", T0 + n * timedelta(hours=1),
         9.0, 12.0, 8.0, closes.get(n, 10.0 + n / 100), n % 7 + 1.0,
         9.0, 12.0, 8.0, 10.0 + n / 100, n % 5 + 100.0)
        for n in range(BARS)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=EVIDENCE, orient="row")


def seen(changed: pl.DataFrame) -> list[object]:
    counts = {"bars": BARS, "new": 0, "found": BARS, "changed": BARS, "between": 0,
              "adjacent": BARS - 1, "gone": 0}  # fmt: skip
    series = pl.DataFrame([{"provider": "p", "symbol": "ALFA", "interval": "1h", **counts}])
    return list(signs(series, [changed], BARS, session).seen)


def test_bars_that_keep_their_prices_are_looked_for_nowhere() -> None:
    assert seen(evidence({})) == []
    with pytest.raises(Looked):
        seen(evidence({7: 11.0}))
