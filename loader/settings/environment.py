"""Numbers that the environment may set, for what no command has an option for."""

from __future__ import annotations

import os

from loader.errors import SettingsError


def whole_number(variable: str, default: int, most: int) -> int:
    """The number in `variable`; `default` where it is unset or blank.

    Raises:
        SettingsError: it is not a whole number from 0 to `most`.
    """
    text = os.environ.get(variable, "").strip() or str(default)
    if not text.isascii() or not text.isdecimal() or int(text) > most:
        raise SettingsError(
            f"{variable} must be a whole number from 0 to {most:,}, not {text!r}",
            hint=f"unset it, or: export {variable}={default}",
        )
    return int(text)
