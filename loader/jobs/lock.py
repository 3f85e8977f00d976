"""One run of a job at a time: an advisory lock of the server, held by a session of its own.

The server frees the lock when that session ends, however it ends, so no stale lock is left behind.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from contextlib import suppress
from typing import Final

from loader.db import pooler
from loader.db.cancelling import TooLate, apart
from loader.db.rows import Row, Session, connect
from loader.errors import DatabaseError, JobHeld
from loader.text import utc

_log: Final = logging.getLogger(__name__)
#: PostgreSQL's code for a `lock_timeout` that has passed.
_TIMED_OUT: Final = "55P03"
_ORPHANED: Final = (
    "its process ended without a word (it was killed, or its machine or its connection was lost)"
)
#: How sessions that hold locks begin their name; their pid and host follow.
_PREFIX: Final = "mdload run, "
#: Seconds until the server has certainly noticed that the process of an idle session is gone.
_NOTICED: Final = 5.0
_PAUSE: Final = 0.05
#: PostgreSQL's longest lock_timeout: 24 days.
_LONGEST_MS: Final = 2**31 - 1
#: Seconds for the server to free the lock; it does so anyway when the session has ended.
_FREED: Final = 0.5

#: The host that the run's record names.
HOST: Final = socket.gethostname()


class JobLock:
    """The lock of job `name` in the database at `url`: `take` it, and `close` gives it back.

    Attributes:
        backend: the server process that holds it, once it was taken.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._session: Session | None = None
        self._taken = False
        self.backend = 0

    def take(self, wait: float | None) -> None:
        """Takes the lock, or makes sure that it is still held.

        A holder that has ended on this host, without giving the lock back, is waited for in any
        case: the server frees its lock in a moment.

        Args:
            wait: seconds to wait for the lock; None does not wait, infinity waits for ever.

        Raises:
            JobHeld: another process has it; the message says which one.
            ConnectionLost: the server is away.
        """
        try:
            if self._session is not None and self._session.answers():
                return
            self.close()
            session = self._connected(wait)
            if not self._tried(session):
                holder = self._holder(session)
                if wait is not None:
                    _log.warning("waiting for the job %s, %s", self._name, _described(holder))
                    self._wait(session, wait)
                elif not (_has_ended(holder) and self._tried_for(session, _NOTICED)):
                    raise self._held(holder, "")
            self._taken = True
        except BaseException:
            self.close()
            raise

    def end_orphans(self) -> None:
        """Ends the runs that earlier holders left behind. For the holder of the lock.

        Raises:
            ConnectionLost: the server is away.
        """
        assert self._session is not None
        for row in self._session.rows("job_runs_orphaned", self._name, _ORPHANED):
            _log.warning("run %s of %s is marked as failed: %s", row["id"], self._name, _ORPHANED)

    def close(self) -> None:
        """Gives the lock back, if it is held, and returns once the server has freed it. Never
        raises."""
        session, taken = self._session, self._taken
        self._session, self._taken = None, False
        if session is None:
            return
        pooler.keep(-1)
        try:
            # A closed socket alone frees it only when the server notices: the next run of the job
            # may have asked by then.
            if taken:
                with suppress(DatabaseError, TooLate):
                    apart(lambda: session.run("job_lock_release", self._name), seconds=_FREED)
        finally:
            session.close()

    def _connected(self, wait: float | None) -> Session:
        self._session = connect(self._url, doing=f"locking the job {self._name}")
        pooler.keep(1)
        timeout = 0 if wait in (None, float("inf")) else max(1, round(1000 * (wait or 0)))
        timeout = min(timeout, _LONGEST_MS)
        self._session.run("job_lock_session", _called(os.getpid()), f"{timeout}ms")
        return self._session

    def _tried(self, session: Session) -> bool:
        taken, self.backend = session.one("job_lock_try", self._name)
        return bool(taken)

    def _tried_for(self, session: Session, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(_PAUSE)
            if self._tried(session):
                return True
        return False

    def _wait(self, session: Session, seconds: float) -> None:
        try:
            session.run("job_lock_wait", self._name)
        except DatabaseError as error:
            if error.sqlstate != _TIMED_OUT:
                raise
            raise self._held(self._holder(session), f" after {seconds:g} s of waiting") from None

    def _held(self, holder: Row | None, waited: str) -> JobHeld:
        still = "still " if waited else ""
        return JobHeld(
            f"the job {self._name} is {still}{_described(holder)}{waited}",
            hint="--wait waits for it; it is free as soon as that process ends, however it ends",
        )

    def _holder(self, session: Session) -> Row | None:
        """The row of `job_lock_holder`; None if the holder has ended meanwhile."""
        return next(iter(session.rows("job_lock_holder", self._name)), None)


def _described(holder: Row | None) -> str:
    """`held by run 41 (pid 1234 on db1) since 2024-03-05 02:00:01Z`."""
    if holder is None:
        return "held by a process that has ended meanwhile"
    if holder["run_id"] is not None:
        who = f"run {holder['run_id']} (pid {holder['pid']} on {holder['host']})"
    elif holder["application_name"]:
        who = str(holder["application_name"]).removeprefix(_PREFIX)
    else:
        who = f"server process {holder['backend']}, of another role"
    return f"held by {who}" + (f" since {utc(holder['since'])}" if holder["since"] else "")


def _has_ended(holder: Row | None) -> bool:
    """Whether the process behind the lock was one of this host and is gone."""
    if holder is None:
        return True
    name = str(holder["application_name"] or "")
    pid = None
    if found := re.match(rf"{_PREFIX}pid (\d+) on ", name):
        pid = int(found[1]) if name == _called(int(found[1])) else None
    elif holder["host"] == HOST:  # another role's session, which does not show its name
        pid = int(holder["pid"])
    return pid is not None and not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another account's
        return True
    return True


def _called(pid: int) -> str:
    """The session's name in pg_stat_activity, which has room for 63 bytes."""
    return f"{_PREFIX}pid {pid} on {HOST}".encode()[:63].decode(errors="ignore")
