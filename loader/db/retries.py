"""When to run a transaction again that another writer or a lost connection has spoiled."""

from __future__ import annotations

import random
import threading
import time
from typing import Final

from loader.settings.environment import whole_number

#: Attempts before the error is raised; a server that stays away has an `Outage` besides.
ATTEMPTS: Final = 8
#: How many seconds a load waits for a server that is away.
VARIABLE: Final = "MDLOAD_OUTAGE_SECONDS"
_DEFAULT: Final = 60
_MOST: Final = 86_400
#: An attempt that ran for more seconds has worked: a server that does not answer shows it sooner.
_WORKED: Final = 30.0


def pause(attempt: int) -> float:
    """Seconds to wait after attempt number `attempt` (from 1): at most 10, and random, so that two
    writers that blocked each other do not meet again."""
    longest = min(0.1 * 2.0 ** min(attempt, 10), 10.0)
    return random.uniform(0.5, 1.0) * longest  # noqa: S311


def outage_seconds() -> int:
    """As the environment has it, or 60.

    Raises:
        SettingsError: the variable is not a number from 0 to 86,400.
    """
    return whole_number(VARIABLE, _DEFAULT, _MOST)


class Outage:
    """The outages of the server that the files of a run meet: one outage costs the run its time
    once, not once for each file. Threads may share it.

    Raises:
        SettingsError: as `outage_seconds`.
    """

    def __init__(self) -> None:
        self._longest = outage_seconds()
        self._lock = threading.Lock()
        self._number = 0
        self._since: float | None = None

    def lost(self, ran: float) -> int | None:
        """The number of the outage that has ended an attempt which ran for `ran` seconds, counted
        from 1; None if it already lasts longer than the run waits."""
        with self._lock:
            now = time.monotonic()
            if self._since is None or ran > _WORKED:
                self._number += 1
                self._since = now
            return self._number if now - self._since < self._longest else None

    def over(self) -> None:
        """An attempt came to its end: the server is there."""
        with self._lock:
            self._since = None
