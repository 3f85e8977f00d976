"""strptime formats of the person's own, in Polars' words.

Polars has Rust's words. They agree with Python's but for `%f`, which counts nanoseconds there, and
`%Z`, which Python reads over. Rust's own words (`%3f`, `%.f`) are taken too.
"""

from __future__ import annotations

import re
from typing import Final

from loader.bars.times.forms import Form
from loader.lazy import regex

_WORD: Final = regex(r"%([-_0]?[aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYfzZ%]|\.?[369]?f|:z|#z)")
_CLOCK_WORD: Final = regex("%[-_0]?[HIklTXRrcs]")
_HOUR_ALONE: Final = regex("^(?!.*%[-_0]?[MTXRrcs]).*%[-_0]?[HIkl]")
_ZONE_WORD: Final = "(?:[A-Z][A-Za-z]*(?:/[A-Za-z0-9_+-]+)*)"
#: What the words before a fraction match; where no mark stands between them they are fixed.
_MATCHES: Final = {
    "Y": "[0-9]{4}", "j": "[0-9]{3}", "b": "[A-Za-z]+", "B": "[A-Za-z]+", "a": "[A-Za-z]+",
    "A": "[A-Za-z]+", "p": "[A-Za-z]+", "T": "[0-9:]+", "F": "[0-9-]+", "D": "[0-9/]+", "%": "%",
}  # fmt: skip


def is_format(text: str) -> bool:
    """Whether `text` is a strptime format: it has words of strptime, and no others; the name of a
    zone comes last."""
    words = "%" in text and "%" not in _WORD.sub("", text)
    return words and "%Z" not in text.replace("%%", "").removesuffix("%Z")


def custom(time_format: str) -> Form:
    """The form of a strptime format; an offset at its end (`%z`, or a literal `Z`) is split off,
    and the name of a zone (`%Z`) is read over."""
    bare, insert = time_format, None
    if bare.endswith("%Z") and not bare.endswith("%%Z"):
        bare, insert = bare.removesuffix("%Z").rstrip(" "), (f" *{_ZONE_WORD}$", "")
    dated = re.sub(r" ?(%:?z|%#z|(?<!%)Z)$", "", bare)
    offset, bare = dated != bare, dated
    clock = _CLOCK_WORD.search(bare) is not None
    if (place := _fraction(bare)) is not None:
        before, after = bare[:place], bare[place + 2 :]
        if before.endswith("."):
            bare = before[:-1] + "%.f" + after
        elif insert is None:
            bare, insert = before + "%.f" + after, (f"^({_pattern(before)})([0-9]{{1,6}})", "$1.$2")
    ending, word = (" 00", " %M") if _HOUR_ALONE.match(bare) else ("", "")  # Polars wants both
    return Form(time_format, (bare + word,), None, clock, offset, ending, insert=insert)


def _fraction(text: str) -> int | None:
    """Where Python's `%f` stands."""
    found = re.search(r"(?<!%)(?:%%)*(%f)", text)
    return found.start(1) if found else None


def _pattern(before: str) -> str:
    fixed = re.fullmatch("(%[A-Za-z])+", before) is not None
    digits = "[0-9]{2}" if fixed else "[0-9]{1,2}"
    parts = re.split("(%[-_0]?[A-Za-z%])", before)
    return "".join(
        _MATCHES.get(part[-1], digits) if part.startswith("%") else re.escape(part)
        for part in parts
    )
