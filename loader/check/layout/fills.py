"""Provider, symbol and interval for files that lack them. Values in the file always win."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from loader.bars import names
from loader.bars.words import changes
from loader.check.instruments.lacks import KEY, MAYBE_SYMBOL, Lack, Place
from loader.check.layout import clocks
from loader.dialects.dialect import fold
from loader.dialects.filenames import PathFacts
from loader.errors import SettingsError
from loader.lazy import dataclass

_EXAMPLES: Final = {"provider": "yahoo", "symbol": "AAPL"}
#: Rows of which all distinct values are found sooner than where one of them ends.
_FEW: Final = 10_000
_UNKNOWN_KEY: Final = "the symbol of the bars is not known, but that rows stand under names such as"


@dataclass(frozen=True, slots=True)
class Fill:
    """`value` fills empty cells, or every row of a file without the column; `lack` is there if
    nothing gives one."""

    value: str | None
    notes: tuple[str, ...] = ()
    lack: Lack | None = None


def provider(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    asked: str | None,
    path: PathFacts,
    by_name: str | None,
    market: str,
) -> Fill:
    """The fill of `provider`: what the path gives, else what the person `asked` for, else the
    dialect's own, `by_name`. `market` is the end of that which keeps markets apart, such as `-um`:
    nothing takes it away.

    Raises:
        SettingsError: `asked` is blank.
    """
    check_word("provider", asked)
    column = columns.get("provider")
    said, notes = words_of(frame, column), []
    known = path.words.get("provider", asked)
    if known is not None and asked is not None and known != asked.strip():
        notes.append(f"provider is {known}, as {path.origin['provider']} says, not {asked}")
    if known is not None:
        by = _by("provider", path)
        if said:
            overruled = said != [known.strip()]
            note = overruled_note("provider", str(column), said, f"{by} {known}")
            return Fill(known, (note,) if overruled else ())
        if set(_parts(market)) - set(_parts(known)):
            notes.append(f"provider is {known.strip()}{market}: {market} keeps its markets apart")
            known = known.strip() + market
        return Fill(known, tuple(notes))
    if by_name is not None:
        return Fill(None if said else by_name)
    if said or (column is not None and not frame.height):
        return Fill(None)
    return Fill(None, lack=_lack("provider", column))


def symbol(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    asked: str | None,
    path: PathFacts,
    by_name: str | None,
    place: Place,
) -> Fill:
    """The fill of `symbol`: what the path gives, else what the person `asked` for, else what the
    dialect reads from the file's name, `by_name`.

    Raises:
        SettingsError: `asked` is blank.
        OneForSeveral: `asked` would be laid over files of several instruments.
    """
    check_word("symbol", asked)
    column = columns.get("symbol")
    said, given = words_of(frame, column), path.words.get("symbol")
    if said:
        words = {
            given: f"{given}, as {path.origin.get('symbol')} says",
            by_name: f"{by_name}, as the file's name says",
            asked: f"--symbol {asked}",
        }
        upper = {word.upper() for word in said}
        notes = [
            overruled_note("symbol", str(column), said, by)
            for word, by in words.items()
            if word is not None and upper != {word.strip().upper()}
        ]
        return Fill(given or asked, tuple(notes))
    if given is not None or asked is not None:
        return _one_symbol(asked, path, by_name, place)
    if by_name is not None or (column is not None and not frame.height):
        return Fill(by_name)
    maybe = [name for name in frame.columns if fold(name) in MAYBE_SYMBOL]
    if column is None and (keys := clocks.names(frame)):
        return Fill(None, lack=Lack("symbol", f"{_UNKNOWN_KEY} {keys[0]!r}", None, (KEY,)))
    return Fill(None, lack=_lack("symbol", column, maybe))


def _one_symbol(asked: str | None, path: PathFacts, by_name: str | None, place: Place) -> Fill:
    """What the path gives, else what was `asked` for, if it cannot be meant for another file."""
    given = path.words.get("symbol")
    if given is not None:
        if asked is None or is_alike(asked, given):
            return Fill(given)
        place.refuse_one_for_all(asked, given)
        return Fill(given, (f"symbol is {given}, as {path.origin['symbol']} says, not {asked}",))
    assert asked is not None
    if by_name is not None and is_alike(asked, by_name):
        return Fill(asked)
    if not path.free:
        place.refuse_one_for_all(asked, by_name)
    if by_name is None:
        return Fill(asked)
    note = f"symbol is {asked}, as --symbol says, not {by_name}, as the file's name says"
    return Fill(asked, (note,))


def _parts(provider: str) -> list[str]:
    """The words of a provider's name: `dukascopy` and `bid`."""
    return re.findall("[a-z0-9]+", provider.lower())


def is_alike(one: str, other: str) -> bool:
    """Whether two spellings differ only in case and signs: `BTC/USD` and `btcusd`."""
    return _plain(one) == _plain(other)


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text)).upper()


def _by(field: str, path: PathFacts) -> str:
    return f"as {path.origin[field]} says," if field in path.words else f"--{field}"


def _lack(field: str, column: str | None, maybe: Sequence[str] = ()) -> Lack:
    why = f"column {column!r} is empty" if column is not None else "the file has no column for it"
    return Lack(field, f"the {field} of the bars is not known, {why}", column, tuple(maybe))


def check_word(field: str, word: str | None) -> None:
    """Raises:
    SettingsError: the `word` given for `field` is blank.
    """
    if word is not None and not word.strip():
        hint = f"for example {_EXAMPLES[field]}"
        raise SettingsError("is blank", option=f"--{field}", hint=hint)


def words_of(frame: pl.DataFrame, column: str | None) -> list[str]:
    """The distinct words in a column, trimmed, in order of appearance; none without a column."""
    if column is None:
        return []
    text = names.trimmed(names.spelled(frame, column, None))
    if len(text.distinct) == 1:
        return [w for w in text.distinct if w]
    rows = text.rows
    if len(rows) > _FEW:  # most repeat the one before
        rows = rows.filter(changes([rows]))
    return [w for w in rows.unique(maintain_order=True) if w]


def overruled_note(field: str, column: str, said: list[str], hint: str) -> str:
    shown = ", ".join(word if word.isprintable() else repr(word) for word in said[:3])
    shown += f" and {len(said) - 3} more" if len(said) > 3 else ""
    return f"{field} is what column {column!r} says ({shown}), not {hint}"
