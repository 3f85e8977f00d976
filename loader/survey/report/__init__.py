"""What `mdload report` shows, gathered: coverage, changes, runs, rejects, bars of some series.

Counts come from the index of the key and from the ledger; bars are read of the pictured series
only, and for a comparison with a pin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from loader.db.arrow import Connection
from loader.db.rows import Session
from loader.lazy import dataclass
from loader.store.versions.instants import Instant
from loader.store.versions.past import read_at
from loader.survey.report.asked import Asked
from loader.survey.report.candles import Candles, candles
from loader.survey.report.compare import Compared, compared
from loader.survey.report.coverage import Covered, covered
from loader.survey.report.overview import Overview, overview
from loader.survey.report.rejects import Rejects, rejects
from loader.survey.report.runs import Runs, runs
from loader.survey.report.vintages import Vintages, vintages

__all__ = ["Asked", "Report", "as_object", "gather"]


@dataclass(frozen=True, slots=True)
class Report:
    """The data of the seven pages, as of `now` (UTC); `compare` is None unless asked for."""

    now: datetime
    since: datetime | None
    database: str
    at: str | None
    overview: Overview
    coverage: Covered
    vintages: Vintages
    runs: Runs
    rejects: Rejects
    series: list[Candles]
    compare: Compared | None


def gather(
    connection: Connection,
    session: Session,
    asked: Asked,
    now: Instant,
    another: Callable[[], Connection] | None = None,
) -> Report:
    """Reads all that the report shows; a comparison ends at `now`. `another` opens connections, to
    share thousands of series out among them.

    Raises:
        SettingsError: the calendar does not exist, or does not cover the span.
        NothingStored: a series that was named is not stored.
        DatabaseError: the server failed.
    """
    read_at(connection, asked.at)
    coverage = covered(connection, asked, another)
    ran = runs(session, asked)
    changed = vintages(connection, session, asked, ran.findings)
    refused = rejects(session, ran.ids, sum(run["rows_failed"] for run in ran.runs))
    series = candles(connection, session, asked, coverage, changed)
    connection.bars = None
    return Report(
        now=asked.now,
        since=asked.since,
        database=session.database,
        at=asked.at.label if asked.at else None,
        overview=overview(coverage, ran, changed, refused),
        coverage=coverage,
        vintages=changed,
        runs=ran,
        rejects=refused,
        series=series,
        compare=compared(connection, asked, now),
    )


def as_object(report: Report) -> dict[str, Any]:
    """The report as JSON has it; durations in seconds."""
    found = asdict(report)
    cells = found["coverage"].pop("cells")
    found["coverage"]["cells"] = cells and {
        "from": cells["origin"], "cell_seconds": cells["step"].total_seconds(),
        "count": cells["many"],
    }  # fmt: skip
    found["vintages"]["bin_seconds"] = found["vintages"].pop("bin").total_seconds()
    return found
