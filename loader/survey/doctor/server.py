"""The server: whether it answers and accepts writes, its version, and its clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Final

from loader.db.rows import Session
from loader.survey.doctor.check import Check
from loader.text import duration

#: PostgreSQL majors that the tests run on.
_OLDEST: Final = 15
_NEWEST: Final = 18
#: Differences of the clocks from which on the check warns, and fails.
_NOTICED: Final = timedelta(seconds=2)
_WRONG: Final = timedelta(minutes=1)
_STANDBY = "give the URL of the primary"
_READ_ONLY = "ALTER ROLE … RESET default_transaction_read_only; or of the database, or the server"


def server(session: Session) -> list[Check]:
    """Whether the server answers, how fast, whether it accepts writes, and its version."""
    session.rows("doctor_clock")  # the first answer of a new session takes longer
    start = perf_counter()
    session.rows("doctor_clock")
    took = (perf_counter() - start) * 1000
    (found,) = session.rows("doctor_server")
    where = f"database {found['database']!r} as role {found['role']!r}"
    if found["standby"]:
        answers = Check("server", "fail", f"{where}: it is a standby, which only reads", _STANDBY)
    elif found["read_only"]:
        answers = Check("server", "fail", f"{where}: it is set to read only", _READ_ONLY)
    else:
        answers = Check("server", "ok", f"{where}, answers in {took:.1f} ms")
    return [answers, _version(found["version"], found["number"] // 10_000)]


def _version(version: str, major: int) -> Check:
    if major < _OLDEST:
        upgrade = f"upgrade the server to PostgreSQL {_OLDEST} or newer"
        return Check("version", "fail", f"PostgreSQL {version} is too old", upgrade)
    if major > _NEWEST:
        said = f"PostgreSQL {version} is newer than any that this mdload was tested with"
        return Check("version", "warn", said, f"it was with {_OLDEST} to {_NEWEST}")
    return Check("version", "ok", f"PostgreSQL {version}")


def clock(session: Session) -> list[Check]:
    """The difference between the server's clock and this machine's."""
    before = datetime.now(UTC)
    (row,) = session.rows("doctor_clock")
    return [skew(before, row["now"], datetime.now(UTC))]


def skew(before: datetime, server: datetime, after: datetime) -> Check:
    """The finding for a server that answered with time `server` between `before` and `after` by our
    clock. Only a difference that the round trip cannot explain counts.
    """
    off = max(before - server, server - after, timedelta(0))
    if off < _NOTICED:
        return Check("clock", "ok", "the server's clock is this machine's, to two seconds")
    side = "behind" if server < before else "ahead of"
    told = f"the server's clock is {duration(off.total_seconds() * 1000)} {side} this machine's"
    hint = "set both by NTP: {date} in jobs is this machine's day, times of runs are the server's"
    return Check("clock", "fail" if off >= _WRONG else "warn", told, hint)
