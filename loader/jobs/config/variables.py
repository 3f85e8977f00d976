"""`${NAME}` and `${NAME:-default}` in the values of mdload.toml, out of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from loader.text import names_secret

_REFERENCE: Final = re.compile(
    r"(?P<literal>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}"
    r"|(?P<wrong>\$\{[^}]*\}?)"
)


def refers(value: object) -> bool:
    """Whether there is anything to put in."""
    match value:
        case str():
            return "${" in value
        case list():
            return any(map(refers, value))
        case Mapping():
            return any(map(refers, value.values()))
    return False


def expand(value: Any, environ: Mapping[str, str], *, mask: str | None = None) -> Any:
    """`value` with the variables in its texts, at any depth; `$${` stays `${`. With a `mask` that
    stands where a variable's name says that it is secret.

    Raises:
        ValueError: a variable is not set and has no default, or what stands there names none.
    """

    def put(match: re.Match[str]) -> str:
        if match["literal"]:
            return "${"
        if match["wrong"]:
            raise ValueError(f"{match[0]!r} names no variable, as ${{NAME}} does")
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
