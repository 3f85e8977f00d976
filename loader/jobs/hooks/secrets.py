"""What hooks say, fit to be logged."""

from __future__ import annotations

import os
from typing import Final

from loader.text import names_secret, redact

#: Shorter values of secret variables would mask words by accident.
_SHORTEST: Final = 6


def masked(text: str) -> str:
    """`text` without passwords, and without the values of environment variables whose names say
    that they are secret, wherever a command repeats them."""
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and names_secret(name):
            text = text.replace(value, "***")
    return redact(text)
