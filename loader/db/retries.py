"""When a transaction that another writer or a lost server spoiled is run again."""

from __future__ import annotations

import random
from typing import Final

#: Attempts before the error is the caller's.
ATTEMPTS: Final = 8


def pause(attempt: int) -> float:
    """Seconds to wait after the `attempt`-th one (from 1): at most 10, and at random, so that two
    who were in each other's way do not meet again."""
    longest = min(0.1 * 2.0**attempt, 10.0)
    return random.uniform(0.5, 1.0) * longest  # noqa: S311
