"""What is known of the interval of a file's bars beside its rows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from loader import bars
from loader.dialects.filenames import PathFacts
from loader.dialects.recognition import Recognition
from loader.errors import SettingsError
from loader.lazy import dataclass
from loader.settings import Meaning

_NO_WORDS: Final[Mapping[str, str]] = MappingProxyType({})
VOCABULARY: Final = " ".join(bars.INTERVALS)
#: The source of an interval that the person gave.
ASKED: Final = "--interval"


@dataclass(frozen=True, slots=True)
class Hint:
    """A word about all bars of a file and its origin: the person's option or pattern, a folder, or
    what a dialect knows.

    Attributes:
        given: whether the person or a folder says it, and not the dialect.
    """

    word: str
    by: str
    given: bool = False

    def __str__(self) -> str:
        return f"{self.by} {self.word}"


def parse_interval(hint: Hint, words: Mapping[str, str] = _NO_WORDS) -> str:
    """The interval that a hint names.

    Raises:
        SettingsError: the word is not an interval.
    """
    known = _known(hint.word, words)
    if known is None:
        problem, vocabulary = f"{hint.word!r} is not an interval", f"one of {VOCABULARY}"
        if hint.by == ASKED:
            raise SettingsError(problem, option=ASKED, hint=vocabulary)
        raise SettingsError(f"{hint.by} {problem}", hint=vocabulary)
    return known


def hinted_interval(
    meaning: Meaning, taken: Recognition, path: PathFacts
) -> tuple[Hint | None, tuple[str, ...]]:
    """What is known of the interval beside the rows, best first, and where two disagree."""
    found = [Hint(path.words["interval"], f"{path.origin['interval']} says", given=True)] if (
        "interval" in path.words) else []  # fmt: skip
    if meaning.interval is not None:
        found.append(Hint(meaning.interval, ASKED, given=True))
    if "interval" in taken.facts:
        found.append(Hint(taken.facts["interval"], "the file's name says"))
    elif taken.dialect.interval is not None:
        found.append(Hint(taken.dialect.interval, f"{taken.dialect.name} says"))
    words = {_known(hint.word, taken.dialect.intervals): hint for hint in reversed(found)}
    first = _known(found[0].word, taken.dialect.intervals) if found else None
    notes = [
        f"interval is {found[0].word}, not {other.word}, as {other.by}"
        for interval, other in words.items()
        if meaning.interval is not None and interval is not None and interval != first
    ]
    return (found[0] if found else None), tuple(notes)


def _known(word: str, words: Mapping[str, str]) -> str | None:
    return words.get(word) or bars.parse_interval(word)
