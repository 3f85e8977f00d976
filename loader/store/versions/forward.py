"""What is known of a series only goes forward: no dump that is older than what the store knows."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from loader.db.executor import Executor
from loader.errors import KnownLater


class Seen(Protocol):
    """The series of a transaction."""

    providers: set[str]
    symbols: set[str]
    intervals: set[str]


def insist(session: Executor, seen: Seen, known_at: datetime, name: str) -> None:
    """Looks at the store as the transaction in hand has left it, before it commits.

    Raises:
        KnownLater: the store knows more of one of the series since `known_at`. `name` is the
            file's, for the message.
    """
    if not seen.symbols:
        return
    row = session.row(
        "known_later", _json(seen.providers), _json(seen.symbols), _json(seen.intervals), known_at
    )
    if row is not None:
        provider, symbol, interval, known = row
        raise KnownLater(
            f"{name} was known at {known_at:%Y-%m-%d %H:%M:%S}Z, and the store knows more of "
            f"{provider} {symbol} {interval} since {known:%Y-%m-%d %H:%M:%S}Z; nothing of it was "
            "merged",
            hint="load archived dumps in their order, into series that are empty before the first",
        )


def _json(names: Collection[str]) -> str:
    return json.dumps(sorted(names), ensure_ascii=False)
