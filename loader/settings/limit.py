"""How much of a file may be refused, changed or absent."""

from __future__ import annotations

import re

from loader.errors import SettingsError
from loader.lazy import dataclass


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """How many rows a file may reject, or bars it may change or lack: a number, or a share of the
    rows read and not skipped, or of the stored bars that the file meets."""

    rows: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> RejectLimit:
        """`0`, `250` or `1%`, `0.5%`.

        Raises:
            SettingsError: it is neither.
        """
        match = re.fullmatch(r"\s*(\d+)\s*|\s*(\d+(?:\.\d*)?)\s*%\s*", text)
        if match and match[1]:
            return cls(rows=int(match[1]))
        if match and float(match[2]) <= 100:
            return cls(share=float(match[2]) / 100)
        raise SettingsError(
            f"{text!r} is neither a number of rows nor a percentage",
            hint="for example 100 or 0.5%",
        )

    def exceeded(self, rejected: int, read: int) -> bool:
        if self.rows is not None:
            return rejected > self.rows
        return rejected > (self.share or 0.0) * read

    def allows_all(self, of: int | None) -> bool:
        """Whether no number of rows out of `of` exceeds it; None is an unknown number."""
        if self.rows is not None:
            return of is not None and of <= self.rows
        return self.share == 1

    def __str__(self) -> str:
        return str(self.rows) if self.rows is not None else f"{(self.share or 0) * 100:g}%"
