"""How far into a source its rows reach, in bytes."""

from __future__ import annotations

from bisect import bisect_left


class Marks:
    """Points at which some number of rows had been read, and some number of the source's bytes (of
    a compressed file: as on disk). One thread adds them, others ask."""

    def __init__(self) -> None:
        self._rows = [0]
        self._bytes = [0]

    def add(self, rows: int, position: int) -> None:
        """The first `rows` rows were read, and `position` bytes."""
        if rows > self._rows[-1]:
            self._bytes.append(max(position, self._bytes[-1]))
            self._rows.append(rows)

    def at(self, rows: int) -> int:
        """The bytes that the first `rows` rows take, from the marks around them."""
        known = len(self._rows)
        after = bisect_left(self._rows, rows, 0, known)
        if after == known:
            return self._bytes[known - 1]
        if after == 0:
            return 0
        (rows_before, rows_after), (start, end) = (
            values[after - 1 : after + 1] for values in (self._rows, self._bytes)
        )
        return start + (end - start) * (rows - rows_before) // (rows_after - rows_before)
