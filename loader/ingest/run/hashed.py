"""Sources that are hashed ahead of their turn: small ones, to be looked at together, and the first
large one, while the run begins."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from loader.errors import MdloadError
from loader.lazy import dataclass
from loader.read.sources import Identity, Source, content_hash, identity
from loader.store.runs import ledger

if TYPE_CHECKING:
    from loader.ingest.run import LoadRun

#: A file of more bytes waits for its turn: if one before it needs a look of its own, it is hashed
#: again.
_SMALL: Final = 4 << 20


class HashedMeanwhile:
    """The identity of a source, and then its content hash, found in a thread of their own: a run
    begins with questions to the server, and this takes half a second for each gigabyte."""

    def __init__(self, run: LoadRun, source: Source) -> None:
        self.source = source
        self._run = run
        self._found: Future[tuple[Identity, str]] = Future()
        threading.Thread(target=self._find, name="mdload-hash", daemon=True).start()

    def found(self) -> tuple[Identity, str]:
        """
        Raises:
            UnreadableFile: the file cannot be read.
            Cancelled: the load was cancelled.
        """
        return self._found.result()

    def _find(self) -> None:
        try:
            before = identity(self.source)  # so that a change shows
            digest = content_hash(self.source, self._run.stop_if_cancelled)
        except BaseException as error:  # carried over to the thread that asks
            self._found.set_exception(error)
        else:
            self._found.set_result((before, digest))


def hash_first(run: LoadRun, sources: Sequence[Source]) -> HashedMeanwhile | None:
    """Begins to hash the first of `sources`, if it is large."""
    first = next(iter(sources), None)
    if first is None or first.trouble is not None or first.size_bytes <= _SMALL:
        return None
    return HashedMeanwhile(run, first)


@dataclass(frozen=True, slots=True)
class Hashed:
    """A source, its size and time of change before it was hashed, and what to ask the ledger."""

    source: Source
    identity: Identity
    asked: ledger.Asked


def hashed(run: LoadRun, sources: Sequence[Source]) -> list[Hashed]:
    """The sources up to the first one that is large or cannot be read."""
    found: list[Hashed] = []
    with suppress(MdloadError):  # its own turn says so
        for source in sources:
            if source.trouble is not None or source.size_bytes > _SMALL:
                break
            before = identity(source)
            digest = content_hash(source, run.stop_if_cancelled)
            asked = ledger.Asked(digest, run.fingerprint_of(source), source.name)
            found.append(Hashed(source, before, asked))
    return found
