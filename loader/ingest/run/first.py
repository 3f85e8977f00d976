"""The first load: one file has the empty table for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from loader.db.arrow import Connection
from loader.errors import Contended
from loader.read.formats import Reading
from loader.read.sources import Source
from loader.store.merge import first_load

if TYPE_CHECKING:
    from loader.ingest.run import LoadMode, LoadRun

#: Bytes of a row, to estimate the rows of a file that does not say.
_ROW_BYTES: Final = 80


@contextmanager
def table_alone(
    run: LoadRun, source: Source, reading: Reading, mode: LoadMode
) -> Iterator[Connection | None]:
    """A session with a transaction that has the empty table for itself; None if it cannot be had at
    once, or if it would not pay. No other session of the load may ask for bars meanwhile.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    rows = reading.rows or source.size_bytes // _ROW_BYTES
    whole = run.run_id is not None and not run.settings.commit_every
    if not (whole and mode.direct) or rows < first_load.FEWEST:
        yield None
        return
    with ExitStack() as held:
        writer = None
        with suppress(Contended), ExitStack() as trying:
            session = trying.enter_context(run.connection())
            if first_load.hold(session):
                writer = session
                held.push(trying.pop_all())
        yield writer
