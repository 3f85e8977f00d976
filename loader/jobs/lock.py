"""One run of a job at a time: an advisory lock of the server, held by a session of its own.

The server frees it when that session ends, however it ends, so there is no stale lock to clean up.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from loader.db.conninfo import conninfo
from loader.db.queries import query
from loader.db.translate import translate_psycopg
from loader.errors import JobHeld
from loader.text import utc

_log: Final = logging.getLogger(__name__)
#: How PostgreSQL says that `lock_timeout` was up.
_TIMED_OUT: Final = "55P03"
_ORPHANED: Final = (
    "its process ended without a word (it was killed, or its machine or its connection was lost)"
)
#: What the sessions that hold locks are called, before their pid and host.
_PREFIX: Final = "mdload run, "

#: What the run's record says of who runs it.
HOST: Final = socket.gethostname()


class JobLock:
    """The lock of job `name` in the database at `url`; `take` it, and `close` gives it back.

    Attributes:
        backend: the server process that holds it, once it was taken.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._session: psycopg.Connection[dict[str, Any]] | None = None
        self.backend = 0

    def take(self, wait: float | None) -> None:
        """Takes the lock, or makes sure of it; `wait` is how many seconds to wait for it: None for
        not at all, infinity for ever. Runs that its holders of before left behind are ended.

        Raises:
            JobHeld: another process has it; the message says who.
            ConnectionLost: the server is away.
        """
        try:
            if self._still_held():
                return
            self.close()
            self._connect(wait)
            if not self._tried():
                holder = self._holder()
                if wait is None:
                    raise self._held(holder, "")
                _log.warning("waiting for the job %s, %s", self._name, holder)
                self._wait(wait)
            ended = self._rows("job_runs_orphaned", self._name, _ORPHANED)
        except psycopg.Error as error:
            self.close()
            raise translate_psycopg(error, f"locking the job {self._name}") from error
        except BaseException:
            self.close()
            raise
        for row in ended:
            _log.warning("run %s of %s is marked as failed: %s", row["id"], self._name, _ORPHANED)

    def close(self) -> None:
        """Gives the lock back, if it is held. Never raises."""
        if self._session is not None:
            with suppress(psycopg.Error):
                self._session.close()
        self._session = None

    def _still_held(self) -> bool:
        if self._session is None:
            return False
        with suppress(psycopg.Error):  # the lock went with the session
            self._session.execute("SELECT")
            return True
        return False

    def _connect(self, wait: float | None) -> None:
        self._session = psycopg.connect(
            conninfo(self._url), autocommit=True, prepare_threshold=None, row_factory=dict_row
        )
        timeout = 0 if wait in (None, float("inf")) else max(1, round(1000 * (wait or 0)))
        self._rows("job_lock_session", _called(), f"{timeout}ms")

    def _tried(self) -> bool:
        (row,) = self._rows("job_lock_try", self._name)
        self.backend = row["backend"]
        return bool(row["taken"])

    def _wait(self, seconds: float) -> None:
        try:
            self._rows("job_lock_wait", self._name)
        except psycopg.Error as error:
            if error.sqlstate != _TIMED_OUT:
                raise
            raise self._held(self._holder(), f" after {seconds:g} s of waiting") from None

    def _held(self, holder: str, waited: str) -> JobHeld:
        return JobHeld(
            f"the job {self._name} is {'still ' if waited else ''}{holder}{waited}",
            hint="--wait waits for it; it is free as soon as that process ends, however it ends",
        )

    def _holder(self) -> str:
        """`held by run 41 (pid 1234 on db1) since 2024-03-05 02:00:01Z`."""
        rows = self._rows("job_lock_holder", self._name)
        if not rows:
            return "held by a process that has ended meanwhile"
        row = rows[0]
        if row["run_id"] is not None:
            who = f"run {row['run_id']} (pid {row['pid']} on {row['host']})"
        elif row["application_name"]:
            who = str(row["application_name"]).removeprefix(_PREFIX)
        else:
            who = f"server process {row['backend']}, of another role"
        return f"held by {who}" + (f" since {utc(row['since'])}" if row["since"] else "")

    def _rows(self, name: str, *params: object) -> list[dict[str, Any]]:
        assert self._session is not None
        with psycopg.RawCursor(self._session, row_factory=dict_row) as cursor:
            return cursor.execute(query(name).encode(), params).fetchall()


def _called() -> str:
    """The session's name in pg_stat_activity, which has room for 63 bytes."""
    return f"{_PREFIX}pid {os.getpid()} on {HOST}".encode()[:63].decode(errors="ignore")
