"""When to run a transaction again that another writer or a lost connection has spoiled."""

from __future__ import annotations

import random
from typing import Final

#: Attempts before the error is raised.
ATTEMPTS: Final = 8


def pause(attempt: int) -> float:
    """Seconds to wait after attempt number `attempt` (from 1): at most 10, and random, so that two
    writers that blocked each other do not meet again."""
    longest = min(0.1 * 2.0**attempt, 10.0)
    return random.uniform(0.5, 1.0) * longest  # noqa: S311
