"""Stages of a stream that work side by side."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

#: Seconds after which a wait is taken up again: a signal that comes just before it begins would be
#: noticed at its end only.
_LOOK: Final = 0.5


class _End:
    """The upstream is done, or failed with `error`."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(
    upstream: Generator[T, None, None], depth: int = 1, stop: Callable[[], object] = lambda: None
) -> Generator[T, None, None]:
    """The items of `upstream`, which runs in a thread of its own up to `depth` items ahead.

    So the next batch is parsed while the server takes this one, and memory stays flat: this and
    every other step of a load lets go of an item (`del`) before it asks for the next one. An
    exception of the upstream is raised here. Closing this generator, and Ctrl-C while it waits for
    an item, closes the upstream and waits for it; `stop` is called first, to end what it waits for.
    """
    items: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
    stopped, ended = threading.Event(), threading.Event()

    def put(item: T | _End) -> bool:
        while not stopped.is_set():
            try:
                items.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def run() -> None:
        end = _End()
        try:
            if not stopped.is_set():  # before it began
                for item in upstream:
                    if not put(item):
                        break
                    del item
            upstream.close()
        except BaseException as error:  # carried over to the consumer's thread
            end = _End(error)
        put(end)
        ended.set()

    thread = threading.Thread(target=run, name="mdload-ahead", daemon=True)
    try:  # Ctrl-C can also come while the thread starts
        thread.start()
        yield from _until_end(items)
    except BaseException:
        stopped.set()
        stop()
        raise
    finally:
        stopped.set()
        if thread.ident is not None:  # it has begun
            ended.wait()  # `join` refuses a thread that has just begun
            thread.join()


def _until_end(items: queue.Queue[T | _End]) -> Iterator[T]:
    while True:
        try:
            item = items.get(timeout=_LOOK)
        except queue.Empty:
            continue
        if isinstance(item, _End):
            if item.error is not None:
                raise item.error
            return
        yield item
        del item
