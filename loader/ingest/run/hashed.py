"""Sources that are hashed ahead of their turn, to be looked at together."""

from __future__ import annotations

from collections.abc import Sequence
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
