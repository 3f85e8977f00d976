"""Ctrl-C while several sessions work for one command."""

from __future__ import annotations

import pytest

from loader.db.cancelling import cancellable


class Session:
    """Knows whether it was asked to stop."""

    def __init__(self) -> None:
        self.stopped = False

    def cancel(self) -> None:
        self.stopped = True


def test_an_interrupt_stops_the_sessions_that_were_opened_meanwhile() -> None:
    first, others = Session(), list[Session]()

    def work() -> None:
        others.extend([Session(), Session()])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cancellable(first, work, others)  # type: ignore[arg-type]
    assert [each.stopped for each in (first, *others)] == [True, True, True]


def test_work_that_ends_stops_none() -> None:
    first, other = Session(), Session()
    assert cancellable(first, lambda: 7, [other]) == 7  # type: ignore[arg-type, list-item]
    assert [first.stopped, other.stopped] == [False, False]
