"""Every way through the merge against a slow oracle: a dict, one row at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.bars import SCHEMA
from loader.ingest import attempts
from loader.ingest.pipeline import load
from loader.ingest.run import LoadMode
from loader.read.sources import find
from loader.results import LoadResult
from loader.settings import RejectLimit, Settings
from loader.store import merge
from loader.store.compare import Diff
from loader.store.merge import early
from tests.conftest import compress, older_too

T0 = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
Key = tuple[str, str, str, datetime]
Values = tuple[float, float, float, float, float | None, float | None, int | None]


@dataclass
class Oracle:
    """The expected store, and the expected result of each load."""

    bars: dict[Key, Values] = field(default_factory=dict)
    revisions: list[tuple[Key, Values, Values]] = field(default_factory=list)

    def load(self, rows: list[dict[str, Any]]) -> Counter[str]:
        said: Counter[str] = Counter(read=len(rows))
        last: dict[Key, Values] = {}
        for row in rows:
            key = (row["provider"], row["symbol"].strip().upper(), row["interval"], row["ts"])
            if row["high"] < row["low"]:
                said["rejected"] += 1
                continue
            said["duplicate"] += key in last
            last[key] = (row["open"], row["high"], row["low"], row["close"], row["volume"],
                         row["vwap"], row["trade_count"])  # fmt: skip
        for key, new in last.items():
            old = self.bars.get(key)
            if old is None:
                said["inserted"] += 1
            elif old == new:
                said["unchanged"] += 1
            else:
                said["updated"] += 1
                self.revisions.append((key, old, new))
            self.bars[key] = new
        return said


@st.composite
def row(draw: st.DrawFn) -> dict[str, Any]:
    price = draw(st.sampled_from([10.0, 10.5, 11.0]))
    bad = draw(st.integers(0, 11)) == 0
    return {
        "provider": draw(st.sampled_from(["p", "q"])),
        "symbol": draw(st.sampled_from(["AA", "aa", " AA", "B.B"])),
        "interval": draw(st.sampled_from(["1m", "1d"])),
        "ts": None,
        "step": draw(st.integers(0, 7)),
        "open": price,
        "high": price + (-2 if bad else 1),
        "low": price - (-2 if bad else 1),
        "close": price,
        "volume": draw(st.sampled_from([None, 0.0, -0.0, 7.25])),
        "vwap": draw(st.sampled_from([None, 10.25])),
        "trade_count": draw(st.sampled_from([None, 3])),
    }


def stamped(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A daily bar lies on a midnight, a minute bar on a minute; far apart now and then, so that
    stored bars are read in several stretches."""
    out = []
    for raw in rows:
        one = dict(raw)
        step = one.pop("step")
        far = timedelta(days=40) if step > 4 else timedelta()
        if one["interval"] == "1d":
            one["ts"] = datetime(2024, 3, 4, tzinfo=UTC) + timedelta(days=step) + far
        else:
            one["ts"] = T0 + timedelta(minutes=step) + far
        out.append(one)
    return out


loads = st.lists(st.lists(row(), min_size=0, max_size=14).map(stamped), min_size=1, max_size=4)


def run(url: str, rows: list[dict[str, Any]], path: Path, **given: Any) -> LoadResult:
    pl.DataFrame(rows, schema={**SCHEMA}).write_parquet(path)
    asked = Settings(max_rejects=RejectLimit(share=1.0), force=True, **given)
    with find([str(path)]) as sources:
        return load(asked, url, sources)


def stored(url: str) -> tuple[dict[Key, Values], list[tuple[Key, Values, Values]], int]:
    values = "open, high, low, close, volume, vwap, trade_count"
    both = ", ".join(f"{side}_{v}" for side in ("old", "new") for v in values.split(", "))
    with psycopg.connect(url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        bars = connection.execute(
            f'SELECT provider, symbol, "interval", ts, {values} FROM bars_ohlcv'
        ).fetchall()
        revised = connection.execute(
            f'SELECT provider, symbol, "interval", ts, {both} FROM bars_ohlcv_revisions ORDER BY id'
        ).fetchall()
        (rejected,) = connection.execute("SELECT count(*) FROM bars_rejected").fetchone() or (0,)
    return (
        {r[:4]: r[4:] for r in bars},
        [(r[:4], r[4:11], r[11:]) for r in revised],
        rejected,
    )


WAYS: dict[str, LoadMode] = {
    "direct": LoadMode(),
    "partitioned": LoadMode(partition=True),
    "staged": LoadMode(direct=False),
    "staged and partitioned": LoadMode(partition=True, direct=False),
    "early": LoadMode(),
}


@pytest.mark.parametrize(
    "returns_old",
    [True, pytest.param(False, marks=older_too)],
    ids=["as it is", "before PostgreSQL 18"],
)
@pytest.mark.parametrize("way", WAYS)
@given(
    loads=loads,
    batch_rows=st.integers(1, 6),
    commit_every=st.sampled_from([None, None, 3]),
    packed=st.booleans(),
)
@settings(max_examples=20)
def test_every_way_ends_where_the_oracle_does(
    module_url: str,
    tmp_path: Path,
    way: str,
    returns_old: bool,
    loads: list[list[dict[str, Any]]],
    batch_rows: int,
    commit_every: int | None,
    packed: bool,
) -> None:
    """On a hypertable (`packed`) the bars of one load are compressed before the next one."""
    with psycopg.connect(module_url, autocommit=True) as connection:
        connection.execute("TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_rejected, "
                           "provider_symbols, job_run_files, job_runs CASCADE")  # fmt: skip
    oracle = Oracle()
    rejected = 0
    for n, rows in enumerate(loads):
        expected = oracle.load(rows)
        rejected += expected["rejected"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(attempts, "FIRST_MODE", WAYS[way])
            if way == "early":
                patch.setattr(early, "AT_ONCE", 1 + batch_rows % 3)
                patch.setattr(early, "FEW", 0.5 if packed else 1.0)
            if not returns_old:
                patch.setattr(merge, "returns_old", lambda _: False)
            result = run(
                module_url, rows, tmp_path / f"{n}.parquet",
                batch_rows=batch_rows, commit_every=commit_every,
            )  # fmt: skip
        assert result.status == "success", [f.error for f in result.files]
        if packed:
            compress(module_url)
        said = {f.name: getattr(result.counts, f.name) for f in fields(result.counts)}
        assert said == {name: expected[name] for name in said}
        bars, revisions, quarantined = stored(module_url)
        assert bars == oracle.bars
        assert sorted(revisions, key=repr) == sorted(oracle.revisions, key=repr)
        assert quarantined == rejected


def test_changed_bars_do_not_pile_up_behind_a_copy(
    module_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New bars keep the session in a COPY for a million rows: the changed ones wait on disk."""
    with psycopg.connect(module_url, autocommit=True) as connection:
        connection.execute("TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_rejected, "
                           "provider_symbols, job_run_files, job_runs CASCADE")  # fmt: skip
    monkeypatch.setattr(early, "AT_ONCE", 2)
    monkeypatch.setattr(early, "FEW", 1.0)
    takes, most = early.Early.takes, 0

    def watched(self: early.Early, diff: Diff) -> bool:
        nonlocal most
        taken = takes(self, diff)
        most = max(most, sum(frame.height for frame in self.waiting))
        return taken

    monkeypatch.setattr(early.Early, "takes", watched)
    bars = [
        {"provider": "p", "symbol": "AA", "interval": "1m", "ts": T0 + timedelta(minutes=minute),
         "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 5.0 + minute,
         "vwap": None, "trade_count": None}
        for minute in range(40)
    ]  # fmt: skip
    run(module_url, bars[::2], tmp_path / "stored.parquet")
    restated = [bar | {"volume": 6.0 + at} for at, bar in enumerate(bars)]
    result = run(module_url, restated, tmp_path / "restated.parquet", batch_rows=4)
    assert (result.counts.inserted, result.counts.updated) == (20, 20)
    assert 0 < most <= 4
    stored_bars, revisions, _ = stored(module_url)
    assert {key[3]: values[4] for key, values in stored_bars.items()} == {
        T0 + timedelta(minutes=minute): 6.0 + minute for minute in range(40)
    }
    assert len(revisions) == 20
