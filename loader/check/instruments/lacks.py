"""What a file lacks, reported all at once and with the options that supply it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field, replace
from typing import Final

from loader.dialects.dialect import Dialect
from loader.dialects.filenames import PathFacts
from loader.dialects.known import dialects
from loader.dialects.siblings import pattern_for
from loader.errors import ColumnMismatch, OneForSeveral, ProviderUnknown
from loader.lazy import dataclass, regex

#: A hint that names one option, with other values for it, if any.
_ONE_OPTION: Final = regex(r"[^:;]*: (--[a-z-]+ (?:'[^']*'|[^\s,;]+))(?:, --.*)?")
#: A name that is written like a ticker.
_TICKER: Final = regex(r"[A-Z][A-Z0-9.^=-]{0,14}")
#: Names of columns that may hold symbols; suggested in a hint, never assumed.
MAYBE_SYMBOL: Final = (
    "name", "code", "stock", "stocksymbol", "pair", "coin", "asset", "product", "contract",
    "market", "ric", "isin", "cusip", "figi", "permno",
)  # fmt: skip
_EXAMPLES: Final = {"exchange": "binance", "side": "bid", "trades": "midpoint"}
#: The column in which JSON's reader puts the names that rows stand under.
KEY: Final = "key"
_FIELD: Final = regex(r"-?\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Lack:
    """A `field` that nothing gives: the `fault` as a sentence, the `column` that is empty, and
    those that `maybe` hold it."""

    field: str
    fault: str
    column: str | None
    maybe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A file among those of its load.

    Attributes:
        name: how messages call it.
        path: see `Opening.path`; empty for what is no file.
        unlike: another file of the load that may be of another instrument, or None.
    """

    name: str
    path: str = ""
    unlike: str | None = None

    @property
    def pattern(self) -> str | None:
        """A pattern for `--name` that gives each file its symbol, where there are several."""
        return None if self.unlike is None else pattern_for(self.path, self.unlike)

    def refuse_one_for_all(self, asked: str, given: str | None) -> None:
        """Refuses the symbol `asked` for all files, where this one has another by its name or
        folder, `given`, or none.

        Raises:
            OneForSeveral: the load has files that may be of different instruments.
        """
        if self.unlike is None:
            return
        one = f"--symbol {asked} would be laid over files of different names, and this one"
        if given is not None:
            raise OneForSeveral.at(
                self.name,
                f"{one} is of {given} by its path",
                hint="leave --symbol out: each file is loaded under its own; or load one by one",
            )
        raise OneForSeveral.at(
            self.name,
            f"{one} does not say its symbol",
            hint=f"read their names: --name '{self.pattern}'; or if all are of "
            f"{asked}: --name '*' --symbol {asked}",
        )


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file beside its rows: what its `path` gives, its `place` among others, the
    columns that are `used` already, as parts of a symbol or a time or to select rows, those that
    stand `around` the rows, notes on its `times`, and the `delimiter` between the cells of a text.
    """

    path: PathFacts = field(default_factory=PathFacts)
    place: Place | None = None
    used: frozenset[str] = frozenset()
    around: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    delimiter: str = ""


def refuse(
    lacks: Sequence[Lack], place: Place, dialect: Dialect, further: ColumnMismatch | None = None
) -> None:
    """Raises one error for all `lacks`, and for what was found wrong `further` on.

    Raises:
        ProviderUnknown: the provider is lacking.
        ColumnMismatch: other things are.
    """
    if not lacks:
        if further is not None:
            raise further
        return
    faults = [lack.fault for lack in lacks]
    options = [_option(lack, place, dialect) for lack in lacks]
    by_key = any(lack.maybe == (KEY,) for lack in lacks)
    rest = [_else(lack, place, dialect) for lack in lacks if lack.maybe]
    if further is not None:
        faults.append(further.fault)
        if by_key and further.where is not None and further.where.column == KEY:
            faults.pop()  # it is answered
        elif further.hint and (found := _ONE_OPTION.fullmatch(further.hint)):
            options.append(found[1])
        elif further.hint:
            rest.append(further.hint)
    kind = ProviderUnknown if any(lack.field == "provider" for lack in lacks) else ColumnMismatch
    them = "it" if len(options) == 1 else "them"
    raise kind.at(
        place.name,
        "; ".join(faults),
        column=lacks[0].column,
        hint="; ".join([f"name {them}: {' '.join(options)}", *rest]),
    )


def _else(lack: Lack, place: Place, dialect: Dialect) -> str:
    """What else may give what a file lacks."""
    if lack.maybe == (KEY,):
        return f"or if it is something else: {_option(replace(lack, maybe=()), place, dialect)}"
    return f"or if they stand there: --column symbol={lack.maybe[0]!r}"


def _option(lack: Lack, place: Place, dialect: Dialect) -> str:
    if lack.maybe == (KEY,):
        return f"--column symbol={KEY}"
    if lack.field == "provider":
        return f"--provider {_provider(place, dialect)}"
    if place.pattern is not None and "{symbol}" in place.pattern:
        return f"--name '{place.pattern}'"
    stem = re.sub(r"(?:\.[a-z0-9]+)+$", "", re.split("[/!]", place.path)[-1])
    name = f"--name '{place.pattern}' " if place.pattern is not None else ""
    return f"{name}--symbol {stem if _TICKER.fullmatch(stem) else 'AAPL'}"


def _provider(place: Place, dialect: Dialect) -> str:
    """The dialect's own provider, with an example for what its name lacks; for a plain table the
    vendor that a folder or the name is called after."""
    if dialect.shapes:
        template = dialect.provider or dialect.name
        made = _FIELD.sub(
            lambda found: (
                found[0].replace(f"{{{found[1]}}}", _EXAMPLES[found[1]])
                if found[1] in _EXAMPLES
                else ""
            ),
            template,
        )
        return made or dialect.name
    words = re.split("[^a-z0-9]+", place.path.lower())
    return next((word for word in reversed(words) if word in dialects()), "mine")
