"""Rejected rows on their way into their table, in the form that COPY sends: set aside until the end
of a file's merge, or sent at once while no bars are.

They are made ready once, while the file is read. Reading them back as frames, to change them and
make Arrow of them again, took as long as encoding them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import polars as pl
import pyarrow as pa

from loader.check.validate import BAD
from loader.db.arrow import Connection
from loader.read.spool import Spool

#: `BAD` as COPY sends it: the driver sends text and bytes as they are, whatever the column's type.
SENT: Final[dict[str, pl.DataType]] = {**BAD, "rules": pl.Binary()}
_IDS: Final = ("run_id", "file_id")
#: What is copied into the table.
INGESTED: Final = {**dict.fromkeys(_IDS, pl.Int64()), **SENT}
#: The binary form of jsonb is a byte for its version before the text.
_VERSION: Final = "\x01"
#: The object identifier of the type text, on every server.
_TEXT: Final = 25
#: Rows to read back at once: more take new memory each time, which costs as much as reading them.
_AT_ONCE: Final = 10_000
#: Rows to make ready at once: their texts stay in the processor's cache.
_MADE_AT_ONCE: Final = 25_000
#: Fewer rows wait: a COPY of their own would cost more than it saves.
_FEWEST: Final = 5_000
#: In the name of no rule.
_APART: Final = "\n"


class Waiting(Spool):
    """Append frames of `BAD`; they come back in the order they came, as `SENT`.

    Attributes:
        sender: takes rows that need not wait. What it has taken does not come back, and is gone
            if the transaction is rolled back.
    """

    def __init__(self) -> None:
        super().__init__(SENT, _AT_ONCE)
        self.sender: Sender | None = None

    def append(self, frame: pl.DataFrame) -> None:
        if self.sender is not None and self.sender.takes(frame):
            return
        for part in frame.iter_slices(_MADE_AT_ONCE):
            super().append(as_sent(part))


class Sender:
    """Copies the rejects of one part into `bars_rejected`, in the transaction open on `session`."""

    def __init__(self, session: Connection, run_id: int | None, file_id: int | None) -> None:
        self._session = session
        self._of = (run_id, file_id)
        self._before: int | None = None

    def takes(self, frame: pl.DataFrame) -> bool:
        """Sends the rows of a frame of `BAD` now, unless they are few or the session is in the
        middle of a COPY; says whether it has. The server stores them while the next are read."""
        if frame.height < _FEWEST or self._session.is_copying:
            return False
        self.send(frame.iter_slices(_MADE_AT_ONCE))
        return True

    def send(self, frames: Iterable[pl.DataFrame]) -> None:
        """
        Raises:
            DatabaseError: the server refused, or went away.
        """
        if self._before is None:
            self._before = self._held()
        if not isinstance(frames, Waiting) or frames.rows:
            self._session.ingest("bars_rejected", INGESTED, self._ingested(frames))

    @property
    def kept(self) -> int:
        """How many rows the server has stored of all that were sent."""
        return 0 if self._before is None else self._held() - self._before

    def _held(self) -> int:
        return int(self._session.one("rejected_held", *self._of)[0])

    def _ingested(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame | pa.RecordBatch]:
        if not isinstance(frames, Waiting):
            ids = [pl.lit(each, pl.Int64()) for each in self._of]
            for frame in frames:
                yield as_sent(frame).select(*map(pl.Expr.alias, ids, _IDS), *list(SENT))
            return
        for batch in frames.batches():
            # By Polars: the first value that pyarrow makes of Python's imports pandas.
            made = (
                pl.repeat(each, len(batch), dtype=pl.Int64, eager=True).to_arrow()
                for each in self._of
            )
            yield pa.RecordBatch.from_arrays([*made, *batch.columns], [*INGESTED])


def as_sent(bad: pl.DataFrame) -> pl.DataFrame:
    """A frame of `BAD` as one of `SENT`."""
    names = bad["rules"].list.join(_APART).fill_null("")
    # Rows mostly break the same few rules together: each set of them is encoded once.
    sets = names.unique()
    encoded = pl.Series([array(each.split(_APART)) for each in sets], dtype=pl.Binary)
    rules = names.replace_strict(sets, encoded, return_dtype=pl.Binary)
    return bad.with_columns(rules=rules, raw=pl.lit(_VERSION) + pl.col("raw"))


def array(texts: Sequence[str]) -> bytes:
    """The binary form of a text[] of one dimension that begins with 1, without nulls."""
    parts = [struct.pack("!5i", 1, 0, _TEXT, len(texts), 1)]
    for text in texts:
        value = text.encode()
        parts += (struct.pack("!i", len(value)), value)
    return b"".join(parts)
