"""Recognises a file's dialect by container, columns, name and values; it never guesses.

A dialect fits if the file has one of its shapes. docs/dialects.md lists the points of evidence.

The most points win. Two dialects with equal points are an error that names both, and so is a
dialect that wins over the one of the provider that the person named. A file that fits no dialect
with three points is a plain table (`canonical`). To be refused, a matching name is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

import polars as pl

from loader.dialects.dialect import Dialect, Opening, Reshape, Shape, fold
from loader.dialects.known import dialects, known_dialect, known_dialects
from loader.errors import ColumnMismatch, UnreadableFile
from loader.lazy import dataclass, regex
from loader.read.formats.known import vendor_containers
from loader.results import Note, noted

#: Rows that are examined, and the share of them that must match.
_SAMPLE: Final = 1_000
_MOST: Final = 0.9
_ENOUGH: Final = 3
PLAIN: Final = "canonical"
#: The name that readers give to a column without one.
_UNNAMED: Final = regex("column_[0-9]+")


def _as_it_is(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


@dataclass(frozen=True, slots=True)
class Recognition:
    """How a file is read.

    Attributes:
        dialect: the dialect, with the overrides of the file's shape.
        facts: facts from the file's name, completed by the dialect.
        shape: None for plain tables.
        score, reasons: the evidence for it.
        reshape: turns each batch into one row per bar, with the dialect's column names.
        named: only names the columns of a file without a header.
        remarks: what the dialect has to say about this file.
    """

    dialect: Dialect
    facts: Mapping[str, str]
    shape: Shape | None
    score: int
    reasons: tuple[str, ...]
    reshape: Reshape
    remarks: tuple[str, ...] = ()
    named: Reshape = _as_it_is

    @property
    def notes(self) -> tuple[Note, ...]:
        if self.shape is None:
            return ()
        evidence = "; ".join(self.reasons)
        recognised = Note("recognition", f"read as {self.dialect.name} ({evidence})")
        return (recognised, *noted("dialect", filter(None, (self.shape.note, *self.remarks))))


@dataclass(frozen=True, slots=True)
class _Fit:
    dialect: Dialect
    shape: Shape
    score: int
    reasons: tuple[str, ...]
    no_bars: str | None = None


def recognise(
    opening: Opening, dialect: str | None, provider: str | None, own: Sequence[Dialect] = ()
) -> Recognition:
    """The dialect of the file that begins like `opening`: the one that the person names, else the
    one with the most points. Of two equals one of the person's `own` wins.

    Raises:
        UnknownDialect: there is no dialect of that name.
        ColumnMismatch: the file is not in the dialect named, or fits two equally well.
        UnreadableFile: the file is recognised as one without bars.
    """
    if dialect is not None:
        named = known_dialect(dialect, own)
        if not named.shapes:
            return plain(named)
        fits = _fits([named], opening, provider) or _ignoring_name(named, opening, provider)
        if not fits:
            raise _not_in(named, opening)
        return _recognition(fits[0], opening)
    fits = _fits(known_dialects(own).values(), opening, provider)
    fits = [fit for fit in fits if fit.score >= _ENOUGH or fit.no_bars]
    fits = [fit for fit in fits if fit.score == fits[0].score and fit.dialect in own] or fits
    return _best(fits, opening, provider, own)


def _best(
    fits: list[_Fit], opening: Opening, provider: str | None, own: Sequence[Dialect]
) -> Recognition:
    """The first of `fits`, which has the most points, if no other dialect rivals it."""
    if not fits and opening.container in vendor_containers():
        raise UnreadableFile.of(
            opening.name,
            f"is a {opening.container} file of an unknown kind",
            hint=f"it has {', '.join(opening.first.columns)}",
        )
    if not fits:
        return plain(dialects()[PLAIN])
    best, *others = fits
    rivals = [
        fit
        for fit in others
        if fit.dialect != best.dialect
        and (fit.score == best.score or (_is_of(fit.dialect, provider) and best.dialect not in own))
    ]
    if rivals:
        names = sorted({best.dialect.name, *(fit.dialect.name for fit in rivals)})
        raise ColumnMismatch.of(
            opening.name,
            f"could be {' or '.join(names)}: {'; '.join(best.reasons)}",
            hint=f"say which: --dialect {' or --dialect '.join(names)}",
        )
    return _recognition(best, opening)


def _fits(candidates: Iterable[Dialect], opening: Opening, provider: str | None) -> list[_Fit]:
    """Every shape that the file has, highest score first; of equals, those without bars first."""
    found = []
    for each in candidates:
        found += [fit for shape in each.shapes if (fit := _fit(each, shape, opening, provider))]
        for refused in each.refused:
            if fit := _fit(each, refused.shape, opening, provider):
                found.append(replace(fit, no_bars=refused.what))
    return sorted(found, key=lambda fit: (-fit.score, fit.no_bars is None))


def may_fit(candidates: Iterable[Dialect], opening: Opening) -> list[Shape]:
    """The shapes that a file with such a header could have, whatever its name and its values."""
    shapes = (s for each in candidates for s in (*each.shapes, *(r.shape for r in each.refused)))
    return [
        shape
        for shape in shapes
        if opening.container in shape.containers
        and None not in [look(shape, opening) for look in (_columns, _place, _metadata)]
    ]


def _ignoring_name(named: Dialect, opening: Opening, provider: str | None) -> list[_Fit]:
    """The dialect's only shape that fits apart from the file's name; empty if several fit."""
    shapes = tuple(replace(shape, name=None) for shape in named.shapes)
    fits = _fits([replace(named, shapes=shapes, refused=())], opening, provider)
    return fits if len(fits) == 1 else []


def _fit(dialect: Dialect, shape: Shape, opening: Opening, provider: str | None) -> _Fit | None:
    if opening.container not in shape.containers:
        return None
    reasons: list[tuple[int, str]] = []
    if opening.container in vendor_containers():
        reasons.append((3, f"container is {opening.container}"))
    named = replace(opening, first=_named(opening.first, shape, header=opening.header))
    for look in (_columns, _place, _metadata, _values):
        seen = look(shape, named)
        if seen is None:
            return None
        reasons += seen
    if shape.name is not None and not re.search(shape.name, opening.path):
        return None
    if shape.name is not None or dialect.facts_from_path(opening.path) is not None:
        reasons.append((2, "file name matches"))
    if shape.accept is not None and not shape.accept(named):
        return None
    if _is_of(dialect, provider):
        reasons.append((1, f"--provider {provider}"))
    return _Fit(
        dialect, shape, sum(points for points, _ in reasons), tuple(text for _, text in reasons)
    )


def _is_of(dialect: Dialect, provider: str | None) -> bool:
    return provider is not None and provider.strip().lower() == dialect.name


_Seen = list[tuple[int, str]] | None


def _columns(shape: Shape, opening: Opening) -> _Seen:
    if shape.positions:
        fits = not opening.header and set(shape.positions) <= set(opening.first.columns)
        return [(1, f"{len(shape.positions)} columns without a header")] if fits else None
    if shape.named is not None:
        alike = all(re.fullmatch(shape.named, name) for name in opening.first.columns)
        return [(3, "column names match")] if opening.header and alike else None
    if not shape.header:
        return []
    here, wanted = [fold(name) for name in opening.first.columns], list(map(fold, shape.header))
    if not opening.header or not set(wanted) <= set(here) or (shape.exact and here != wanted):
        return None
    if here == wanted:
        return [(4, "header matches exactly")]
    in_order = [name for name in here if name in wanted] == wanted
    return [(3, "has all columns") if in_order else (2, "has all columns, in another order")]


def _place(shape: Shape, opening: Opening) -> _Seen:
    if shape.place is None:
        return []
    if not re.fullmatch(shape.place, opening.place):
        return None
    return [(3, f"rows are in {opening.place}" if opening.place else "the file is one object")]


def _metadata(shape: Shape, opening: Opening) -> _Seen:
    for key, pattern in shape.metadata.items():
        if not re.fullmatch(pattern, opening.metadata.get(key, "")):
            return None
    return [(3, f"metadata has {key}") for key in shape.metadata]


def _values(shape: Shape, opening: Opening) -> _Seen:
    seen = []
    for name, pattern in shape.values.items():
        column = next((c for c in opening.first if fold(c.name) == fold(name)), None)
        if column is None:
            return None
        cells = column.head(_SAMPLE).cast(pl.String).str.strip_chars().drop_nulls()
        if int(cells.str.contains(f"^(?:{pattern})$").sum()) < _MOST * len(cells):
            return None
        if len(cells):
            seen.append((2, f"{column.name} has values like {cells[0]}"))
    return seen


def _recognition(fit: _Fit, opening: Opening) -> Recognition:
    if fit.no_bars is not None:
        raise UnreadableFile.of(
            opening.name,
            f"holds {fit.no_bars}, not bars ({fit.dialect.title}; {'; '.join(fit.reasons)})",
            hint="mdload loads open, high, low and close; if they are in it: --dialect canonical",
        )
    dialect = fit.dialect.for_shape(fit.shape)
    shape, header = fit.shape, opening.header
    opening = replace(
        opening,
        first=_named(opening.first, shape, header=header),
        facts=MappingProxyType(dialect.facts_from_path(opening.path) or {}),
    )
    if dialect.facts is not None:
        opening = replace(opening, facts=MappingProxyType(dict(dialect.facts(opening))))
    dialect = replace(dialect, timezone=opening.facts.get("timezone", dialect.timezone))
    remarks = dialect.remarks(opening) if dialect.remarks is not None else ()
    if dialect.naming is not None:
        dialect = replace(dialect, columns={**dialect.columns, **dialect.naming(opening)})
    if "price_exponent" in opening.facts:
        dialect = replace(dialect, price_exponent=int(opening.facts["price_exponent"]))
    shaped = dialect.reshape(opening) if dialect.reshape is not None else None

    named = partial(_named, shape=shape, header=header)

    def reshape(frame: pl.DataFrame) -> pl.DataFrame:
        return shaped(named(frame)) if shaped is not None else named(frame)

    return Recognition(
        dialect, opening.facts, shape, fit.score, fit.reasons, reshape, remarks, named
    )


def plain(dialect: Dialect) -> Recognition:
    """A file read by the columns of `dialect`, whatever its shape."""
    return Recognition(dialect, MappingProxyType({}), None, 0, (), _as_it_is)


def _named(frame: pl.DataFrame, shape: Shape, *, header: bool) -> pl.DataFrame:
    unnamed = [name for name in frame.columns if _UNNAMED.fullmatch(name)]
    taken = set(frame.columns) & set(shape.positions)  # by what stands around the rows
    if header or taken or len(shape.positions) != len(unnamed):
        return frame
    return frame.rename(dict(zip(unnamed, shape.positions, strict=True)))


def _not_in(dialect: Dialect, opening: Opening) -> ColumnMismatch:
    forms = [", ".join(s.header) or f"{len(s.positions)} columns without a header"
             for s in dialect.shapes if opening.container in s.containers]  # fmt: skip
    containers = sorted({name for shape in dialect.shapes for name in shape.containers})
    wanted = " or ".join(forms[:3]) if forms else f"a file of {' or '.join(containers)}"
    return ColumnMismatch.of(
        opening.name,
        f"does not fit the dialect {dialect.name}, which needs {wanted}",
        hint=f"compare mdload inspect FILE with mdload providers show {dialect.name}",
    )
