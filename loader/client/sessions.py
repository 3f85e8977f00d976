"""The database sessions of a client: opened on first use, and again after a loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from loader.client.address import Address
from loader.db.arrow import Connection, connect
from loader.db.prepared import Prepared
from loader.store import shape


class Sessions:
    """Sessions of one client with the server at `address`. For one thread at a time, but `cancel`.

    The methods that return a session raise ConnectionLost or DatabaseError if it cannot be opened.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._open: list[Prepared | Connection] = []
        self._prepared: Prepared | None = None
        self._writer: Connection | None = None
        self._idle_readers: list[Connection] = []

    def prepared(self) -> Prepared:
        """For small batches."""
        if self._prepared is None:
            prepared = Prepared(self._address.url)
            try:
                with prepared.transaction():
                    prepared.has_triggers = bool(shape.check(prepared).triggers)
            except BaseException:
                prepared.close()
                raise
            self._open.append(prepared)
            self._prepared = prepared
        return self._prepared

    def writer(self) -> Connection:
        """For batches that are copied."""
        if self._writer is None:
            self._writer = self._connect(autocommit=False)
        return self._writer

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        """For reading stored bars; the caller has it alone until the block ends."""
        idle = self._idle_readers
        reader = idle.pop() if idle else self._connect(autocommit=True)
        yield reader
        idle.append(reader)

    @contextmanager
    def apart(self) -> Iterator[Connection]:
        """A session for one reader, on any thread; it is closed when the block ends."""
        connection = self._connect(autocommit=False)
        try:
            yield connection
        finally:
            connection.close()
            with suppress(ValueError):  # closed meanwhile, with the others
                self._open.remove(connection)

    def cancel(self) -> None:
        """Asks the server to stop the statements of these sessions. For another thread to call."""
        for session in list(self._open):
            session.cancel()

    def close(self) -> None:
        """Closes all sessions and rolls back open transactions. The next use opens new ones."""
        for session in self._open:
            session.close()
        self._open.clear()
        self._idle_readers.clear()
        self._prepared = self._writer = None

    def _connect(self, *, autocommit: bool) -> Connection:
        connection = connect(self._address.url, autocommit=autocommit)
        self._open.append(connection)
        return connection
