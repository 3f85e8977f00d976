"""Replaces `${NAME}` and `${NAME:-default}` in the values of mdload.toml by the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from loader.lazy import regex
from loader.text import names_secret

_REFERENCE: Final = regex(
    r"(?P<literal>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}"
    r"|(?P<wrong>\$\{[^}]*\}?)"
)


def refers(value: object) -> bool:
    """Whether any variable is used."""
    match value:
        case str():
            return "${" in value
        case list():
            return any(map(refers, value))
        case Mapping():
            return any(map(refers, value.values()))
    return False


def expand(value: Any, environ: Mapping[str, str], *, mask: str | None = None) -> Any:
    """`value` with the variables in its texts replaced, at any depth; `$${` becomes `${`. A `mask`
    replaces variables with the name of a secret.

    Raises:
        ValueError: a variable is not set and has no default, or a reference has no variable's name.
    """

    def put(match: re.Match[str]) -> str:
        if match["literal"]:
            return "${"
        if match["wrong"]:
            raise ValueError(f"{match[0]!r} is not the name of a variable: write ${{NAME}}")
        if mask is not None and names_secret(match["name"]):
            return mask
        found = environ.get(match["name"]) or match["default"]
        if found is None:
            raise ValueError(f"the environment variable {match['name']} is not set")
        return found

    match value:
        case str():
            return _REFERENCE.sub(put, value)
        case list():
            return [expand(each, environ, mask=mask) for each in value]
        case Mapping():
            return {name: expand(each, environ, mask=mask) for name, each in value.items()}
    return value
