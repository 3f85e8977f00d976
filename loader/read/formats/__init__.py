"""Any source as batches of rows: Parquet, Arrow IPC, delimited text, JSON and the binary formats of
providers, compressed or archived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from loader.errors import UnreadableFile
from loader.read.batch import Reading
from loader.read.formats import arrow, dbn, fixed, hdf5, json, parquet, text
from loader.read.formats.recognise import container
from loader.read.sources import Source, open_source
from loader.read.sources.archives import is_zip, members
from loader.read.sources.compression import PEEK, damage, unwrap

__all__ = ["Reading", "read"]


@contextmanager
def read(source: Source, batch_rows: int = 250_000) -> Iterator[Reading]:
    """Opens `source` as a stream of batches; memory stays flat whatever its size.

    What the source is shows in its first bytes, whatever its name. Leaving the context, or closing
    the iterator, lets go of files early.

    Raises:
        UnreadableFile: it is no table, is damaged or cut short; also while it is iterated.
    """
    with ExitStack() as stack:
        raw = stack.enter_context(open_source(source))
        stream, layers = unwrap(raw, source.name, stack)
        with damage(source.name):
            head = stream.peek(PEEK)
        if is_zip(head) and source.member is None and not layers:
            members(source.path, source.name)  # which says what is wrong with the archive
            raise UnreadableFile.of(source.name, "became a zip archive while mdload was starting")
        size = None if layers else source.size_bytes
        match container(head, source, layers):
            case "parquet":
                file = arrow.seekable(stream, source, layers, stack, in_place=True)
                yield parquet.read(file, source, batch_rows)
            case "arrow":
                file = arrow.seekable(stream, source, layers, stack)
                yield arrow.read_file(file, source, batch_rows)
            case "arrow stream":
                yield arrow.read_stream(stream, source, batch_rows)
            case "json":
                yield json.read(stream, source, batch_rows, stack=stack)
            case "hdf5":
                file = arrow.seekable(stream, source, layers, stack)
                yield hdf5.read(file, source, batch_rows, stack)
            case "dbn":
                yield dbn.read(stream, source, size, batch_rows)
            case "bi5" | "tdx" | "scid" | "hst" as kind:
                yield fixed.read(kind, stream, source, size, batch_rows)
            case _:
                yield text.read(stream, source, batch_rows)
