"""Every dataset against an oracle in plain Python: what a series of files comes to, row for row and
count for count."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loader.results import Counts
from tests.conftest import database
from tests.support.tenants import added, loaded, stored, with_tenants, written

Row = dict[str, Any]
DAY = datetime(2024, 1, 2, tzinfo=UTC)
_NAMES = itertools.count()


@pytest.fixture(scope="module")
def url(server_url: str, template: str) -> Iterator[str]:
    with database(server_url, template) as made:
        with_tenants(made)
        yield made


def price(low: int = 1, high: int = 3) -> st.SearchStrategy[Decimal]:
    """With all eight decimals, and near each other, so that rows repeat."""
    return st.sampled_from([low, high]).map(lambda n: Decimal(n) + Decimal("0.00000001"))


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


TIMES = st.integers(0, 2).map(lambda n: DAY + timedelta(days=n))
ROWS: dict[str, st.SearchStrategy[Row]] = {
    "bars": st.fixed_dictionaries({
        "symbol": st.sampled_from("AB"), "timeframe": st.sampled_from(["1d", "1h"]), "ts": TIMES,
        "open": price(2, 3), "high": price(5, 6), "low": price(1, 2), "close": price(3, 4),
        "volume": optional(st.sampled_from([0, 2**62])),
    }),
    "news": st.fixed_dictionaries({
        "published_at": TIMES, "title": st.sampled_from(["Up", "Down"]),
        "url": optional(st.sampled_from(["https://x/1", "https://x/2"])),
        "symbol": optional(st.sampled_from("AB")), "body": optional(st.just("text")),
    }),
    "options_snap": st.fixed_dictionaries({
        "symbol": st.just("A"), "ts": TIMES, "expiry": st.just(date(2024, 3, 15)),
        "option_type": st.sampled_from("CP"), "strike": price(100, 101),
        "iv": optional(st.sampled_from([Decimal("0.12345678"), Decimal("0.5")])),
        "oi": optional(st.integers(0, 1)),
    }),
}  # fmt: skip
KEYS = {
    "bars": lambda row: (row["symbol"], row["timeframe"], row["ts"]),
    "news": lambda row: (row["published_at"], row["url"] or f"title {row['title']}"),
    "options_snap": lambda row: (row["symbol"], row["expiry"], row["option_type"], row["strike"],
                                 row["ts"]),
}  # fmt: skip


def expected(rows: list[Row], store: dict[Any, Row], key: Any) -> Counts:
    """Merges the rows into `store`; the last one of a key counts."""
    last = {key(row): row for row in rows}
    inserted = sum(k not in store for k in last)
    updated = sum(k in store and store[k] != row for k, row in last.items())
    store.update(last)
    unchanged = len(last) - inserted - updated
    return Counts(len(rows), inserted, updated, unchanged, len(rows) - len(last))


def cells(row: Row) -> Row:
    return {
        name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()
    }


@pytest.mark.parametrize("dataset", ROWS)
@settings(max_examples=8)
@given(data=st.data())
def test_the_last_row_of_a_key_counts(url: str, dataset: str, data: st.DataObject) -> None:
    tenant, store = added(url, f"{dataset}{next(_NAMES)}"), {}
    files = data.draw(st.lists(st.lists(ROWS[dataset], min_size=1, max_size=6), max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        for rows in files:
            path = written(Path(folder), map(cells, rows))
            batch = data.draw(st.sampled_from([2, 100]))  # keys repeat across batches too
            given_ = {"provider": "p", "force": True, "batch_rows": batch}
            dry = loaded(url, dataset, tenant, path, **given_, dry_run=True)
            done = loaded(url, dataset, tenant, path, **given_)
            assert done.error is None
            assert done.counts == dry.counts == expected(rows, store, KEYS[dataset])
    if files:
        names = list(files[0][0])
        found = stored(url, tenant, f"SELECT {', '.join(names)} FROM {dataset}")
        assert sorted(map(repr, found)) == sorted(
            repr(tuple(row[name] for name in names)) for row in map(as_stored, store.values())
        )


def as_stored(row: Row) -> Row:
    """With the scale that a column gives its numbers."""
    scaled = {"iv": Decimal("1e-8")}
    return {
        name: value.quantize(scaled[name]) if name in scaled and value is not None else value
        for name, value in row.items()
    }


FIRST = datetime(2023, 8, 1, tzinfo=UTC)
FILINGS = st.fixed_dictionaries({
    "symbol": st.sampled_from("AB"),
    "asof": st.sampled_from([date(2023, 3, 31), date(2023, 6, 30)]),
    "filed_at": st.integers(0, 4).map(lambda n: FIRST + n * timedelta(30)),
    "eps": st.sampled_from([Decimal("1.0001"), Decimal("-2.5000")]),
})  # fmt: skip


def filing(at: int, eps: str) -> Row:
    return {"symbol": "A", "asof": date(2023, 3, 31), "filed_at": FIRST + at * timedelta(30),
            "eps": Decimal(eps)}  # fmt: skip


# A file corrects the stored filing, or repeats it, and brings a newer one.
@example(files=[[filing(0, "1.0001")], [filing(0, "-2.5000"), filing(1, "1.0001")]])
@example(files=[[filing(0, "1.0001")], [filing(0, "1.0001"), filing(1, "1.0001")]])
@settings(max_examples=12)
@given(files=st.lists(st.lists(FILINGS, min_size=1, max_size=5), min_size=1, max_size=4))
def test_filings_come_in_any_order_and_nothing_is_known_early(
    url: str, files: list[list[Row]]
) -> None:
    """The oracle keeps every version that was ever told; of one filing time the last one told."""
    tenant = added(url, f"filings{next(_NAMES)}")
    told: dict[tuple[str, date, datetime], Decimal] = {}
    with tempfile.TemporaryDirectory() as folder:
        for rows in files:
            path = written(Path(folder), map(cells, rows))
            last = {(r["symbol"], r["asof"], r["filed_at"]): r["eps"] for r in rows}
            dry = loaded(url, "fundamentals", tenant, path, provider="p", force=True, dry_run=True)
            done = loaded(url, "fundamentals", tenant, path, provider="p", force=True)
            counts = done.counts
            assert done.error is None
            assert counts == dry.counts
            unchanged = sum(told.get(key) == eps for key, eps in last.items())
            assert (counts.read, counts.duplicate, counts.unchanged) == (
                len(rows), len(rows) - len(last), unchanged,
            )  # fmt: skip
            told.update(last)
    for day in range(-1, 6):
        at = FIRST + day * timedelta(30)
        known = {(s, a): (told[s, a, f], f) for s, a, f in sorted(told) if f <= at}
        found = stored(
            url, tenant, "SELECT symbol, asof, eps, known_at FROM fundamentals_as_of(%s)", at
        )
        assert {(s, a): (eps, f) for s, a, eps, f in found} == known
        assert len(found) == len(known)
    newest = {(s, a): (told[s, a, f], f) for s, a, f in sorted(told)}
    current = stored(url, tenant, "SELECT symbol, asof, eps, filed_at FROM fundamentals")
    assert {(s, a): (eps, f) for s, a, eps, f in current} == newest
