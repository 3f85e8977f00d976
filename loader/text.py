"""Numbers and times for people, and text without secrets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import PurePath
from typing import Final

from loader.lazy import regex

NOTHING: Final = "-"

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
_CAMEL = regex(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

#: Controls, marks of direction, what has no width, halves of characters, line separators, tags.
_STEERS: Final = regex(
    "[\\x00-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff"
    "\\ufff9-\\ufffb\\ud800-\\udfff\\U000e0000-\\U000e007f]"
)
_USERINFO = regex(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*://)(?P<userinfo>[^\s/?#]*)@")
_QUERY = regex(r"(?P<name>(?<=[?&])[^=&#\s]+)=(?P<value>[^&#\s]*)")
_NUMBER: Final = regex(r"\d[\d,.]*(?!\w)")
_SETTING = regex(
    r"(?<!--where )(?<!--where ')"  # columns of files may be called so
    r"(?P<name>\b(?:password|passwd|pwd|sslpassword|secret|token|api_?key)\b['\"]?\s*[=:]\s*"
    # variables as a shell sets them (PGPASSWORD=…), and a header of HTTP
    r"|\b\w*(?:password|passwd|passphrase|secret|token|api_?key|access_?key)="
    r"|\bauthorization\s*:\s*(?:(?:bearer|basic|token)\s+)?)"
    r"(?P<value>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s,;&'\"]+)",
    re.IGNORECASE,
)


@lru_cache(1024)
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
    if "=" not in text and ":" not in text:  # one of them is in all that follows
        return text

    def userinfo(match: re.Match[str]) -> str:
        user, colon, _ = match["userinfo"].partition(":")
        return f"{match['scheme']}{user}{colon}{mask if colon else ''}@"

    def parameter(match: re.Match[str]) -> str:
        return f"{match['name']}={mask}" if names_secret(match["name"]) else match[0]

    text = _USERINFO.sub(userinfo, text)
    text = _QUERY.sub(parameter, text)
    return _SETTING.sub(lambda match: f"{match['name']}{mask}", text)


def account_name() -> str:
    """The name of the account that runs this process, or `uid 1234`: in containers it may have
    none. Variables such as USER do not count."""
    try:
        import pwd  # noqa: PLC0415 - Windows has none
    except ImportError:
        return os.environ.get("USERNAME", "this account")
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def visible(text: str, keep: str = "\n") -> str:
    """`text` with escapes (`\\x1b`, `\\u202e`) for characters that steer a terminal or cannot be
    seen, except those in `keep`: all text that files, jobs and databases give goes through it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or not _STEERS.match(c) else _escaped(c) for c in text)


def visible_json(document: str) -> str:
    """A JSON document that says the same, with JSON's own escapes for such characters."""
    if document.isascii() and document.replace("\n", "").isprintable():
        return document

    def escaped(found: re.Match[str]) -> str:
        return json.dumps(found[0])[1:-1]

    return _STEERS.sub(lambda found: found[0] if found[0] == "\n" else escaped(found), document)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def plain(value: object) -> object:
    """What JSON has for `value`: `default` of json.dumps."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal() | PurePath():
            return str(value)
        case set() | frozenset():
            return sorted(value)
        case Mapping():
            return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def cell(value: object) -> str:
    """A value as a table shows it."""
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return number(value)
        case datetime():
            return utc(value)
        case list() | tuple():
            return ", ".join(map(cell, value)) or NOTHING
    return visible(str(value), "")


def number(n: float | None) -> str:
    """`1234567` as `1,234,567`; a float in its shortest exact form, without a `.0`."""
    if isinstance(n, float):
        return repr(n).removesuffix(".0")
    return NOTHING if n is None else f"{n:,}"


def counted(n: int, thing: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number(n)} {thing}{'' if n == 1 else 's'}"


def shortened(text: str, room: int, ahead: int | None = None) -> str:
    """`text` in at most `room` characters: without its middle, with `ahead` of its beginning (a
    third of `room`) and as much of its end as there is room for."""
    if len(text) <= room:
        return text
    ahead = room // 3 if ahead is None else ahead
    return f"{text[:ahead]}…{text[ahead + 1 - room :]}"


def alike(sentence: str) -> str:
    """`sentence` without its numbers: two that differ only in these say the same. A `1m` stays."""
    return _NUMBER.sub("#", sentence)


def utc(moment: datetime | None, *, seconds: bool = True) -> str:
    """`2024-03-01 14:30:05Z`, or without the seconds."""
    if moment is None:
        return NOTHING
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M{':%S' if seconds else ''}}Z"


def span(first: datetime | None, last: datetime | None) -> str:
    """From the first bar to the last: `2024-03-01 to 2024-05-31`, with times unless all are
    midnight."""
    if first is None or last is None:
        return NOTHING
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    if all((ts.hour, ts.minute, ts.second, ts.microsecond) == (0, 0, 0, 0) for ts in (first, last)):
        return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    seconds = ":%S" if first.second or last.second else ""
    return f"{first:%Y-%m-%d %H:%M{seconds}} to {last:%Y-%m-%d %H:%M{seconds}}"


def duration(ms: float | None) -> str:
    """`840 ms`, `12.3 s`, `4m 05s`, `2h 07m`, `3d 04h`."""
    if ms is None:
        return NOTHING
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f} s"
    seconds = round(ms / 1000)
    for unit, below, small, smaller in ((60, 3600, "m", "s"), (3600, 86_400, "h", "m")):
        if seconds < below:
            return f"{seconds // unit}{small} {seconds % unit // (unit // 60):02}{smaller}"
    return f"{seconds // 86_400}d {seconds % 86_400 // 3600:02}h"


def bytes_(n: int | None) -> str:
    """`512 B`, `1.5 kB`, `23.4 MB`, by thousands."""
    if n is None:
        return NOTHING
    if n < 1000:
        return f"{n} B"
    size = float(n)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"
