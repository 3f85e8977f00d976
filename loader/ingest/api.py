"""`load` for programs: what `mdload backfill` does, as one call."""

from __future__ import annotations

import os
from collections.abc import Iterable

from loader.events import Listener
from loader.ingest import pipeline
from loader.read.sources import find
from loader.results import LoadResult
from loader.settings import Settings


def load(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    dsn: str,
    settings: Settings | None = None,
    *,
    listeners: Iterable[Listener] = (),
) -> LoadResult:
    """Loads bars from files into a database and records it as one job run.

    Args:
        sources: one or several of what `mdload backfill` takes: a path, a glob, a folder, a URL
            (`s3://`, `gs://`, `az://`, `https://`), or `-` for standard input.
        dsn: a libpq URL or connection string. The tables must be there: see `mdload migrate`.
        settings: how to read the files and what to do with them; the defaults are those of
            `mdload backfill`.
        listeners: called with each event of the load; a `Metrics` counts them for Prometheus.

    Returns:
        the run's id and status, and for every file its counts: each row that was read is
        inserted, updated, unchanged, duplicate, skipped or rejected. A file that could not be
        loaded is there with its error and does not stop the others: check `exit_code`.

    Raises:
        NotThere: a source names nothing.
        UnreadableFile: a source is not a file, or cannot be reached.
        SettingsError, UnknownDialect: a setting is wrong whatever the files are.
        ForkedProcess: this process was forked from one that had used mdload; see
            docs/store-client.md.
        DatabaseError: the run could not be recorded.
    """
    named = [sources] if isinstance(sources, str | os.PathLike) else sources
    with find([os.fspath(source) for source in named]) as found:
        return pipeline.load(settings or Settings(), dsn, found, listeners)
