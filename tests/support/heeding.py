"""Children of the tests that hear the signals of a terminal."""

from __future__ import annotations

import signal


def heeding() -> None:
    """Where the tests run in the background these are ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
