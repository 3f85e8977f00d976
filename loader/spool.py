"""Frames set aside on local disk until the end of a file's transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO

import polars as pl
import pyarrow as pa

_OLDEST = pl.CompatLevel.oldest()


class Spool:
    """Append frames of one schema; iterate them in the order they came. Memory stays flat.

    The file (Arrow IPC stream, readable by its owner only) lives in the system's temporary
    directory, has no name there and is gone when the spool is closed or the process ends.
    """

    def __init__(self, schema: dict[str, pl.DataType]) -> None:
        self.schema = schema
        self.rows = 0
        self._file: IO[bytes] | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, frame: pl.DataFrame) -> None:
        if frame.height == 0:
            return
        table = frame.to_arrow(compat_level=_OLDEST)
        if self._writer is None:
            self._file = tempfile.TemporaryFile(prefix="mdload-")  # noqa: SIM115 - closed by close()
            self._writer = pa.ipc.new_stream(self._file, table.schema)
        self._writer.write_table(table)
        self.rows += frame.height

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """All frames so far; appending ends here."""
        if self._writer is None or self._file is None:
            return
        self._writer.close()
        self._file.seek(0)
        with pa.ipc.open_stream(self._file) as reader:
            for batch in reader:
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield frame.cast(pl.Schema(self.schema))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
