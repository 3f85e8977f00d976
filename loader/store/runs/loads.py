"""The row of `bars_loads` that every transaction leaves which changes a bar."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from loader.lazy import dataclass
from loader.results import Counts

if TYPE_CHECKING:
    from loader.db.executor import Executor

#: `load` becomes `live` in a run of that mode.
Kind = Literal["load", "rollback", "delete", "rename", "apply"]


@dataclass(frozen=True, slots=True)
class Load:
    """What a transaction is, to be recorded with its counts.

    Attributes:
        file_id: of the ledger's row, None for bars that are of no file.
        deleted: bars that it took away; the others are in its counts.
        known_at: when the bars were known, None for now. It is not in the future, and in no series
            that the transaction changes before what is known already (see `forward`).
    """

    kind: Kind = "load"
    file_id: int | None = None
    deleted: int = 0
    known_at: datetime | None = None


def record(session: Executor, load: Load, counts: Counts, run_id: int | None = None) -> None:
    """Records the load where `counts` or `load` say that a bar was changed, and any rollback: what
    it undid is undone, also where others had left it nothing to change.

    It is the last statement of the transaction, after those that waited for other writers: so it
    is known after theirs. With a run's counts, `add_counts` does it in the same round trip.

    Raises:
        Contended: another transaction began in the same microsecond; run this one again. The commit
            may be what raises it.
    """
    if counts.inserted or counts.updated or load.deleted or load.kind == "rollback":
        session.last(
            "load_record", load.kind, run_id, load.file_id, counts.inserted, counts.updated,
            load.deleted, load.known_at,
        )  # fmt: skip
