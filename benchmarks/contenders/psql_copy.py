r"""psql: a `\copy` of CSV for each of many files, in one session that commits after each.

For a single file it is the floor with text in place of the binary protocol, so it takes part only
with many. Source: PostgreSQL's manual, "psql", `\copy`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.contenders.contender import Contender, Job
from benchmarks.contenders.upsert_sql import COLUMNS


def _many(job: Job) -> list[str]:
    lines = [
        f"\\copy bars_ohlcv ({', '.join(COLUMNS)}) FROM '{file}' WITH (FORMAT csv, HEADER)"
        for file in job.files
    ]
    script = job.directory / "copy.sql"
    script.write_text("".join(f"{line}\n" for line in lines))
    return [str(_PSQL), job.url, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(script)]


_PSQL = Path(shutil.which("psql") or "psql")

CONTENDER = Contender(
    name="psql",
    title="psql, \\copy",
    command=_many,
    program=str(_PSQL),
    merges=False,
    formats=("csv",),
    cases=frozenset({"files"}),
    many=_many,
    many_title="psql, \\copy of CSV; per file",
)
