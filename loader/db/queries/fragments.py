"""Pieces of SQL that derive from a dataset's columns, expanded where a query says `@name(…)`.

An argument is what stands before each column's name: `@values(b.)` is `b."open", b."high", …`, and
`@values(old_)` is `"old_open", "old_high", …`. Without one the names stand alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Final

from loader.bars.columns import OPTIONAL, PRICES, TYPES
from loader.errors import MdloadError
from loader.lazy import regex
from loader.settings.datasets import BARS_OHLCV, Dataset, dataset

_USE: Final = regex(r"@([a-z_]+)(?:\(([\w., ]*)\))?")
#: How the server writes a value in the binary protocol.
_SEND: Final = {
    "timestamptz": "timestamptz_send", "double precision": "float8send", "bigint": "int8send",
}  # fmt: skip
#: What a row of the stage has in the column of its tenant.
_TENANT: Final = " DEFAULT CAST(current_setting('app.tenant_id') AS uuid)"


def expand(sql: str, of: Dataset = BARS_OHLCV, *, spread: bool = False) -> str:
    """`sql` with every fragment in place of its name, for the dataset `of`. `spread`: for bars that
    are distributed over servers, with the places that `loader.db.queries.shards` fills in.

    Raises:
        MdloadError: there is no such fragment, or it takes other arguments.
    """
    fragments = _fragments(of.name)
    if spread:
        fragments = {**fragments, **_SPREAD}
    return _USE.sub(lambda use: _expanded(use, fragments), sql)


def _expanded(use: re.Match[str], fragments: Mapping[str, Callable[..., str]]) -> str:
    name, given = use[1], use[2]
    arguments = [word.strip() for word in given.split(",")] if given else []
    try:
        return fragments[name](*arguments)
    except KeyError:
        known = ", ".join(f"@{each}" for each in fragments)
        raise MdloadError(f"there is no fragment {use[0]}; there are {known}") from None
    except TypeError:
        raise MdloadError(f"the fragment {use[0]} takes another number of arguments") from None


def _name(prefix: str, column: str) -> str:
    """`b."open"` for the prefix `b.`, `"old_open"` for `old_`."""
    table, dot, start = prefix.rpartition(".")
    return f'{table}{dot}"{start}{column}"'


def _list(columns: Iterable[str]) -> Callable[..., str]:
    names = tuple(columns)

    def listed(prefix: str = "", renamed: str | None = None) -> str:
        if renamed is None:
            return ", ".join(_name(prefix, column) for column in names)
        return ", ".join(f"{_name(prefix, c)} AS {_name(renamed, c)}" for c in names)

    return listed


def _pairs(columns: Iterable[str], sign: str, between: str) -> Callable[[str, str], str]:
    names = tuple(columns)

    def paired(left: str, right: str) -> str:
        return between.join(f"{_name(left, c)} {sign} {_name(right, c)}" for c in names)

    return paired


def _differing(columns: Iterable[str]) -> Callable[[str, str], str]:
    listed = _list(columns)
    return lambda left, right: f"({listed(left)}) IS DISTINCT FROM ({listed(right)})"


def _set(of: Dataset) -> Callable[[str], str]:
    return lambda prefix: _pairs(of.values, "=", ", ")("", prefix)


def _own(of: Dataset) -> Callable[..., str]:
    """Whether a row is the session's tenant's: for roles that no policy binds."""

    def own(prefix: str = "") -> str:
        tenant = "CAST(current_setting('app.tenant_id') AS uuid)"
        return f"{_name(prefix, of.tenant)} = {tenant}" if of.tenant else "true"

    return own


def _unnested(of: Dataset) -> Callable[[str], str]:
    """Each column out of an array of its own; the first is the parameter of that number. In FROM,
    `unnest` of several arrays would make a table of each first."""

    def unnested(first: str) -> str:
        return ", ".join(
            f"unnest(CAST(${number} AS {each.type}[])) AS {_name('', name)}"
            for number, (name, each) in enumerate(of.columns.items(), int(first))
        )

    return unnested


def _defined(of: Dataset) -> str:
    def column(name: str) -> str:
        each = of.column(name)
        text = f"{_name('', name)} {each.type}" + (' COLLATE "C"' if each.type == "text" else "")
        if name in of.made:
            return f"{text} GENERATED ALWAYS AS ({of.made[name][1]}) STORED"
        text += "" if each.optional else " NOT NULL"
        return text + (_TENANT if name == of.tenant else "")

    return ", ".join(map(column, (*of.columns, *of.made)))


def _packed(prefix: str) -> str:
    """As `loader.store.packed` reads it: of each column the values without NULLs, the four prices
    of a bar together, and the times of the NULLs."""

    def joined(bytes_: str, name: str, condition: str = "") -> str:
        return f"string_agg({bytes_}, NULL) {condition}AS {_name('', name)}"

    points = (f"point({', '.join(_name(prefix, p) for p in PRICES[at : at + 2])})" for at in (0, 2))
    ts = f"timestamptz_send({_name(prefix, 'ts')})"
    pieces = [joined(ts, "ts"), joined(f"lseg_send(lseg({', '.join(points)}))", "prices")]
    for column in OPTIONAL:
        pieces.append(joined(f"{_SEND[TYPES[column]]}({_name(prefix, column)})", column))
    for column in OPTIONAL:
        null = f"FILTER (WHERE {_name(prefix, column)} IS NULL) "
        pieces.append(joined(ts, f"no_{column}", null))
    return ", ".join(pieces)


#: Every series, and every provider, that has a bar between $1 and $2, for WITH RECURSIVE: the index
#: finds the next one from each.
_EVERY_SERIES: Final = """series AS (
    (SELECT provider, symbol, "interval" FROM bars_ohlcv
      WHERE ts BETWEEN $1 AND $2
      ORDER BY provider, symbol, "interval" LIMIT 1)
    UNION ALL
    SELECT n.* FROM series s
     CROSS JOIN LATERAL (
           SELECT b.provider, b.symbol, b."interval" FROM bars_ohlcv b
            WHERE (b.provider, b.symbol, b."interval") > (s.provider, s.symbol, s."interval")
              AND b.ts BETWEEN $1 AND $2
            ORDER BY b.provider, b.symbol, b."interval" LIMIT 1) n)"""
_EVERY_PROVIDER: Final = """providers AS (
    (SELECT provider FROM bars_ohlcv WHERE ts BETWEEN $1 AND $2{first} ORDER BY provider LIMIT 1)
    UNION ALL
    SELECT n.* FROM providers p
     CROSS JOIN LATERAL (
           SELECT b.provider FROM bars_ohlcv b
            WHERE b.provider > p.provider AND b.ts BETWEEN $1 AND $2{next}
            ORDER BY b.provider LIMIT 1) n)"""
_STORED: Final = """, stored AS MATERIALIZED (
    SELECT b.provider, b.symbol, b."interval", b.ts, b.updated_at
      FROM bars_ohlcv b JOIN since s ON s.xact_at = b.updated_at
)"""
#: A bar as parameters, after the first one.
ROW: Final = f"({', '.join(f'${n}' for n in range(2, 2 + len(TYPES)))})"
#: What a statement about one shard has, and the same on one server. The names with a colon are
#: places for literals: a bound parameter would not tell the coordinator which shard it is.
_WANTED: Final = "CAST(:wanted AS json)"
_SPREAD: Final[Mapping[str, Callable[..., str]]] = {
    "in_shard": lambda prefix="": f" AND {_name(prefix, 'symbol')} = ANY (:symbols)",
    "stored_cte": lambda: _STORED,
    "stored": lambda: "stored",
    "wanted": lambda: _WANTED,
    "given": lambda: _WANTED,
    "rows": lambda: ":rows",
    "every_provider": lambda: _EVERY_PROVIDER.format(
        first=' AND "symbol" = ANY (:symbols)', next=' AND b."symbol" = ANY (:symbols)'
    ),
}
_ON_ONE: Final[Mapping[str, Callable[..., str]]] = {
    "in_shard": lambda prefix="": "",
    "stored_cte": lambda: "",
    "stored": lambda: "bars_ohlcv",
    "wanted": lambda: "current_setting('mdload.wanted')::json",
    "given": lambda: "CAST(CAST($1 AS text) AS json)",
    "rows": lambda: ROW,
    "every_provider": lambda: _EVERY_PROVIDER.format(first="", next=""),
}


def _told(of: Dataset) -> Callable[..., str]:
    """When a row of the stage was known: as it says, else now."""

    def told(prefix: str = "") -> str:
        return f"coalesce({_name(prefix, of.known)}, now())" if of.known else "now()"

    return told


def _since(of: Dataset) -> Callable[..., str]:
    """When a stored row, or the old one of a revision, was known: as it says, else when it was
    written."""

    def since(prefix: str = "") -> str:
        written = f"{prefix}updated_at"
        return f"coalesce({_name(prefix, of.known)}, {written})" if of.known else written

    return since


def _growth(of: Dataset) -> Callable[..., str]:
    """By which factor each amount of a period differs between two rows; NULL where one has none."""

    def growth(new: str, old: str) -> str:
        factors = [f"abs({_name(new, f)} / nullif({_name(old, f)}, 0))" for f in of.flows]
        return ", ".join(factors or ["CAST(NULL AS numeric)"])

    return growth


def _knowing(of: Dataset) -> Mapping[str, Callable[..., str]]:
    """Fragments about the column that says when a row was known; without one there is nothing to
    take over, and no row lacks it."""
    told = of.known or of.values[-1]
    facts = [name for name in of.values if name != told]
    unsaid = "{} IS NULL" if of.known else "false AND {} IS NULL"
    return {
        "version": _list((*of.key, of.known) if of.known else of.key),
        "told": _told(of),
        "since": _since(of),
        "adopt": lambda prefix: f"{_name('', told)} = {_name(prefix, told)}",
        "unsaid": lambda prefix: unsaid.format(_name(prefix, told)),
        "differ_facts": _differing(facts),
        "growth": _growth(of),
    }


_RUN_SYMBOLS: Final = """CASE
       WHEN EXISTS (SELECT FROM job_run_files f WHERE f.run_id = {0}id AND f.symbols <> '{{}}')
       THEN ARRAY(SELECT symbol COLLATE "C"
                    FROM (SELECT unnest({0}symbols)
                           UNION
                          SELECT unnest(f.symbols) FROM job_run_files f WHERE f.run_id = {0}id)
                         AS merged (symbol)
                   ORDER BY 1)
       ELSE {0}symbols END"""


@cache
def _fragments(name: str) -> Mapping[str, Callable[..., str]]:
    """The fragments of a dataset by name. `key`, `values` and `columns` are lists, with two
    arguments of the form `b.open AS old_open`; `row` has the made columns too; `same_key(a., b.)`
    and `differ(a., b.)` are conditions on two rows; `set(a.)` assigns all values; `unnested(4)` are
    the columns out of arrays, `defined` is a list of columns for a table; `packed(a.)` is a stretch
    of bars as bytes; `prices(a.)` are the four prices of a bar, `prices_typed` with their types;
    `every_series` and `every_provider` are recursive queries; `wanted` is what `wanted_set` keeps,
    and `given` is $1; `in_shard(a.)` is empty on one server; `stored` is the table of bars, or on
    several servers what `stored_cte` brings of it: those that the loads of a CTE `since` wrote;
    `own(a.)` is a condition; `run_symbols(r.)` are a run's symbols and those of its files; `table`,
    `revisions` and `time` are bare names. `_knowing` has those of versions."""
    of = BARS_OHLCV if name == BARS_OHLCV.name else dataset(name)
    return {
        "key": _list(of.key),
        "values": _list(of.values),
        "columns": _list(of.columns),
        "row": _list((*of.columns, *of.made)),
        "same_key": _pairs(of.key, "=", " AND "),
        "differ": _differing(of.values),
        "set": _set(of),
        "unnested": _unnested(of),
        "defined": lambda: _defined(of),
        "packed": _packed,
        "prices": _list(PRICES),
        "prices_typed": lambda: ", ".join(f"{_name('', p)} {TYPES[p]}" for p in PRICES),
        "every_series": lambda: _EVERY_SERIES,
        "run_symbols": _RUN_SYMBOLS.format,
        **_ON_ONE,
        "table": lambda: of.table,
        "revisions": lambda: of.revisions or "",
        "time": lambda: of.time,
        "own": _own(of),
        **_knowing(of),
    }
