"""--recompress where there is nothing to compress: files in order of time, and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from loader.bars import SCHEMA
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import Counts
from loader.settings import Settings
from tests.conftest import plain_only

pytestmark = plain_only
T0 = datetime(2020, 1, 2, tzinfo=UTC)


def test_a_plain_table_is_loaded_the_same(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    rows = [
        ("p", symbol, "1d", T0 + timedelta(days=n), *[1.0] * 4, None, None, None)
        for symbol in ("A", "B")
        for n in range(30)
    ]
    pl.DataFrame([*rows, rows[0]], schema={**SCHEMA}, orient="row").write_parquet(path)
    for counts in (
        Counts(61, inserted=60, duplicate=1),
        Counts(61, unchanged=60, duplicate=1),
    ):
        settings = Settings(recompress=True, commit_every=20, batch_rows=7, force=True)
        with find([str(path)]) as sources:
            result = load(settings, database_url, sources)
        assert result.counts == counts, result.files[0].error
        assert result.chunks == ()
