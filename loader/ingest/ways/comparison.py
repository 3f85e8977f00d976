"""A file that was inspected, compared with the stored bars."""

from __future__ import annotations

from dataclasses import replace

from loader.errors import TooManyRejects
from loader.ingest.pipeline import load
from loader.ingest.ways.inspection import Inspection
from loader.read.sources import Source
from loader.settings import Settings


def compared(seen: Inspection, source: Source, settings: Settings, url: str) -> Inspection:
    """The inspection with the result of a dry run of the whole file, if it can be read.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    if seen.error is not None and not isinstance(seen.error, TooManyRejects):
        return seen
    (result,) = load(replace(settings, dry_run=True), url, [source]).files
    return replace(seen, error=None, result=result)
