"""pgloader: CSV into an unlogged staging table with its COPY, then `AFTER LOAD` the usual upsert.

It reads no Parquet, so it gets the same bars as CSV. Source: pgloader's manual, "Loading CSV data".
"""

from __future__ import annotations

from benchmarks.contenders.contender import Contender, Job
from benchmarks.contenders.upsert_sql import COLUMNS, UPSERT

_SCRIPT = """
LOAD CSV FROM '{file}' HAVING FIELDS ({columns})
INTO {url}
TARGET TABLE public.stage TARGET COLUMNS ({columns})
WITH skip header = 1, fields terminated by ',', fields optionally enclosed by '"'
BEFORE LOAD DO
$$ CREATE UNLOGGED TABLE stage AS SELECT {columns} FROM bars_ohlcv WITH NO DATA; $$
AFTER LOAD DO
$$ ANALYZE stage; $$,
$$ {upsert}; $$,
$$ DROP TABLE stage; $$;
"""


def _command(job: Job) -> list[str]:
    from urllib.parse import parse_qs, urlsplit

    url = urlsplit(job.url)
    host = parse_qs(url.query)["host"][0]
    script = job.directory / "bars.load"
    script.write_text(
        _SCRIPT.format(
            file=job.file,
            url=f"postgresql://postgres@unix:{host}:5432{url.path}",
            columns=", ".join(COLUMNS),
            upsert=UPSERT,
        )
    )
    return ["pgloader", "--quiet", "--root-dir", str(job.directory), str(script)]


CONTENDER = Contender(
    name="pgloader",
    title="pgloader (CSV), staging table, ON CONFLICT",
    command=_command,
    program="pgloader",
    formats=("csv",),
)
