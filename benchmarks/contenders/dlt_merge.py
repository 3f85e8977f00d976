"""dlt, with Arrow tables for rows, Parquet files over ADBC, and the merge strategy `upsert`.

dlt makes its own table, with two columns of its own (`_dlt_load_id`, `_dlt_id`) and no key on it;
`dlt-keyed` has the bars' primary key enforced there. Source: dlt's manual on merge loading
("upsert"), on Arrow tables as rows, and on its Postgres destination (Parquet over ADBC).

Many files are one run of the pipeline, with one table of rows for each, and are committed together:
a run for each file takes more than a second.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.contenders.contender import Contender, Job, script

_TABLE = "dlt_bars.bars_ohlcv"
_KEY = ("provider", "symbol", "interval", "ts")


def _environment(job: Job) -> Mapping[str, str]:
    return _settings(job.directory)


def _settings(directory: Path) -> dict[str, str]:
    return {
        "DLT_DATA_DIR": str(directory),
        "DLT_PROJECT_DIR": str(directory),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
    }


def _prepare(url: str, file: Path | None, directory: Path, *, keyed: bool) -> None:
    """Lets dlt make its own table: empty, or with the bars of `file`."""
    import psycopg

    from benchmarks.data_files import write_parquet
    from benchmarks.made_bars import Stretch, Universe

    if not keyed and file is None:
        return
    loaded = file or directory / "one.parquet"
    if file is None:
        write_parquet(Stretch(Universe(1), 0, 1).frames(), loaded)
    command = [sys.executable, "-m", __name__, url, str(loaded)]
    subprocess.run(command, check=True, env={**os.environ, **_settings(directory)})
    with psycopg.connect(url) as connection:
        if keyed:
            connection.execute(f"ALTER TABLE {_TABLE} ADD PRIMARY KEY ({', '.join(_KEY)})")
        if file is None:
            connection.execute(f"TRUNCATE {_TABLE}")


def _prepare_keyed(url: str, file: Path | None, directory: Path) -> None:
    _prepare(url, file, directory, keyed=True)


def _prepare_plain(url: str, file: Path | None, directory: Path) -> None:
    _prepare(url, file, directory, keyed=False)


CONTENDERS = (
    Contender(
        name="dlt",
        title="dlt upsert, no key on its table",
        command=script(__name__),
        environment=_environment,
        modules=("dlt",),
        table=_TABLE,
        many=script(__name__),
        many_title="dlt, upsert; all files in one run",
        prepare=_prepare_plain,
    ),
    Contender(
        name="dlt-keyed",
        title="dlt upsert, key enforced",
        command=script(__name__),
        environment=_environment,
        modules=("dlt",),
        table=_TABLE,
        prepare=_prepare_keyed,
    ),
)


def load(url: str, *paths: str) -> None:
    import dlt

    from benchmarks.contenders import bar_file

    @dlt.resource(
        name="bars_ohlcv",
        primary_key=_KEY,
        write_disposition={"disposition": "merge", "strategy": "upsert"},
    )
    def bars():
        for path in paths:
            yield bar_file.read(path).to_arrow()

    # dlt requires a host and a password; libpq uses the socket in the query and needs neither.
    credentials = url.replace("postgres@/", "postgres:none@localhost:5432/")
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        destination=dlt.destinations.postgres(credentials),
        dataset_name="dlt_bars",
    )
    pipeline.run(bars(), loader_file_format="parquet").raise_on_failed_jobs()


if __name__ == "__main__":
    load(*sys.argv[1:])
