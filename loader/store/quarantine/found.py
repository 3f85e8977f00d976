"""Rejected rows, found again: how many by run, file and rule, and the rows with their raw text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

import polars as pl

from loader.db.arrow import Connection
from loader.errors import UnknownRun
from loader.lazy import dataclass

State = Literal["waiting", "replayed", "superseded"]


@dataclass(frozen=True, slots=True)
class RejectFilter:
    """Which rejects are meant; what is None or empty asks nothing.

    Attributes:
        runs: that rejected them.
        rules: of which they broke one at least.
        states: `waiting`, `replayed` (a replay got them in), or `superseded` (a bar is stored under
            their key since).
        path: the end of the name of their file.
        since, until: when they were rejected, both included.
    """

    runs: Sequence[int] = ()
    rules: Sequence[str] = ()
    states: Sequence[State] = ()
    symbols: Sequence[str] = ()
    provider: str | None = None
    interval: str | None = None
    path: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def wanted(self) -> str:
        """As the queries read it."""
        values: dict[str, Any] = {}
        for name, value in asdict(self).items():
            if isinstance(value, datetime):
                values[name] = value.isoformat()
            else:
                values[name] = value if isinstance(value, str) else list(value or []) or None
        return json.dumps(values, ensure_ascii=False)


def by_rule(connection: Connection, asked: RejectFilter) -> pl.DataFrame:
    """By run, file and rule: `run_id`, `file_id`, `path` (null: of a program or a feed), `rule`,
    `rows`, and how many of them are `waiting`, `replayed` and `superseded`; `rejected_at` (UTC).
    Newest run first. A row that broke several rules is in several lines."""
    _ask(connection, asked)
    return _utc(connection.frame("rejects_by_rule"))


def rows(
    connection: Connection, asked: RejectFilter, limit: int | None = None
) -> Iterator[pl.DataFrame]:
    """The rejects in the order of run, file and row, some thousands at a time: `id`, `run_id`,
    `file_id`, `path`, `row_number`, `rules`, `raw` (JSON), the key as far as it is known,
    `created_at` (UTC), `state`, `replayed_by` and `superseded_by` (runs)."""
    _ask(connection, asked)
    connection.run("rejects_limit", None if limit is None else str(limit))
    for frame in connection.frames("rejects_rows"):
        if frame.height:
            yield _utc(frame)


def insist_on_runs(connection: Connection, runs: Iterable[int]) -> None:
    """
    Raises:
        UnknownRun: there is no such run.
    """
    for run_id in runs:
        if not connection.frame("job_run_labels", run_id).height:
            raise UnknownRun(f"there is no job run {run_id}", hint="see them: mdload job-runs list")


def readings(connection: Connection, files: Sequence[int]) -> dict[int, dict[str, Any]]:
    """By the file's id: its `path`, `run_id`, `dialect`, and `reading`, how it was read (None where
    an older mdload rejected its rows)."""
    found = connection.frame("rejects_readings", json.dumps(list(files)))
    return {
        row["id"]: {
            **row,
            "reading": None if row["reading"] is None else json.loads(row["reading"]),
        }
        for row in found.iter_rows(named=True)
    }


def _ask(connection: Connection, asked: RejectFilter) -> None:
    connection.run("past_set", None, None)  # scans of tables are allowed
    connection.run("wanted_set", asked.wanted)


def _utc(frame: pl.DataFrame) -> pl.DataFrame:
    times = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    return frame.with_columns(pl.col(times).cast(pl.Datetime("us", "UTC"))) if times else frame
