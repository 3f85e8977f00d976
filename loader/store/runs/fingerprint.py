"""The fingerprint of a configuration: two that mean the same have the same one, everywhere.

The canonical form is JSON in UTF-8, without blanks, with the keys of each object in code point
order:

- numbers by value and without exponent: `1`, `1.0` and `Decimal("1.00")` are `1`, `2.50` is `2.5`;
  a float with a fraction is its shortest decimal form; `Infinity`, `-Infinity` and `NaN`;
- a datetime with a zone is its time in UTC, `"2024-01-02T03:04:05Z"`, with six digits of
  microseconds where there are any; one without a zone has no `Z`; a date is `"2024-01-02"`, a time
  of day `"09:30:00"`; a timedelta is the number of its seconds;
- tuples are lists; a set is the list of its distinct members in the order of their canonical form;
- a path is its text with `/`; an enum member is its value;
- entries with a key that names a secret (`loader.text.names_secret`) are left out, and so are user
  and password of a URL and the secrets in its query: a new password makes no new fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath

from loader.lazy import regex
from loader.text import names_secret, redact

_MICROSECOND = timedelta(microseconds=1)
_USERINFO = regex(r"(\b[A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#]*@")


def compute_config_fingerprint(config: Mapping[str, object]) -> str:
    """SHA-256 of the canonical form of `config`: 64 hexadecimal digits, lower case.

    Raises:
        TypeError: `config` is not a mapping, a key is not a string, or the type of a value has no
            canonical form; the message names its place.
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"a configuration is a mapping, not {type(config).__name__}")
    return hashlib.sha256(canonical(config).encode("utf-8", "surrogatepass")).hexdigest()


def canonical(value: object, where: str = "config") -> str:  # noqa: PLR0911 - one for each type
    """The canonical form of `value`; `where` names it in errors."""
    match value:
        case None:
            return "null"
        case Enum():
            return canonical(value.value, where)
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return _number(value)
        case str():
            return _text(redact(_USERINFO.sub(r"\1", value), ""))
        case PurePath():
            return _text(value.as_posix())
        case datetime() | date() | time():
            return _text(_moment(value))
        case timedelta():
            return _number(Decimal(f"{value // _MICROSECOND}e-6"))
        case list() | tuple():
            items = (canonical(item, f"{where}[{i}]") for i, item in enumerate(value))
            return f"[{','.join(items)}]"
        case set() | frozenset():
            return f"[{','.join(sorted({canonical(item, where) for item in value}))}]"
        case Mapping():
            return _object(value, where)
    raise TypeError(f"{where} is a {type(value).__name__}, which has no canonical form")


def _object(mapping: Mapping[object, object], where: str) -> str:
    entries = {}
    for key, value in mapping.items():
        if not isinstance(key, str):
            raise TypeError(f"{where} has the key {key!r}, which is not text")
        if not names_secret(key):
            entries[str.__str__(key)] = canonical(value, f"{where}.{key}")
    return "{" + ",".join(f"{_text(key)}:{entries[key]}" for key in sorted(entries)) + "}"


def _number(value: float | Decimal) -> str:
    """Whole numbers digit by digit, others as a decimal fraction without trailing zeros."""
    if isinstance(value, int):
        return int.__repr__(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    if isinstance(value, float):
        value = Decimal(int(value) if value.is_integer() else float.__repr__(value))
    digits = format(value, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _moment(value: date | time) -> str:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return value.isoformat()


def _text(value: str) -> str:
    return json.dumps(str(value), ensure_ascii=False)
