"""What feeds the transactions of one file: its checked pieces, beside the stored bars they meet."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import groupby
from typing import Final

import polars as pl

from loader.check.file import Checking
from loader.check.instruments.apart import refuse_told_apart
from loader.check.unique import UniqueBatch, in_order, partitioned
from loader.ingest.run import LoadMode, LoadRun
from loader.read.ahead import ahead
from loader.read.formats import Reading, read
from loader.read.sources import Source
from loader.store.compare import PendingDiff
from loader.store.compare.reader import StoredReader

#: Rows of a file that is read, checked and compared in one thread; bytes, if it does not say its
#: rows.
_FEW_ROWS: Final = 20_000
#: Bytes that a row takes at least, to estimate the rows of a file that does not say.
_ROW_BYTES: Final = 20


@contextmanager
def compared_pieces(
    run: LoadRun,
    source: Source,
    mode: LoadMode,
    reading: Reading,
    checking: Checking,
    passed: Callable[[UniqueBatch], None],
) -> Iterator[Iterator[PendingDiff]]:
    """The pieces of the file after `mode.resume_at`, one row per key; those before it are `passed`.
    Reading, checking and comparing go on in threads of their own until the block ends, unless the
    file is one batch.

    Raises:
        MayRepeat: keys may repeat across pieces; the file must be partitioned.
        MdloadError: the file cannot be read or checked, or the stored bars cannot be read.
    """
    compared = _compared(run, source, mode, reading, checking, passed)
    if not _is_one_batch(run, source, reading):
        compared = ahead(compared)
    with closing(compared) as pieces:
        yield pieces


def _is_one_batch(run: LoadRun, source: Source, reading: Reading) -> bool:
    """Whether nothing is gained by reading ahead: threads and queues cost more than a small file.
    A guess where the file does not say its rows."""
    if reading.rows is not None:
        return reading.rows <= min(run.settings.piece_rows, _FEW_ROWS)
    return source.size_bytes <= _FEW_ROWS


def prove_order(run: LoadRun, source: Source) -> None:
    """Reads the file once to its end. For a file in parts, because parts that were committed
    cannot be taken back.

    Raises:
        MayRepeat: keys may repeat across pieces.
        Cancelled: the load was cancelled.
    """
    with read(source, run.settings.piece_rows) as reading:
        checking = run.checking(reading, source)
        with closing(ahead(checking.pieces())) as pieces:
            for _ in in_order(pieces):
                run.stop_if_cancelled()


def _examine(run: LoadRun, source: Source, rows: pl.DataFrame) -> None:
    """Reads the file again, as far as `rows` (see `UniqueBatch.met`) are, for its other columns.

    Raises:
        ColumnMismatch: another column tells rows of one key apart.
        Cancelled: the load was cancelled.
    """
    last = rows.select(pl.col("row_number").max()).item()
    tables, others = [], None
    with read(source, run.settings.piece_rows) as reading:
        for piece in run.checking(reading, source).pieces():
            run.stop_if_cancelled()
            if piece.others is not None:
                others = piece.others
                tables.append(others.beside(rows))
            if piece.last_row >= last:
                break
    if others is not None:
        refuse_told_apart(pl.concat(tables), others)


def in_parts(pieces: Iterator[PendingDiff], every: int) -> Iterator[Iterator[PendingDiff]]:
    """The pieces, cut where another `every` raw rows have been read."""
    rows = 0

    def part_of(piece: PendingDiff) -> int:
        nonlocal rows
        rows += piece.unique.read or piece.unique.bars.height
        return (rows - 1) // every

    for _, part in groupby(pieces, key=part_of):
        yield part


def _compared(
    run: LoadRun,
    source: Source,
    mode: LoadMode,
    reading: Reading,
    checking: Checking,
    passed: Callable[[UniqueBatch], None],
) -> Generator[PendingDiff, None, None]:
    session = partial(run.connection, autocommit=True)
    with (
        closing(unique_pieces(run, source, mode, reading, checking)) as unique,
        StoredReader(
            session,
            scattered=mode.partition,
            alone=_is_one_batch(run, source, reading),
            in_chunks=run.in_chunks,
        ) as stored,
    ):
        for piece in unique:
            if 0 < piece.last_row <= mode.resume_at:
                stored.passed(piece)
                passed(piece)
            else:
                yield PendingDiff(piece) if mode.first else stored.beside(piece)
            del piece


def unique_pieces(
    run: LoadRun, source: Source, mode: LoadMode, reading: Reading, checking: Checking
) -> Generator[UniqueBatch, None, None]:
    """The pieces of the file, one row per key; raises as `compared_pieces`."""
    pieces = checking.pieces()
    with closing(pieces if _is_one_batch(run, source, reading) else ahead(pieces)) as checked:
        if mode.partition:
            rows = reading.rows or source.size_bytes // _ROW_BYTES
            settings = run.settings
            unique = partitioned(
                checked,
                rows,
                settings.piece_rows,
                partial(_examine, run, source),
                by_time=settings.by_time,
                at_once=settings.commit_every is not None,
            )
        else:
            unique = in_order(checked)
        with closing(unique):
            yield from unique
