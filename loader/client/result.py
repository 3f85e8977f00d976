"""The result of a client's writes: counts, rejected rows, and as an int the rows written."""

from __future__ import annotations

from typing import Any, Final, NoReturn, Self

import polars as pl

from loader.results import Counts

_SCHEMA: Final = pl.Schema(
    {"row_number": pl.Int64(), "rules": pl.List(pl.String()), "raw": pl.String()}
)
_NONE: Final = pl.DataFrame(schema=_SCHEMA)
#: Rejected rows that a result holds; all of them are in `bars_rejected`.
_MOST: Final = 10_000


class Rejects:
    """Collects the first 10,000 rejected rows of a call."""

    def __init__(self) -> None:
        self._frames: list[pl.DataFrame] = []
        self._rows = 0

    def add(self, bad: pl.DataFrame | None) -> None:
        if bad is not None and bad.height and self._rows < _MOST:
            self._frames.append(bad.select(_SCHEMA.names()).head(_MOST - self._rows))
            self._rows += self._frames[-1].height

    @property
    def frame(self) -> pl.DataFrame:
        return pl.concat([_NONE, *self._frames]) if self._frames else _NONE.clone()


class WriteResult(int):
    """What became of the bars of one call. As an int, the number of rows written; always true, as
    an object is.

    submitted = inserted + updated + unchanged + duplicate + rejected, always.

    Attributes:
        submitted: bars passed in.
        inserted: bars that were not stored before.
        updated: stored bars that changed; the old values are kept as revisions.
        unchanged: bars that were stored already with equal values.
        duplicate: further bars for a key within one batch; the last one counts.
        rejected: bars that broke a rule; they are kept in `bars_rejected`.
        rejects: the first 10,000 of these: `row_number` (Int64, from 1), `rules` (List(String), the
            rules that the row broke), `raw` (String, the row as a JSON object).
    """

    submitted: int
    inserted: int
    updated: int
    unchanged: int
    duplicate: int
    rejected: int
    rejects: pl.DataFrame

    def __new__(cls, counts: Counts | None = None, rejects: Rejects | None = None) -> Self:
        counts = counts or Counts()
        self = super().__new__(cls, counts.written)
        self.__dict__.update(
            submitted=counts.read,
            inserted=counts.inserted,
            updated=counts.updated,
            unchanged=counts.unchanged,
            duplicate=counts.duplicate,
            rejected=counts.rejected,
            rejects=(rejects or Rejects()).frame,
        )
        return self

    def __bool__(self) -> bool:
        return True

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a WriteResult is frozen: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:  # for copy and pickle
        read, inserted, updated, unchanged, duplicate, rejected = self._counts.values()
        rejects = Rejects()
        rejects.add(self.rejects)
        counts = Counts(read, inserted, updated, unchanged, duplicate, 0, rejected)
        return WriteResult, (counts, rejects)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}={value}" for name, value in self._counts.items())
        return f"WriteResult({counts})"

    @property
    def _counts(self) -> dict[str, int]:
        return {name: value for name, value in self.__dict__.items() if name != "rejects"}
