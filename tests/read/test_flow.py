"""Stages side by side: the same items in the same order, and nothing left running."""

from __future__ import annotations

import inspect
import signal
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing

import pytest

from loader.read.ahead import ahead


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "mdload-ahead"]


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    yield
    assert not threads()


def numbers(n: int, log: list[str]) -> Generator[int, None, None]:
    try:
        for number in range(n):
            log.append(f"made {number}")
            yield number
    finally:
        log.append("closed")


@pytest.mark.parametrize("n", [0, 1, 2, 50])
def test_all_items_in_order(n: int) -> None:
    log: list[str] = []
    assert list(ahead(numbers(n, log))) == list(range(n))
    assert log[-1] == "closed"


@pytest.mark.parametrize("n", [0, 1, 20])
def test_an_error_comes_after_the_items_before_it(n: int) -> None:
    def failing() -> Generator[int, None, None]:
        yield from range(n)
        raise ZeroDivisionError("here")

    items = ahead(failing())
    assert [next(items) for _ in range(n)] == list(range(n))
    with pytest.raises(ZeroDivisionError, match="here"):
        next(items)


def test_closing_early_closes_the_upstream_and_waits_for_it() -> None:
    log: list[str] = []
    with closing(ahead(numbers(1_000_000, log))) as items:
        assert [next(items), next(items)] == [0, 1]
    assert log[-1] == "closed"
    assert len(log) < 10  # it was never far ahead


def test_an_error_of_the_consumer_closes_the_upstream() -> None:
    log: list[str] = []

    def consume() -> None:
        with closing(ahead(numbers(1_000_000, log))) as items:
            raise KeyError(next(items))

    with pytest.raises(KeyError):
        consume()
    assert log[-1] == "closed"


def test_ctrl_c_ends_what_the_upstream_waits_for() -> None:
    """First, and then it waits for the upstream."""
    taken, answer, ended = threading.Event(), threading.Event(), list[bool]()

    def asked() -> Generator[int, None, None]:
        yield 0
        taken.wait()
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)
        ended.append(answer.wait(30))

    with closing(ahead(asked(), stop=answer.set)) as items:
        next(items)
        taken.set()
        with pytest.raises(KeyboardInterrupt):
            next(items)
    assert ended == [True]


def test_ctrl_c_while_the_thread_starts_ends_the_upstream_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Interrupted(threading.Thread):
        def start(self) -> None:
            super().start()
            raise KeyboardInterrupt

    monkeypatch.setattr(threading, "Thread", Interrupted)
    upstream = numbers(100, [])
    with closing(ahead(upstream)) as items, pytest.raises(KeyboardInterrupt):
        next(items)
    assert inspect.getgeneratorstate(upstream) == inspect.GEN_CLOSED


def test_never_more_than_its_depth_ahead() -> None:
    log: list[str] = []
    with closing(ahead(numbers(100, log), depth=3)) as items:
        next(items)
        time.sleep(0.2)
        # One with the consumer, three waiting, one in hand.
        assert [entry for entry in log if entry != "closed"] == [f"made {n}" for n in range(5)]


def test_one_that_never_began_is_closed_without_a_thread() -> None:
    log: list[str] = []
    with closing(ahead(numbers(3, log))):
        assert not threads()
    assert log == []


@pytest.mark.parametrize("taken", [0, 1, 2, 30])
def test_stages_one_above_the_other(taken: int) -> None:
    """An inner one that fails ends the outer one; an outer one that is left ends the inner."""
    log: list[str] = []

    def doubled() -> Generator[int, None, None]:
        with closing(ahead(numbers(1_000, log))) as items:
            for number in items:
                if number == 20:
                    raise ValueError("twenty")
                yield 2 * number

    got = []
    try:
        with closing(ahead(doubled())) as items:
            for number in items:
                if len(got) == taken:
                    break
                got.append(number)
    except ValueError:
        assert taken >= 20
    assert got == [2 * n for n in range(min(taken, 20))]
    assert log[-1] == "closed"


def test_an_upstream_that_fails_to_close_does_not_hang() -> None:
    def stubborn() -> Generator[int, None, None]:
        try:
            yield from range(100)
        finally:
            raise OSError("cannot close")

    with closing(ahead(stubborn())) as items:
        next(items)
    with pytest.raises(OSError, match="cannot close"):
        list(ahead(stubborn()))
