"""SQL by name, out of `sql/*.sql`.

A query there reads::

    -- job_run_start --
    -- Records a run as running and gives its id. $1 job name, $2 mode.
    INSERT INTO job_runs …

One statement each (`DO $$ … $$` is one), parameters `$1`, `$2`, …; a description is required.
`@values(b.)` and its like are fragments made of the columns of a dataset: see
`loader.db.queries.fragments`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from loader.db.queries.fragments import expand
from loader.errors import DatabaseError, MdloadError
from loader.lazy import regex
from loader.settings.datasets import BARS_OHLCV, Dataset, dataset

_NAME = regex(r"^-- (\w+) --$", re.MULTILINE)
#: What a statement has another language do.
_BODY: Final = regex(r"\$\$.*?\$\$", re.DOTALL)
_CALL: Final = regex(r"\b([a-z_][a-z0-9_]*)\s*\(")
#: Called by the migrations and by the triggers that they make.
_MIGRATIONS: Final = (
    "now", "upper", "format", "substring", "array_agg", "count", "sum", "concat", "md5", "lag",
    "num_nulls", "quote_literal", "gen_random_uuid", "obj_description",
)  # fmt: skip


#: Seconds for which the answer of a session is that of the next ones; when each was given.
_FRESH: Final = 5.0
_asked: dict[str, float] = {}


def resource(name: str) -> Traversable:
    """`sql`, `migrations` or `docs` (`roles.sql`): inside the installed package, or beside it in a
    checkout."""
    packaged = files("loader") / name
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / name


def parse(
    text: str, where: str, of: Dataset = BARS_OHLCV, *, spread: bool = False
) -> dict[str, str]:
    """The named queries of one file, in order, with their fragments expanded for a dataset.

    Raises:
        MdloadError: a name is there twice, a description is missing, a query has two statements, or
            a fragment does not exist.
    """
    found: dict[str, str] = {}
    parts = _NAME.split(text)
    if parts[0].strip():
        raise MdloadError(f"{where}: text before the first '-- name --' line")
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        lines = body.strip().splitlines()
        described = [line for line in lines if line.startswith("--")]
        sql = "\n".join(line for line in lines if not line.startswith("--")).strip()
        if not described:
            raise MdloadError(f"{where}: query {name} has no description")
        if name in found:
            raise MdloadError(f"{where}: query {name} is defined twice")
        if ";" in _BODY.sub("", sql).rstrip(";"):
            raise MdloadError(f"{where}: query {name} has more than one statement")
        try:
            found[name] = expand(sql.rstrip(";"), of, spread=spread)
        except MdloadError as error:
            raise MdloadError(f"{where}: query {name}: {error}") from None
    return found


def queries(of: str = BARS_OHLCV.name, *, spread: bool = False) -> dict[str, str]:
    """Every query by name, for the dataset of that name; `spread` as in `expand`."""
    return _queries(of, spread)


@cache  # of both, however they are given
def _queries(of: str, spread: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    chosen = BARS_OHLCV if of == BARS_OHLCV.name else dataset(of)
    for file in sorted(resource("sql").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".sql"):
            text = file.read_text(encoding="utf-8")
            for name, sql in parse(text, file.name, chosen, spread=spread).items():
                if name in found:
                    raise MdloadError(f"{file.name}: query {name} is defined in another file too")
                found[name] = sql
    return found


def query(name: str, of: Dataset = BARS_OHLCV, *, spread: bool = False) -> str:
    """The SQL of `name`, for a dataset; `spread` as in `expand`.

    Raises:
        MdloadError: there is no such query.
    """
    try:
        return queries(of.name, spread=spread)[name]
    except KeyError:
        raise MdloadError(f"there is no query named {name!r} in sql/") from None


@cache
def _called() -> str:
    """The names of functions in mdload's SQL, and of what looks like one, between blanks."""
    names = {name for sql in queries().values() for name in _CALL.findall(sql)}
    return " ".join(sorted(names.union(_MIGRATIONS)))


def refuse_planted(row: Callable[..., tuple[Any, ...] | None], given: str | None = None) -> None:
    """Asks a session, by its method `row`, for functions and operators that others put where
    mdload's statements would find them. PostgreSQL takes the function whose arguments fit best, in
    whichever schema of the search_path it is: `concat(text, text)` in `public` goes before
    `pg_catalog.concat(VARIADIC "any")`.

    Sessions of one connection string `given` that begin within seconds of each other ask once. One
    that asked itself would go on for hours with that answer.

    Raises:
        DatabaseError: its search_path has such a function or operator.
    """
    if given is not None and time.monotonic() - _asked.get(given, -_FRESH) < _FRESH:
        return
    # Most databases have none of any name.
    if row("planted", None) and (found := row("planted", _called())):
        signature, owner = found
        raise DatabaseError(
            f"the role {owner!r} has put {signature} where mdload's statements would run it with "
            "this role's rights: nothing was done",
            hint="drop it, and let nobody else create there: REVOKE CREATE ON SCHEMA public FROM "
            "PUBLIC; or give mdload a schema of its own",
        )
    if given is not None:
        _asked[given] = time.monotonic()
