"""What is a secret, and how text is shown or kept without it."""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = frozenset({
    "password", "passwd", "pwd", "passphrase", "secret", "secrets", "token", "tokens",
    "credential", "credentials", "authorization", "apikey", "accesskey", "authkey", "privatekey",
    "secretkey", "signature", "sig",
})  # fmt: skip
#: `key` ends the name of a secret (`api_key`, `polygon_key`), except after these.
_PLAIN_KEYS: Final = frozenset({
    "primary", "foreign", "unique", "natural", "composite", "partition", "cluster", "sort",
    "order", "group", "join", "merge", "conflict", "dedup", "row", "bar", "cache", "index",
    "column",
})  # fmt: skip
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_USERINFO = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*://)(?P<userinfo>[^\s/?#]*)@")
_QUERY = re.compile(r"(?P<name>(?<=[?&])[^=&#\s]+)=(?P<value>[^&#\s]*)")
_SETTING = re.compile(
    r"(?P<name>\b(?:password|passwd|pwd|sslpassword|secret|token|api_?key)\b['\"]?\s*[=:]\s*"
    # variables as a shell sets them (PGPASSWORD=…), and a header of HTTP
    r"|\b\w*(?:password|passwd|passphrase|secret|token|api_?key|access_?key)="
    r"|\bauthorization\s*:\s*(?:(?:bearer|basic|token)\s+)?)"
    r"(?P<value>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s,;&'\"]+)",
    re.IGNORECASE,
)


def names_secret(name: str) -> bool:
    """Whether a value under `name` (`password`, `apiKey`, `X-Auth-Token`) must not be shown."""
    words = [w.lower() for w in re.split(r"[^A-Za-z0-9]+", _CAMEL.sub("_", name)) if w]
    if any(word in _WORDS for word in words):
        return True
    if not words or words[-1] not in ("key", "keys"):
        return False
    return words == ["key"] or (len(words) > 1 and words[-2] not in _PLAIN_KEYS)


def redact(text: str, mask: str = "***") -> str:
    """`text` with `mask` for the passwords in it: in URLs, their queries and `password=…`.

    The user's name stays, because it tells a person which account was meant.
    """

    def userinfo(match: re.Match[str]) -> str:
        user, colon, _ = match["userinfo"].partition(":")
        return f"{match['scheme']}{user}{colon}{mask if colon else ''}@"

    def parameter(match: re.Match[str]) -> str:
        return f"{match['name']}={mask}" if names_secret(match["name"]) else match[0]

    text = _USERINFO.sub(userinfo, text)
    text = _QUERY.sub(parameter, text)
    return _SETTING.sub(lambda match: f"{match['name']}{mask}", text)
