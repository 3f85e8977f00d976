"""Columns that flag bars as finished or not, whatever the format: `complete`, `isFinal` …"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from loader.dialects.dialect import Dialect, fold
from loader.errors import ColumnMismatch

#: Names of flags that are true for a finished bar, and of those that are true for one that is not.
_FINISHED: Final = frozenset(
    [
        "complete", "completed", "iscomplete", "iscompleted", "closed", "isclosed", "barclosed",
        "isbarclosed", "candleclosed", "iscandleclosed", "klineclosed", "isklineclosed", "final",
        "isfinal", "finalized", "isfinalized", "barfinal", "finished", "isfinished", "confirm",
        "confirmed", "isconfirmed",
    ]
)  # fmt: skip
_RUNNING: Final = frozenset(
    [
        "partial", "ispartial", "incomplete", "isincomplete", "unfinished", "inprogress",
        "ispending", "preliminary", "ispreliminary", "provisional", "isprovisional", "forming",
        "isforming", "isopen",
    ]
)  # fmt: skip
#: Names of columns that say it in words, and the words for a finished and for a running bar.
_STATES: Final = frozenset(
    ["status", "state", "barstatus", "barstate", "candlestatus", "candlestate"]
)
_ENDED: Final = ("closed", "close", "complete", "completed", "final", "finished", "confirmed")
_OPEN: Final = ("open", "forming", "partial", "incomplete", "running", "live", "preliminary")
_TRUE: Final = ("true", "t", "yes", "y", "1", "1.0")
_FALSE: Final = ("false", "f", "no", "n", "0", "0.0")
#: A file's first batch of more rows than this cannot be all unfinished.
_FEW: Final = 2
_REASON: Final = "a bar that was unfinished, as column {!r} marks it"


def flags(frame: pl.DataFrame, used: Iterable[str]) -> Mapping[str, pl.Expr]:
    """Boolean expressions for the rows of `frame` that are bars still running, by the reason. Only
    columns that are not `used` otherwise, and that hold nothing but true and false."""
    taken = set(used)
    found = {}
    for name in frame.columns:
        folded = fold(name)
        if name in taken or folded not in _FINISHED | _RUNNING | _STATES:
            continue
        word = pl.col(name).cast(pl.String).str.strip_chars().str.to_lowercase()
        ended, running = _words(folded)
        known = word.is_null() | word.is_in(["", *ended, *running])
        if frame.select(known.all()).item():
            found[_REASON.format(name)] = word.is_in(running)
    return found


def _words(folded: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words for a finished and for a running bar in a column of this name."""
    if folded in _STATES:
        return _ENDED, _OPEN
    return (_TRUE, _FALSE) if folded in _FINISHED else (_FALSE, _TRUE)


def refuse_none_finished(frame: pl.DataFrame, skip: Mapping[str, pl.Expr], where: str) -> None:
    """Raises:
    ColumnMismatch: by such a column no bar of a file's first batch is finished, so it may mean
        something else.
    """
    for reason, running in skip.items():
        [name, *_] = running.meta.root_names()
        if frame.height <= _FEW or reason != _REASON.format(name):
            continue
        if frame.select(running.fill_null(False).all()).item():
            raise ColumnMismatch.at(
                where,
                f"column {name!r} marks all {frame.height:,} bars as unfinished",
                column=name,
                hint="if it means something else, load them with --keep-skipped",
            )


def skipped(
    dialect: Dialect, frame: pl.DataFrame, columns: Mapping[str, str]
) -> Mapping[str, pl.Expr]:
    """The dialect's reasons whose columns this file has, and flags of unfinished bars that the
    dialect does not know."""
    own = {
        reason: expr
        for reason, expr in dialect.skip.items()
        if set(expr.meta.root_names()) <= set(frame.columns)
    }
    known = {name for expr in own.values() for name in expr.meta.root_names()}
    return {**own, **flags(frame, {*known, *columns.values()})}
