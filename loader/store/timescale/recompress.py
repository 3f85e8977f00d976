"""Compresses chunks again, after a load or when somebody asks, and refreshes rollups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from threading import Lock
from typing import Final

from loader.db.arrow import Connection
from loader.db.rows import Session
from loader.errors import DatabaseError
from loader.lazy import dataclass
from loader.results import ChunkWrites
from loader.store.timescale.chunks import HourCounts, Touched, chunked, chunks, touched

#: Rows that may be uncompressed before compression catches up: about 300 MB.
_ROWS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Beside:
    """A compressed chunk with `bytes` of rows, or of dead space, beside what is compressed. `lo` is
    its first instant, `hi` the first one after it."""

    chunk: str
    lo: datetime
    hi: datetime
    bytes: int


@dataclass(frozen=True, slots=True)
class Recompressed:
    """What became of a chunk: the bytes that lie beside it now, or the server's message."""

    chunk: Beside
    left: int
    error: str | None = None


def beside(session: Session, since: datetime | None = None) -> list[Beside]:
    """The compressed chunks that a load has written into, in order of time; those that end after
    `since`."""
    return [Beside(**row) for row in session.rows("chunks_beside", since)]


def recompress(session: Session, found: Iterable[Beside]) -> Iterator[Recompressed]:
    """Compresses the rows beside each chunk and gives their disk back. A chunk that the server
    refuses stays as it is."""
    for each in found:
        try:
            session.run("chunk_compress", each.chunk)
            give_back(session, each.chunk)
        except DatabaseError as error:
            yield Recompressed(each, each.bytes, str(error))
        else:
            now = {left.chunk: left.bytes for left in beside(session)}
            yield Recompressed(each, now.get(each.chunk, 0))


def give_back(session: Session, chunk: str) -> None:
    """Gives back the disk of a chunk whose rows are compressed: compression leaves them, and the
    entries of their index, as dead ones. Waits at most 10 s for whoever uses the chunk.

    Raises:
        DatabaseError: the role may not, or somebody held the chunk for longer.
    """
    (statements,) = session.rows("chunk_give_back", chunk)
    session.composed(statements["vacuum"])
    session.composed(statements["reindex"])


class ChunkUpkeep:
    """Tracks what a run has committed, by chunk. Files that load in parallel share it.

    With `recompress` it compresses chunks during the load, so that uncompressed data stays bounded:
    those that were compressed before, and those that the policy would compress anyway.
    """

    def __init__(
        self,
        url: str,
        session: Callable[[], AbstractContextManager[Connection]],
        stopped: Callable[[], bool],
        *,
        recompress: bool,
    ) -> None:
        self._url = url
        self._stopped = stopped
        self._session = session
        self._recompress = recompress
        self._lock = Lock()
        self._written = HourCounts()
        self._open = HourCounts()
        self._done: set[str] = set()
        self._errors: dict[str, str] = {}

    def committed(self, hours: HourCounts) -> None:
        """Records what a transaction wrote. Other commits wait while chunks are compressed."""
        with self._lock:
            self._written += hours
            self._open += hours
            if self._recompress and self._open.rows >= _ROWS:
                # A failure is tried again with the next commit, and reported at the end.
                with suppress(DatabaseError), self._session() as session:
                    self._catch_up(session, last=False)

    def finish(self) -> tuple[ChunkWrites, ...]:
        """Compresses the remaining chunks and refreshes rollups. Returns the compressed chunks that
        the run wrote into.

        Raises:
            DatabaseError: the server refused a query.
        """
        if not self._written.rows:
            return ()
        with self._lock, self._session() as session:
            if not chunked(session):
                return ()
            if self._recompress:
                self._catch_up(session, last=True)
            names = session.frame("rollups_list")["name"].to_list()
            found = touched(chunks(session), self._written)
        if names:
            self._refresh()
        return tuple(
            ChunkWrites(
                c.chunk, c.lo, c.hi, c.rows, c.chunk in self._done, self._errors.get(c.chunk)
            )
            for c in found
            if c.compressed
        )

    def _refresh(self) -> None:
        from loader.store import timescale  # noqa: PLC0415 - psycopg's part of it, which few loads need

        with timescale.connected(self._url) as connection:
            timescale.extension(connection)
            timescale.refresh(connection, timescale.rollups(connection), self._written.spans)

    def _catch_up(self, session: Connection, *, last: bool) -> None:
        """Compresses chunk by chunk in order of time, each in a transaction. The newest one waits
        for more rows, unless these were the `last`."""
        if not chunked(session):
            return
        found = touched(chunks(session), self._open)
        newest = None if last or not found else found.pop()
        left = self._open.between(newest.lo, None) if newest else HourCounts()
        again = []
        for chunk in found:
            wanted = chunk.compressed or chunk.due
            if wanted and (self._stopped() or not self._compressed(session, chunk)):
                left += self._open.between(chunk.lo, chunk.hi)
            elif chunk.compressed:
                again.append(chunk.chunk)
        self._open = left
        if again:
            self._give_back(again)

    def _give_back(self, chunks: Iterable[str]) -> None:
        from loader.store import timescale  # noqa: PLC0415 - as in _refresh

        with timescale.connected(self._url) as connection:
            for chunk in chunks:
                try:
                    give_back(connection, chunk)
                except DatabaseError as error:
                    self._errors[chunk] = f"compressed, but its disk is not given back: {error}"

    def _compressed(self, session: Connection, chunk: Touched) -> bool:
        try:
            session.run("chunk_compress", chunk.chunk)
        except DatabaseError as error:  # another writer holds it, or this role may not
            self._errors[chunk.chunk] = str(error)
            return False
        self._errors.pop(chunk.chunk, None)
        self._done.add(chunk.chunk)
        return True
