"""Columns that flag bars as finished or not, whatever the format: `complete`, `isFinal` …"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch

#: Names of flags that are true for a finished bar, and of those that are true for one that is not.
_FINISHED: Final = frozenset(
    [
        "complete", "completed", "iscomplete", "iscompleted", "closed", "isclosed", "barclosed",
        "final", "isfinal", "finalized", "finished", "isfinished", "confirm", "confirmed",
        "isconfirmed",
    ]
)  # fmt: skip
_RUNNING: Final = frozenset(
    ["partial", "ispartial", "incomplete", "isincomplete", "unfinished", "inprogress", "ispending"]
)
_TRUE: Final = ("true", "t", "yes", "y", "1", "1.0")
_FALSE: Final = ("false", "f", "no", "n", "0", "0.0")
#: A first batch of more rows than this cannot be all unfinished.
_FEW: Final = 2


def flags(frame: pl.DataFrame, used: Iterable[str], where: str) -> Mapping[str, pl.Expr]:
    """Boolean expressions for the rows of `frame` that are bars still running, by the reason. Only
    columns that are not `used` otherwise, and that hold nothing but true and false.

    Raises:
        ColumnMismatch: by such a column no bar is finished, so it may mean something else.
    """
    found = {}
    taken = set(used)
    for name in frame.columns:
        folded = fold(name)
        if name in taken or folded not in _FINISHED | _RUNNING:
            continue
        word = pl.col(name).cast(pl.String).str.strip_chars().str.to_lowercase()
        running = word.is_in(_FALSE if folded in _FINISHED else _TRUE)
        said = frame.select(
            known=(word.is_null() | (word == "") | word.is_in([*_TRUE, *_FALSE])).all(),
            running=running.fill_null(False).sum(),
        )
        known, count = said.row(0)
        if not known:
            continue
        if frame.height > _FEW and count == frame.height:
            raise ColumnMismatch.at(
                where,
                f"column {name!r} marks all {frame.height:,} bars as unfinished",
                column=name,
                hint="if it means something else, load them with --keep-skipped",
            )
        found[f"a bar that was unfinished, as column {name!r} marks it"] = running
    return found
