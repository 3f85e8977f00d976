"""Ctrl-C while sessions work for one command."""

from __future__ import annotations

import signal
import threading

import pytest

from loader.db.cancelling import apart, cancellable


class Session:
    """Knows whether it was asked to stop."""

    def __init__(self) -> None:
        self.stopped = False
        self.heard = threading.Event()

    def cancel(self) -> None:
        self.stopped = True
        self.heard.set()


def test_an_interrupt_stops_all_sessions_and_waits_until_the_work_has_ended() -> None:
    """Among them are those that the work has opened."""
    first, others, ended = Session(), list[Session](), threading.Event()

    def work() -> None:
        others.extend([Session(), Session()])
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        first.heard.wait(30)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        cancellable(first, work, others)
    assert [each.stopped for each in (first, *others)] == [True, True, True]
    assert ended.is_set()


def test_work_that_ends_stops_none() -> None:
    first, other = Session(), Session()
    assert cancellable(first, lambda: 7, [other]) == 7
    assert [first.stopped, other.stopped] == [False, False]


def test_work_that_fails_stops_the_others_and_not_its_own_session() -> None:
    """There is nothing to stop, and a cancel could come so late that it ends the next statement."""
    first, other = Session(), Session()
    with pytest.raises(ZeroDivisionError):
        cancellable(first, lambda: 1 / 0, [other])
    assert [first.stopped, other.stopped] == [False, True]


def test_work_that_is_given_up_before_its_thread_begins_is_not_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C can come while the thread starts."""
    late: list[threading.Thread] = []

    def start(thread: threading.Thread) -> None:
        late.append(thread)
        raise KeyboardInterrupt

    done: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(KeyboardInterrupt):
            apart(lambda: done.append(1))
    late[0].start()
    late[0].join()
    assert done == []
