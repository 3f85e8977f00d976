"""Where names of files have their dates: the values of `known_at_from`."""

from __future__ import annotations

import re
from typing import Final

from loader.errors import SettingsError

#: What directives of strptime match in a name.
_DIGITS: Final = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "y": 2, "j": 3, "f": 6}
EXAMPLE: Final = "for example --known-at-from 'name:%Y%m%d', 'name:-(\\d{8})\\.' or mtime"


def read(rule: str) -> str:
    """`rule`, if it can be used."""
    pattern(rule)
    return rule


def pattern(rule: str) -> tuple[re.Pattern[str], str | None]:
    """What to look for in a name, and the time format of it, or None for a usual one."""
    kind, _, form = rule.partition(":")
    if rule == "mtime":
        return re.compile(""), None
    if kind != "name" or not form:
        raise SettingsError(f"--known-at-from {rule!r} is not understood", hint=EXAMPLE)
    try:
        if "%" not in form:
            return re.compile(form), None
        parts = re.split(r"%(.)", form)
        digits = "".join(
            re.escape(part) if place % 2 == 0 else rf"\d{{{_DIGITS[part]}}}"
            for place, part in enumerate(parts)
        )
        return re.compile(rf"(?<!\d)({digits})(?!\d)"), form
    except (re.error, KeyError) as error:
        raise SettingsError(
            f"--known-at-from {rule!r} is not understood: {error}", hint=EXAMPLE
        ) from error
