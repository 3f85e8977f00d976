"""The signs of the guard against a slow oracle, which knows only the table of signs: it compares
every changed bar with every stored one, in plain Python."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.bars import SCHEMA
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import LoadResult
from loader.settings import Settings
from tests.conftest import TIMESCALE, database

Bar = tuple[float, float, float, float, float]
Times = dict[datetime, Bar]
T0 = datetime(2024, 3, 4, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
LEAST, MOST_STEPS = 20, 26


# The oracle.


def sign(stored: Times, file: Times, others: Iterable[Times]) -> str | None:
    """What a file of one series of hours looks like."""
    changed = sorted(ts for ts in file if ts in stored and file[ts] != stored[ts])
    between = [ts for ts in file if ts not in stored and min(stored) < ts < max(stored)]
    if len(changed) + len(between) < LEAST:
        return None
    pairs = [(stored[ts], file[ts]) for ts in changed]
    return (
        _of_volumes(pairs)
        or _of_prices(pairs)
        or _of_amounts(pairs)
        or _of_times(stored, file, sorted(changed + between))
        or _of_others(file, changed, others)
    )


def _most(intervals: list[tuple[float, float]]) -> tuple[int, float]:
    """The point that most intervals have in common, and how many they are."""
    ends = sorted([(lo, -1) for lo, _ in intervals] + [(hi, 1) for _, hi in intervals])
    best, inside, at = 0, 0, 0.0
    for (here, kind), (there, _) in zip(ends, [*ends[1:], *ends[-1:]], strict=True):
        inside -= kind
        if inside > best:
            best, at = inside, (here + there) / 2
    return best, at


def _factor(old: list[float], new: list[float], half: float) -> tuple[float, float] | None:
    """The factors that explain all of these values within their rounding."""
    lo = max((n - half) / (o + half) for o, n in zip(old, new, strict=True))
    hi = min((n + half) / (o - half) for o, n in zip(old, new, strict=True))
    return (lo, hi) if lo <= hi else None


def _one_factor(pairs: list[tuple[Bar, Bar]], half: float) -> float | None:
    found = [_factor(list(o[:4]), list(n[:4]), half) for o, n in pairs]
    share, factor = _most([each for each in found if each])
    moves = sorted(abs(o[3] * (factor - 1)) for o, _ in pairs)[len(pairs) // 2]
    is_one = share >= 0.95 * len(pairs) and abs(factor - 1) > 5e-4 and moves > 6 * half
    return factor if is_one and len(pairs) >= LEAST else None


def _inverse(pairs: list[tuple[Bar, Bar]], factor: float) -> bool:
    near = min(0.01, abs(factor - 1) / 4)
    fit = sum(abs(n[4] * factor / o[4] - 1) <= near for o, n in pairs)
    return fit >= 0.95 * len(pairs)


def _of_prices(pairs: list[tuple[Bar, Bar]]) -> str | None:
    factor = _one_factor(pairs, 0.0051)
    if factor is None:
        return None
    if _inverse(pairs, factor):
        return "split"
    powers = (0.001, 0.01, 0.1, 10.0, 100.0, 1000.0)
    return "price_scale" if any(abs(factor / p - 1) < 1e-3 for p in powers) else "adjustment"


def _of_volumes(pairs: list[tuple[Bar, Bar]]) -> str | None:
    same = [(o, n) for o, n in pairs if o[:4] == n[:4]]
    if len(same) < max(LEAST, 0.95 * len(pairs)):
        return None
    found = [_factor([o[4]], [n[4]], 0.51) for o, n in same]
    share, factor = _most([each for each in found if each])
    return "volume_scale" if share >= 0.95 * len(same) and abs(factor - 1) > 0.01 else None


def _of_amounts(pairs: list[tuple[Bar, Bar]]) -> str | None:
    told = []
    for old, new in pairs:
        moved = [n - o for o, n in zip(old[:4], new[:4], strict=True)]
        lo, hi = max(moved) - 0.011, min(moved) + 0.011
        if lo <= hi:
            told.append((lo, hi))
    share, amount = _most(told)
    is_one = share >= 0.95 * len(pairs) and abs(amount) > 0.033
    return "difference" if is_one and len(pairs) >= LEAST else None


def _of_times(stored: Times, file: Times, hits: list[datetime]) -> str | None:
    by = Counter(
        steps
        for ts in hits
        for steps in range(-MOST_STEPS, MOST_STEPS + 1)
        if steps and stored.get(ts - steps * HOUR, (None,))[:4] == file[ts][:4]
    )
    return "shift" if by and max(by.values()) >= 0.8 * len(hits) else None


def _of_others(file: Times, changed: list[datetime], others: Iterable[Times]) -> str | None:
    for other in others:
        alike = sum(other.get(ts, (None,))[:4] == file[ts][:4] for ts in changed)
        if len(changed) >= LEAST and alike >= 0.9 * len(changed):
            return "other_series"
    return None


# What is tried.


def walk(chance: random.Random, bars: int) -> Times:
    ticks, found = chance.randint(3_000, 60_000), {}
    for n in range(bars):
        last, ticks = ticks, max(500, ticks + chance.randint(-60, 60))
        high, low = (
            max(last, ticks) + chance.randint(0, 20),
            min(last, ticks) - chance.randint(0, 20),
        )
        prices = [round(p / 100, 2) for p in (last, high, low, ticks)]
        found[T0 + n * HOUR] = (*prices, float(chance.randint(20_000, 90_000)))
    return found  # type: ignore[return-value]


def times(bars: Times, price: float, volume: float, until: datetime | None = None) -> Times:
    return {
        ts: (*(round(p * price, 2) for p in bar[:4]), float(round(bar[4] * volume)))  # type: ignore[misc]
        if until is None or ts < until
        else bar
        for ts, bar in bars.items()
    }


def plus(bars: Times, amount: float, until: datetime) -> Times:
    return {
        ts: (*(round(p + amount, 2) for p in bar[:4]), bar[4]) if ts < until else bar  # type: ignore[misc]
        for ts, bar in bars.items()
    }


CHANGES: Final = (
    "nothing", "walk", "shift", "price", "volume", "split", "dividend", "roll", "other", "some",
    "volumes",
)  # fmt: skip


def made(kind: str, seed: int) -> tuple[Times, Times, Times]:
    """Stored bars, a file, and what another symbol has."""
    chance = random.Random(f"{kind} {seed}")
    stored, other = (walk(chance, n := chance.choice([15, 24, 60, 150])), walk(chance, n))
    until = T0 + chance.choice([n, n, max(1, n - 30), n // 2]) * HOUR
    match kind:
        case "walk":
            file = walk(chance, n)
        case "shift":
            steps = chance.choice([-24, -6, -5, -1, 1, 2, 5, 7])
            file = {ts + steps * HOUR: bar for ts, bar in stored.items()}
        case "price":
            file = times(stored, chance.choice([10.0, 100.0, 1000.0, 0.1]), 1)
        case "volume":
            file = times(stored, 1, chance.choice([100.0, 10.0, 0.01, 0.1, 50.0]))
        case "split":
            by = chance.choice([2.0, 3.0, 4.0, 10.0, 0.5, 0.25, 0.1])
            file = times(stored, 1 / by, by, until)
        case "dividend":
            file = times(stored, chance.uniform(0.9, 0.995), 1, until)
        case "roll":
            file = plus(stored, chance.choice([-1, 1]) * chance.randint(20, 2_500) / 100, until)
        case "other":
            file = {ts: bar for ts, bar in other.items() if ts < until}
        case "some":
            file = {ts: walk(chance, 1)[T0] if chance.random() < 0.2 else bar
                    for ts, bar in stored.items()}  # fmt: skip
        case "volumes":
            file = {ts: (*bar[:4], bar[4] + chance.randint(1, 9_000)) for ts, bar in stored.items()}
        case _:
            file = dict(stored)
    # The guard looks at a part of the bars: near its threshold its sample decides.
    some = 0.55 if kind == "shift" else 0.3
    share = chance.choice([0.0, 0.0, some]) if kind not in ("nothing", "volumes") else 0
    return stored, {
        ts: walk(chance, 1)[T0] if chance.random() < share else bar for ts, bar in file.items()
    }, other  # fmt: skip


# Through the whole load.


@pytest.fixture(scope="module", params=["one table", "partitions"])
def module_url(request: pytest.FixtureRequest, server_url: str) -> Iterator[str]:
    if request.param == "partitions" and TIMESCALE:
        pytest.skip("a hypertable has partitions of its own")
    name = "template" if request.param == "one table" else "partitioned_template"
    with database(server_url, request.getfixturevalue(name)) as url:
        yield url


def run(url: str, path: Path, dry_run: bool = False, **series: Times) -> LoadResult:
    rows = [
        ("p", symbol, "1h", ts, *bar, None, None)
        for symbol, bars in series.items() for ts, bar in sorted(bars.items())
    ]  # fmt: skip
    pl.DataFrame(rows, schema={**SCHEMA}, orient="row").write_parquet(path)
    with find([str(path)]) as sources:
        return load(Settings(force=True, dry_run=dry_run, stamp="start"), url, sources)


@given(kind=st.sampled_from(CHANGES), seed=st.integers(0, 10_000))
@settings(max_examples=30)
def test_signs_are_those_of_the_oracle(
    module_url: str, tmp_path: Path, kind: str, seed: int
) -> None:
    stored, file, other = made(kind, seed)
    with psycopg.connect(module_url, autocommit=True) as connection:
        connection.execute("TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_loads, "
                           "provider_symbols, job_run_files, job_runs CASCADE")  # fmt: skip
    assert run(module_url, tmp_path / "stored.parquet", ALFA=stored, BETA=other).exit_code == 0
    (told,) = run(module_url, tmp_path / "file.parquet", dry_run=True, ALFA=file).files
    found = [finding.kind for finding in told.findings if finding.kind != "gone"]
    wanted = sign(stored, file, [other])
    assert found == ([wanted] if wanted else []), [f.text for f in told.findings]
    reported = ("split", "adjustment", "difference", None)
    assert told.state == ("loaded" if wanted in reported else "refused")


def test_the_oracle_has_a_word_for_each_change() -> None:
    """Each kind is found, and none where nothing of the table is there. The prices of few bars may
    hardly move, so that a factor explains an amount."""
    found = {kind: {sign(*made(kind, seed)[:2], [made(kind, seed)[2]]) for seed in range(40)}
             for kind in CHANGES}  # fmt: skip
    assert found["nothing"] == found["walk"] == found["some"] == found["volumes"] == {None}
    named = {"shift": "shift", "price": "price_scale", "volume": "volume_scale", "split": "split",
             "dividend": "adjustment", "roll": "difference", "other": "other_series"}  # fmt: skip
    for kind, word in named.items():
        assert word in found[kind]
        assert found[kind] <= {word, None, "adjustment" if kind == "roll" else None}
