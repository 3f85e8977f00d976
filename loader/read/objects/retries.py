"""How often a request is repeated that the network or a server has failed."""

from __future__ import annotations

import os
from typing import Final

from loader.errors import SettingsError

VARIABLE: Final = "MDLOAD_REMOTE_RETRIES"
_DEFAULT: Final = 5
_MOST: Final = 20


def retries() -> int:
    """As the environment says it, or 5.

    Raises:
        SettingsError: the variable is not a number from 0 to 20.
    """
    text = os.environ.get(VARIABLE, "").strip() or str(_DEFAULT)
    if not text.isascii() or not text.isdecimal() or int(text) > _MOST:
        raise SettingsError(
            f"{VARIABLE} must be a whole number from 0 to {_MOST}, not {text!r}",
            hint=f"unset it, or: export {VARIABLE}={_DEFAULT}",
        )
    return int(text)
