"""From bars to checked bars: the good ones, and the bad ones with the rules that they broke."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Final

import polars as pl

from loader import bars
from loader.bars.names import Naming
from loader.bars.words import changes
from loader.check import rawjson
from loader.check.instruments.apart import Others
from loader.check.instruments.restarts import Restarts
from loader.check.normalise import Normalised
from loader.check.reasons import LONGEST_KEY
from loader.check.rules import EXACT, ROUNDED, RuleSettings, all_sound, rules
from loader.lazy import dataclass
from loader.read.batch import RawBatch
from loader.text import counted

__all__ = ["CheckedBatch", "RuleSettings", "validate"]

#: Rejected rows. The key is that of the bar as far as it could be read (`ts` Datetime us UTC).
BAD: Final[dict[str, pl.DataType]] = {
    "row_number": pl.Int64(),
    "rules": pl.List(pl.String()),
    "raw": pl.String(),
    **{name: bars.SCHEMA[name] for name in bars.KEY},
}
_NO_BAD: Final = pl.DataFrame(schema=BAD)
#: Times that any server takes, by far.
_AGES: Final = (datetime(1000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
#: With fewer rows it is no faster to drop those that repeat the one before first.
_FEW: Final = 10_000
#: Up to so many, as in a feed's batch, Python is quicker than to start a query.
_FEW_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class CheckedBatch:
    """One batch after the rules; both frames in the batch's order, together all of its rows.

    Attributes:
        good: `bars.SCHEMA` and `row_number` (Int64, the row's number in the source, from 1).
        bad: `BAD`: `row_number`; `rules`, the names of the rules broken; `raw`, the row as the file
            has it, as a JSON object (see `loader.check.rawjson`); and the key, null where a part
            of it could not be read.
        rejected: for each rule that was broken, how many rows broke it.
        spellings: the distinct `provider`, `source_symbol`, `symbol` of the good rows, each with
            the `convention` by which the one was made of the other (all String).
        skipped: rows that the dialect does not count as bars.
        outside, unread: rows that are not in the part of the file that is loaded; with the last
            batch those of the whole file that were not even read.
        rounded: good rows of which open or close is outside of low and high by its rounding.
        last_row: the number of the batch's last row.
        others: the columns that no bar is read from, where some may tell instruments apart.
        prefers: which of two rows for one bar is kept, see `Dialect.prefers`.
        restarts: what looks for series that begin again with other prices, or None.
    """

    good: pl.DataFrame
    bad: pl.DataFrame
    rejected: Mapping[str, int]
    spellings: pl.DataFrame
    skipped: int = 0
    last_row: int = 0
    others: Others | None = None
    rounded: int = 0
    prefers: tuple[pl.Expr, ...] = ()
    outside: int = 0
    unread: int = 0
    restarts: Restarts | None = None


def validate(
    batch: RawBatch, normalised: Normalised, settings: RuleSettings, *, for_server: bool = False
) -> CheckedBatch:
    """Splits the bars of `batch` into good and bad ones. Pure; cheap if every row is good.

    `for_server`: see `rawjson.encode`.
    """
    active = rules(settings)
    start, raw = batch.location.start_row, batch.frame
    last_row = start + raw.height - 1
    numbers = pl.int_range(start, last_row + 1, dtype=pl.Int64, eager=True)
    numbered = normalised.bars.hstack([numbers.alias("row_number")])
    skipped = 0
    if normalised.skipped is not None:
        kept = ~normalised.skipped
        skipped = int(normalised.skipped.sum())
        numbered, raw, normalised = numbered.filter(kept), raw.filter(kept), normalised.only(kept)
    facts = normalised.bars.hstack(normalised.faults).hstack([normalised.steps.alias("step")])
    if all_sound(facts, settings):
        spellings = _spellings(numbered, normalised.source_symbols, normalised.naming)
        return CheckedBatch(numbered, _NO_BAD, {}, spellings, skipped, last_row)
    exact = facts.select(all_hold_exactly(settings)).to_series()
    if exact.all():
        spellings = _spellings(numbered, normalised.source_symbols, normalised.naming)
        return CheckedBatch(numbered, _NO_BAD, {}, spellings, skipped, last_row)
    sound = facts.select(_all_hold(settings)).to_series()
    rounded = int((sound & ~exact).sum())
    if rounded and sound.all():
        spellings = _spellings(numbered, normalised.source_symbols, normalised.naming)
        return CheckedBatch(numbered, _NO_BAD, {}, spellings, skipped, last_row, rounded=rounded)
    good = numbered.filter(sound)
    broken = facts.filter(~sound).select(
        (~rule.holds.fill_null(False)).alias(rule.name) for rule in active
    )
    rejected = {name: count for name, count in broken.sum().row(0, named=True).items() if count}
    bad = pl.DataFrame(
        [
            numbered["row_number"].filter(~sound),
            rules_of(broken, rejected),
            rawjson.encode(raw.filter(~sound), for_server=for_server),
        ]
    )
    bad = with_keys(bad.hstack(numbered.filter(~sound).select(bars.KEY)))
    spellings = _spellings(good, normalised.source_symbols.filter(sound), normalised.naming)
    return CheckedBatch(good, bad, rejected, spellings, skipped, last_row, rounded=rounded)


def rounding_notes(rows: int) -> tuple[str, ...]:
    """A note on the `rounded` rows of a file, if there are any."""
    if not rows:
        return ()
    count = f"{rows:,} rows" if rows > 1 else "1 row"
    return (
        f"open or close of {count} is outside of low and high by the rounding of a multiplied "
        "price: stored as it is",
    )


def skip_notes(rows: int, reasons: Collection[str]) -> tuple[str, ...]:
    """A note on the skipped `rows` of a file, if there are any, with the reasons that its layout
    has to skip one."""
    if not rows:
        return ()
    why = f": {' or '.join(reasons)}" if reasons else ""
    return (f"{counted(rows, 'row')} left out and counted as skipped{why}",)


@cache
def _all_hold(settings: RuleSettings) -> pl.Expr:
    return pl.all_horizontal(rule.holds for rule in rules(settings)).fill_null(False).alias("sound")


@cache
def all_hold_exactly(settings: RuleSettings) -> pl.Expr:
    """Whether a row keeps all rules, without the tolerance for rounded prices, which takes twice as
    long to compute."""
    others = [rule.holds for rule in rules(settings) if rule.name not in ROUNDED]
    if settings.allowed.isdisjoint(ROUNDED):
        others.append(EXACT)
    return pl.all_horizontal(*others).fill_null(False).alias("exact")


def rules_of(broken: pl.DataFrame, rules: Collection[str]) -> pl.Series:
    """The names of the `rules` that each row broke (`rules`, lists in their order), of a frame with
    a Boolean column for each.

    Rows mostly break the same few rules together: a list is made for each set of them, since making
    one for each row takes as long as writing the rows as JSON."""
    marks = [pl.col(rule).cast(pl.UInt64) * 2**place for place, rule in enumerate(rules)]
    sets = broken.select(pl.sum_horizontal(marks).alias("set")).to_series()
    found = sets.unique()
    lists = [
        [rule for place, rule in enumerate(rules) if each >> place & 1] for each in found.to_list()
    ]
    places = sets.replace_strict(found, pl.int_range(found.len(), dtype=pl.UInt32, eager=True))
    return pl.Series("rules", lists, dtype=BAD["rules"]).gather(places)


def with_keys(bad: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows as `BAD`. What is absent of a key is null, and so is what no bar can have."""
    absent = [pl.lit(None, BAD[name]).alias(name) for name in bars.KEY if name not in bad.columns]
    return bad.with_columns(*absent).select(
        "row_number",
        "rules",
        "raw",
        *(
            pl.when(pl.col(name).str.len_bytes().is_between(1, LONGEST_KEY))
            .then(pl.when(~pl.col(name).str.contains("\0", literal=True)).then(name))
            .alias(name)
            for name in bars.SERIES
        ),
        pl.when(pl.col("ts").is_between(*_AGES)).then("ts").alias("ts"),
    )


def _spellings(good: pl.DataFrame, source_symbols: pl.Series, naming: Naming) -> pl.DataFrame:
    spelled = pl.DataFrame(
        [good["provider"], source_symbols.alias("source_symbol"), good["symbol"]]
    )
    if spelled.height <= _FEW_ROWS and len(set(spelled.rows())) == spelled.height:
        return spelled.hstack([naming.origins(spelled).alias("convention")])
    if spelled.height > _FEW:
        # Rows mostly repeat the one before: the few that do not are quickly made distinct.
        spelled = spelled.filter(changes(spelled.get_columns()))
    if all(column.n_unique() == 1 for column in spelled.get_columns()):
        distinct = spelled.head(1)
    else:
        distinct = spelled.unique(maintain_order=True)
    return distinct.hstack([naming.origins(distinct).alias("convention")])
