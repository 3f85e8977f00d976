"""Ctrl-C and SIGTERM, both as KeyboardInterrupt in the main thread."""

from __future__ import annotations

import signal


def heed() -> None:
    """Makes both signals end the work in hand; to be called once Polars is imported.

    Polars puts a handler of its own under Python's when it is imported, and keeps a Ctrl-C to
    itself while one of its queries runs in any thread: a load that waits for a lock would not end.
    Where the caller ignores SIGINT (nohup, a shell's background job), it stays ignored.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)
