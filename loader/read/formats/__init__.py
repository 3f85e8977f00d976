"""Any source as batches of rows: Parquet, Arrow IPC, delimited text, JSON and the binary formats of
providers, compressed or archived."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from io import BufferedIOBase

from loader.errors import Unfinished, UnreadableFile
from loader.read import bounds
from loader.read.batch import RawBatch, Reading
from loader.read.formats.format import Opened
from loader.read.formats.recognise import container
from loader.read.panics import panics
from loader.read.streams.archives import is_zip, members
from loader.read.streams.compression import PEEK, damage, unwrap
from loader.read.streams.source import Source, open_source

__all__ = ["Reading", "read"]


@contextmanager
def read(source: Source, batch_rows: int = 250_000) -> Iterator[Reading]:
    """Opens `source` as a stream of batches; memory stays flat whatever its size.

    The first bytes show what the source is, whatever its name. Leaving the context, or closing the
    iterator, lets go of files early.

    Raises:
        UnreadableFile: it is not a table, is damaged or cut short; also while it is iterated.
    """
    with ExitStack() as stack:
        raw = stack.enter_context(open_source(source))
        stream, layers = unwrap(raw, source.name, stack)
        with damage(source.name):
            head = stream.peek(PEEK)
        if is_zip(head) and source.member is None and not layers:
            members(source.path, source.name)  # raises what is wrong with the archive
            raise UnreadableFile.of(source.name, "became a zip archive while mdload was starting")
        with panics(source.name):
            found = container(head, source, layers)
            reading = found.read(Opened(stream, source, layers, batch_rows, stack))
        bounds.refuse_too_wide(source.name, len(reading.columns))
        batches = stack.enter_context(closing(_complete(reading, raw, source.name)))
        yield replace(reading, batches=batches)


def _complete(reading: Reading, raw: BufferedIOBase, name: str) -> Generator[RawBatch, None, None]:
    """The batches, which have to have as many rows as the container says. Marks how far into `raw`
    they reach.

    Raises:
        Unfinished: they have fewer or more.
    """
    rows = 0
    with panics(name):
        for batch in reading:
            rows += batch.frame.height
            if reading.rows is None:
                with suppress(OSError, ValueError):
                    reading.marks.add(rows, raw.tell())
            yield batch
    rows += reading.window.passed_by
    if reading.rows is not None and rows != reading.rows:
        raise Unfinished.of(
            name,
            f"is damaged or cut short: it says that it has {reading.rows:,} rows, and "
            f"{rows:,} can be read",
            hint="get the file again from where it came, or write it again",
        )
