"""A file with fewer rows than when it was last loaded: half of last night's dump."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loader.bars import SCHEMA
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import FileResult
from loader.settings import RejectLimit, Settings

T0 = datetime(2024, 3, 4, tzinfo=UTC)


def minutes(symbol: str, count: int) -> list[dict[str, Any]]:
    return [
        {
            "provider": "p", "symbol": symbol, "interval": "1m", "ts": T0 + timedelta(minutes=n),
            "open": 10.0 + n, "high": 11.0 + n, "low": 9.0 + n, "close": 10.5 + n,
        }
        for n in range(count)
    ]  # fmt: skip


#: A night's dump of two series.
WHOLE = minutes("ALFA", 100) + minutes("BETA", 100)


def night(url: str, path: Path, rows: list[dict[str, Any]], **given: Any) -> FileResult:
    columns = {name: SCHEMA[name] for name in rows[0]}
    pl.DataFrame(rows, schema=columns).write_parquet(path)
    with find([str(path)]) as sources:
        (file,) = load(Settings(job_name="night", **given), url, sources).files
    return file


HALVES = {
    "the first half of each series": [row for row in WHOLE if row["ts"].minute < 50 and
                                      row["ts"].hour == 0],
    "the first of two series": WHOLE[:100],
    "the first lines": WHOLE[:140],
}  # fmt: skip


@pytest.mark.parametrize("every", [None, 30], ids=["whole", "parts"])
@pytest.mark.parametrize("half", HALVES)
def test_half_of_a_dump_is_noted(
    emptied_url: str, tmp_path: Path, half: str, every: int | None
) -> None:
    path, rows = tmp_path / "night.parquet", HALVES[half]
    assert night(emptied_url, path, WHOLE).findings == ()
    for dry_run in (True, False):
        file = night(emptied_url, path, rows, dry_run=dry_run, commit_every=every)
        assert (file.state, file.counts.unchanged) == ("loaded", len(rows))
        (found,) = file.findings
        assert (found.kind, found.action) == ("shorter", "noted")
        assert [found.evidence[name] for name in ("rows", "rows_before")] == [len(rows), 200]
        assert found.text.startswith(f"the file has {len(rows)} rows, and had 200 when run ")
        assert file.notes[-1].text == found.text


def test_it_is_refused_if_more_is_lacking_than_may_be_gone(
    emptied_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "night.parquet"
    night(emptied_url, path, WHOLE)
    for allowed in ("60", "30%"):
        file = night(
            emptied_url, path, WHOLE[:140], dry_run=True, max_gone=RejectLimit.parse(allowed)
        )
        assert (file.state, file.findings[0].action) == ("loaded", "noted")
    for allowed in ("59", "29%"):
        limit = RejectLimit.parse(allowed)
        file = night(emptied_url, path, WHOLE[:140], max_gone=limit)
        assert (file.state, file.exit_code) == ("refused", 4)
        assert f"60 fewer are more than --max-gone {allowed} allows" in str(file.error)
        assert "--accept shorter" in str(file.hint)
    file = night(emptied_url, path, WHOLE[:140], max_gone=limit, accept=("shorter",))
    assert (file.state, file.findings[0].action) == ("loaded", "accepted")


QUIET = {
    "nineteen rows fewer": WHOLE[:181],
    "another stretch of time": [row for row in WHOLE if row["ts"] > T0],
    "more": WHOLE + minutes("GAMA", 100),
    "bars gone, which say it": [row for row in WHOLE if row["ts"].minute % 4 != 1],
}


@pytest.mark.parametrize("case", QUIET)
def test_other_files_are_as_long_as_they_like(emptied_url: str, tmp_path: Path, case: str) -> None:
    path = tmp_path / "night.parquet"
    night(emptied_url, path, WHOLE)
    file = night(emptied_url, path, QUIET[case])
    assert (file.state, [f for f in file.findings if f.kind != "gone"]) == ("loaded", [])


def test_other_settings_are_another_file(emptied_url: str, tmp_path: Path) -> None:
    path = tmp_path / "night.parquet"
    night(emptied_url, path, WHOLE)
    assert night(emptied_url, path, WHOLE[:100], provider="q").findings == ()
