"""The output of `providers`: a table of all dialects, and a page on one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from loader.cli.views.table import Column, details, print_json, table
from loader.dialects.dialect import ONLY_ON_REQUEST, Dialect, Shape

_STAMP: Final = {
    "start": "start of the bar",
    "end": "end of the bar (daily: the session's date)",
    None: "start or end of the bar, as --stamp says",
}


def print_list(dialects: Mapping[str, Dialect], *, as_json: bool) -> None:
    if as_json:
        print_json([_facts(dialect) for dialect in dialects.values()])
        return
    columns = [Column("name", "name"), Column("title", spare=1), Column("containers"),
               Column("times"), Column("zone"), Column("prices adjusted for", spare=2)]  # fmt: skip
    rows = [
        (d.name, d.title, _containers(d), d.stamp and f"{d.stamp}s", d.timezone, d.adjusted or None)
        for d in dialects.values()
    ]
    table(None, columns, rows)


def _containers(dialect: Dialect) -> str:
    return ", ".join(sorted({c for s in dialect.shapes for c in s.containers})) or "any table"


def print_dialect(dialect: Dialect, *, as_json: bool) -> None:
    if as_json:
        print_json(_facts(dialect))
        return
    details(f"{dialect.name}: {dialect.title}", dict(_page(dialect)))


def _page(dialect: Dialect) -> list[tuple[str, str | None]]:
    """Labelled lines; several lines of one kind are numbered from the second on."""
    entries: list[tuple[str, str | None]] = [
        *_numbered("known by", [_known_by(shape) for shape in dialect.shapes]),
        *_numbered("name", list(dialect.names)),
        ("columns", ", ".join(f"{f} = {' or '.join(w)}" for f, w in _columns(dialect).items())),
        ("by the file", _naming(dialect)),
        ("times", _STAMP[dialect.stamp]),
        ("time zone", dialect.timezone or "as the file says it, else --timezone"),
        ("prices", _prices(dialect.price_exponent)),
        ("adjusted", dialect.adjusted or None),
        ("volume", " ".join(filter(None, [dialect.volume, _scale(dialect.volume_exponent)]))),
        ("symbols", f"convention {dialect.symbol_convention}"),
        ("provider", dialect.provider or dialect.name if dialect.shapes else None),
        ("intervals", _pairs(dialect.intervals)),
        ("left out", _pairs(dialect.left_out)),
        ("skipped", "; ".join(_skipped(dialect)) or None),
        ("short rows", "may leave off empty cells at their end" if dialect.short_rows else None),
        ("no bars", "; ".join(sorted({refused.what for refused in dialect.refused})) or None),
        *_numbered("trap", list(dialect.traps)),
        ("source", dialect.source or None),
    ]
    return [(label, text) for label, text in entries if text]


def _numbered(label: str, texts: list[str]) -> list[tuple[str, str | None]]:
    return [
        (label if number == 1 else f"{label} {number}", text)
        for number, text in enumerate(texts, start=1)
    ]


def _known_by(shape: Shape) -> str:
    parts = [" or ".join(shape.containers)]
    if shape.header:
        parts.append(("just " if shape.exact else "") + ",".join(shape.header))
    if shape.named is not None:
        parts.append(f"all columns named like {shape.named}")
    if shape.positions:
        parts.append(f"no header, {len(shape.positions)} columns: {','.join(shape.positions)}")
    if shape.place is not None:
        parts.append(f"rows at {shape.place}")
    parts += [f"{key} is {pattern}" for key, pattern in shape.metadata.items()]
    parts += [f"{column} like {pattern}" for column, pattern in shape.values.items()]
    if shape.name == ONLY_ON_REQUEST:
        parts.append("only if --dialect says so")
    elif shape.name is not None:
        parts.append(f"a name like {shape.name}")
    differs = {
        "times are": shape.stamp and f"{shape.stamp}s",
        "zone": shape.timezone,
        "interval": shape.interval,
        "provider": shape.provider,
        "prices": _scale(shape.price_exponent or 0),
        "volume": _scale(shape.volume_exponent or 0),
    }
    parts += [f"{what} {text}" for what, text in differs.items() if text]
    return "; ".join([*parts, shape.note] if shape.note else parts)


def _columns(dialect: Dialect) -> dict[str, tuple[str, ...]]:
    """The column names for each field, including those of shapes."""
    found: dict[str, dict[str, None]] = {}
    for columns in (dialect.columns, *(s.columns for s in dialect.shapes if s.columns)):
        for name, words in columns.items():
            found.setdefault(name, {}).update(dict.fromkeys(word for word in words if word))
    return {name: tuple(words) for name, words in found.items()}


def _naming(dialect: Dialect) -> str | None:
    """How columns with changing names are found: the docstring of the function that does it."""
    return " ".join((getattr(dialect.naming, "__doc__", None) or "").split()) or None


def _skipped(dialect: Dialect) -> list[str]:
    """The reasons to skip rows, including those of shapes."""
    of_shapes = (reason for shape in dialect.shapes for reason in shape.skip or {})
    return list(dict.fromkeys([*dialect.skip, *of_shapes]))


def _prices(exponent: int | None) -> str:
    if exponent is None:
        return "as their instrument has them, else --price-divisor"
    return _scale(exponent) or "as they stand"


def _scale(exponent: int) -> str | None:
    if not exponent:
        return None
    return f"{'times' if exponent > 0 else 'divided by'} {10 ** abs(exponent):,}"


def _pairs(pairs: Mapping[str, str]) -> str | None:
    return "; ".join(f"{key}: {text}" for key, text in pairs.items()) or None


def _facts(dialect: Dialect) -> dict[str, Any]:
    return {
        "name": dialect.name,
        "title": dialect.title,
        "known_by": [_known_by(shape) for shape in dialect.shapes],
        "names": list(dialect.names),
        "columns": {name: list(words) for name, words in _columns(dialect).items()},
        "stamp": dialect.stamp,
        "timezone": dialect.timezone,
        "price_exponent": dialect.price_exponent,
        "volume_exponent": dialect.volume_exponent,
        "volume": dialect.volume,
        "adjusted": dialect.adjusted,
        "symbol_convention": dialect.symbol_convention,
        "provider": (dialect.provider or dialect.name) if dialect.shapes else None,
        "intervals": dict(dialect.intervals),
        "left_out": dict(dialect.left_out),
        "skipped": _skipped(dialect),
        "short_rows": dialect.short_rows,
        "no_bars": sorted({refused.what for refused in dialect.refused}),
        "traps": list(dialect.traps),
        "source": dialect.source,
    }
