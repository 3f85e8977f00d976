"""Every step of a load lets go of what it gave before it asks for more: memory stays flat."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from loader import bars
from loader.check.unique import BARS_AND_ROW, in_order, made_unique
from loader.check.validate import CheckedBatch
from loader.ingest.part import Part
from loader.read.ahead import ahead
from loader.read.batch import batches
from loader.store.compare import PendingDiff

START = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
ROWS, PIECES = 10, 4


def frame(number: int) -> pl.DataFrame:
    """The bars of the piece of this number."""
    times = [START + timedelta(minutes=number * ROWS + at) for at in range(ROWS)]
    values = {name: [1] * ROWS for name in (*bars.VALUES, "row_number")}
    words = {name: ["p"] * ROWS for name in bars.SERIES}
    return pl.DataFrame({**words, "ts": times, **values}).select(
        pl.col(name).cast(kind) for name, kind in BARS_AND_ROW.items()
    )


def checked(number: int) -> CheckedBatch:
    return CheckedBatch(frame(number), pl.DataFrame(), {}, pl.DataFrame())


def pending(number: int) -> PendingDiff:
    return PendingDiff(made_unique(checked(number)))


def passing(pieces: Iterator[PendingDiff]) -> Iterator[PendingDiff]:
    return Part("x", [], only=made_unique(checked(0))).passing(pieces)


@pytest.mark.parametrize(
    ("make", "held", "step"),
    [
        (checked, lambda piece: piece.good, in_order),
        (pending, lambda piece: piece.unique.bars, passing),
        (frame, lambda piece: piece, lambda frames: batches(frames, "x", ROWS)),
    ],
    ids=["in_order", "passing", "batches"],
)
def test_a_step_keeps_nothing_while_it_waits(
    make: Callable[[int], object],
    held: Callable[[object], pl.DataFrame],
    step: Callable[[Iterator[object]], Iterator[object]],
) -> None:
    kept: list[bool] = []

    def upstream() -> Iterator[object]:
        for number in range(PIECES):
            piece = make(number)
            alive = weakref.ref(held(piece))
            yield piece
            del piece
            kept.append(alive() is not None)

    given = 0
    for result in step(upstream()):
        given += 1
        del result
    assert (given, kept) == (PIECES, [False] * PIECES)


class Item:
    """What passes."""


def test_a_stage_keeps_nothing_while_it_waits() -> None:
    gone = [threading.Event() for _ in range(3)]
    ask = threading.Event()

    def upstream() -> Iterator[Item]:
        for number in range(3):
            if number == 2:
                assert ask.wait(60)
            item = Item()
            weakref.finalize(item, gone[number].set)
            yield item
            del item

    items = ahead(upstream())
    for _ in range(2):
        next(items)
    waiting = threading.Thread(target=next, args=(items,))
    waiting.start()
    first, second = (each.wait(60) for each in gone[:2])
    ask.set()
    waiting.join(60)
    assert (first, second) == (True, True)
    items.close()
