"""Where the database of a client is."""

from __future__ import annotations

import os
import weakref
from contextlib import ExitStack
from threading import Lock

from loader.db.conninfo import conninfo
from loader.db.target import found
from loader.store import schema


class Address:
    """As it was given; without that, as the command finds it, looked for on first use.

    Raises:
        SettingsError: `dsn` is not a valid connection string.
    """

    def __init__(self, dsn: str | None) -> None:
        if dsn is not None:
            conninfo(dsn)
        self._given = dsn
        self._found: str | None = None
        self._use = ExitStack()
        self._turn = Lock()
        weakref.finalize(self, _end, self._use, os.getpid())  # also at the end of the process

    @property
    def url(self) -> str:
        """The URL. An embedded server runs until `leave`.

        Raises:
            NoDatabase: there is none.
            SettingsError: what names one is wrong.
            DatabaseError: the embedded server does not start.
        """
        if self._given is not None:
            return self._given
        with self._turn:
            if self._found is None:
                self._found = self._use.enter_context(found(schema.bring_up))
            return self._found

    def leave(self) -> None:
        """Ends the use of an embedded server."""
        with self._turn:
            self._found = None
            self._use.close()


def _end(use: ExitStack, pid: int) -> None:
    if os.getpid() == pid:  # a forked process does not end its parent's use
        use.close()
