"""The bars as a hypertable: plan the conversion of a plain table, do it, and show its state."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from loader.db.rows import Session
from loader.errors import DatabaseError
from loader.lazy import dataclass
from loader.store.timescale import recompress
from loader.store.timescale.rollups import Rollup, rollups
from loader.store.timescale.session import Extension, extension

#: What PostgreSQL's code for a feature that is not supported means here: the Apache licence.
_UNLICENSED: Final = "0A000"
#: Rows per second that a small machine moves into chunks.
_MOVED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What `enable` would do. `rows` is the server's last count, or an estimate by size."""

    extension: Extension
    hypertable: bool
    compresses: bool
    rows: int
    bytes: int

    @property
    def seconds(self) -> int:
        """About how long the bars are locked for everyone else."""
        return 0 if self.hypertable else 1 + self.rows // _MOVED

    @property
    def steps(self) -> list[str]:
        done = []
        if not self.hypertable:
            done.append("make bars_ohlcv a hypertable on ts in chunks of 7 days, and move its rows")
        if not self.compresses and self.extension.compresses:
            done.append("compress chunks by provider, symbol and interval, in order of ts")
            done.append("have the server compress what is older than 90 days")
        return done


@dataclass(frozen=True, slots=True)
class Status:
    """How the bars are stored. `before` and `after` are bytes of the compressed chunks before and
    after compression. `partial` counts compressed chunks that loads have written into, and `beside`
    is the bytes that lie uncompressed in them."""

    extension: Extension
    hypertable: bool
    chunks: int = 0
    compressed: int = 0
    compresses: bool = False
    compress_after: timedelta | None = None
    chunk_width: timedelta | None = None
    last_run: datetime | None = None
    last_status: str | None = None
    next_run: datetime | None = None
    bytes: int = 0
    partial: int = 0
    beside: int = 0
    before: int | None = None
    after: int | None = None
    rollups: tuple[Rollup, ...] = ()


def plan(session: Session) -> Plan:
    """What `enable` would do to this database.

    Raises:
        DatabaseError: it has no TimescaleDB, or one that is too old.
    """
    has = extension(session)
    (size,) = session.rows("bars_size")
    found = session.rows("bars_hypertable")
    compresses = bool(found) and found[0]["compresses"] and found[0]["after"] is not None
    return Plan(has, bool(found), compresses, size["rows"], size["bytes"])


def enable(session: Session, planned: Plan) -> str | None:
    """Does what is `planned`, in one transaction. If the licence of the server has no compression,
    returns the server's message."""
    with session.transaction():
        if not planned.hypertable:
            session.run("hypertable_make")
        if not planned.compresses:
            try:
                with session.transaction():
                    kind = "columnstore" if planned.extension.number >= (2, 18) else "compression"
                    session.run(f"{kind}_make")
                    session.run(f"{kind}_policy")
            except DatabaseError as error:
                if error.sqlstate != _UNLICENSED:
                    raise
                return error.reason
    return None


def status(session: Session) -> Status:
    """How the bars are stored in this database.

    Raises:
        DatabaseError: it has no TimescaleDB, or one that is too old.
    """
    has = extension(session)
    found = session.rows("bars_hypertable")
    if not found:
        (size,) = session.rows("bars_size")
        return Status(has, hypertable=False, bytes=size["bytes"])
    (bars,) = found
    (sizes,) = session.rows("hypertable_bytes") or [{"bytes": 0, "before": 0, "after": 0}]
    partial = recompress.beside(session)
    return Status(
        has,
        hypertable=True,
        chunks=bars["chunks"],
        compressed=bars["compressed"],
        compresses=bars["compresses"],
        compress_after=bars["after"],
        chunk_width=bars["width"],
        last_run=bars["last_run"],
        last_status=bars["last_status"],
        next_run=bars["next_run"],
        bytes=sizes["bytes"],
        partial=len(partial),
        beside=sum(chunk.bytes for chunk in partial),
        before=sizes["before"],
        after=sizes["after"],
        rollups=tuple(rollups(session)),
    )
