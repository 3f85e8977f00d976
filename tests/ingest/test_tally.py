"""The counts of checked rows over several batches, and where a file is cut into parts."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from loader import bars
from loader.check.unique import UniqueBatch
from loader.ingest.pieces import in_parts
from loader.ingest.tally import Tally
from loader.store import spellings
from loader.store.compare import PendingDiff

EARLY, MIDDLE, LATE = (datetime(2024, 3, day, tzinfo=UTC) for day in (4, 5, 6))
NONE = pl.DataFrame(schema=bars.SCHEMA)


def series(*rows: tuple[str, datetime, datetime]) -> pl.DataFrame:
    given = [("p", symbol, "1m", lo, hi, 1) for symbol, lo, hi in rows]
    schema = {**dict.fromkeys(bars.SERIES, pl.String()), "lo": bars.TS, "hi": bars.TS}
    return pl.DataFrame(given, schema={**schema, "rows": pl.Int64()}, orient="row")


def spelled(*pairs: tuple[str, str]) -> pl.DataFrame:
    rows = [("p", source, symbol, "plain") for source, symbol in pairs]
    return pl.DataFrame(rows, schema=spellings.SCHEMA, orient="row")


def test_counts_add_up_over_batches() -> None:
    tally = Tally()
    tally.add(
        UniqueBatch(
            NONE, series(("AA", MIDDLE, LATE), ("BB", EARLY, EARLY)), read=10, skipped=2,
            last_row=10, seen=10, bad=pl.DataFrame({"row_number": [3, 4]}),
            rejected={"price_missing": 2, "high_below_low": 1},
            spellings=spelled(("aa", "AA"), ("bb", "BB")), duplicate=3, conflicting=2,
            conflicts=("first",),
        )
    )  # fmt: skip
    tally.add(
        UniqueBatch(
            NONE, series(("AA", MIDDLE, MIDDLE)), read=5, skipped=1, last_row=7, seen=4,
            bad=pl.DataFrame({"row_number": [9]}), rejected={"price_missing": 1},
            spellings=spelled(("aa", "AA"), ("Aa", "AA")), duplicate=1, conflicting=1,
            conflicts=("second",),
        )
    )  # fmt: skip
    assert (tally.read, tally.skipped, tally.duplicate, tally.rejected) == (15, 3, 4, 3)
    assert (tally.conflicting, tally.conflicts) == (3, ["first", "second"])
    assert tally.rules == {"price_missing": 3, "high_below_low": 1}
    assert (tally.min_ts, tally.max_ts) == (EARLY, LATE)
    assert (tally.symbols, tally.providers, tally.intervals) == ({"AA", "BB"}, {"p"}, {"1m"})
    assert (tally.covered, tally.seen) == (10, 10)  # a batch out of a partition may go back
    assert tally.spellings is not None
    assert sorted(tally.spellings["source_symbol"]) == ["Aa", "aa", "bb"]


def test_of_conflicts_only_the_first_are_listed() -> None:
    tally = Tally()
    for number in range(15):
        names = (f"{number}a", f"{number}b")
        tally.add(UniqueBatch(NONE, series(), conflicting=2, conflicts=names))
    assert tally.conflicting == 30
    assert tally.conflicts == [f"{n}{letter}" for n in range(10) for letter in "ab"]


def test_a_batch_without_good_bars_has_no_span() -> None:
    tally = Tally()
    tally.add(UniqueBatch(NONE, series(), read=1, bad=pl.DataFrame({"row_number": [1]})))
    assert (tally.min_ts, tally.max_ts, tally.symbols) == (None, None, set())


def test_parts_end_where_their_rows_have_been_read() -> None:
    pieces = (PendingDiff(UniqueBatch(NONE, series(), read=read)) for read in (4, 6, 10, 3, 7, 1))
    parts = [[piece.unique.read for piece in part] for part in in_parts(pieces, 10)]
    assert parts == [[4, 6], [10], [3, 7], [1]]
