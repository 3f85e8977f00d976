"""The result of a client's writes: counts, and as an int the rows written."""

from __future__ import annotations

from typing import Any, NoReturn, Self

from loader.results import Counts


class WriteResult(int):
    """What became of the bars of one call. As an int, the number of rows written.

    submitted = inserted + updated + unchanged + duplicate + rejected, always.

    Attributes:
        submitted: bars passed in.
        inserted: bars that were not stored before.
        updated: stored bars that changed; the old values are kept as revisions.
        unchanged: bars that were stored already with equal values.
        duplicate: further bars for a key within one batch; the last one counts.
        rejected: bars that broke a rule; they are kept in `bars_rejected`.
    """

    submitted: int
    inserted: int
    updated: int
    unchanged: int
    duplicate: int
    rejected: int

    def __new__(cls, counts: Counts | None = None) -> Self:
        counts = counts or Counts()
        self = super().__new__(cls, counts.written)
        self.__dict__.update(
            submitted=counts.read,
            inserted=counts.inserted,
            updated=counts.updated,
            unchanged=counts.unchanged,
            duplicate=counts.duplicate,
            rejected=counts.rejected,
        )
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a WriteResult is frozen: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:  # for copy and pickle
        read, inserted, updated, unchanged, duplicate, rejected = self.__dict__.values()
        return WriteResult, (Counts(read, inserted, updated, unchanged, duplicate, 0, rejected),)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}={value}" for name, value in self.__dict__.items())
        return f"WriteResult({counts})"
