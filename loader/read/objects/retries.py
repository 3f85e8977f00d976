"""How often a request is repeated that the network or a server has failed."""

from __future__ import annotations

from typing import Final

from loader.settings.environment import whole_number

VARIABLE: Final = "MDLOAD_REMOTE_RETRIES"
_DEFAULT: Final = 5
_MOST: Final = 20


def retries() -> int:
    """As the environment says it, or 5.

    Raises:
        SettingsError: the variable is not a number from 0 to 20.
    """
    return whole_number(VARIABLE, _DEFAULT, _MOST)
