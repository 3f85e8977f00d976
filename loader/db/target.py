"""Which database a command works with: the one that is named, or the embedded server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import Final

from loader.db.conninfo import libpq_url
from loader.errors import NoDatabase, SettingsError
from loader.lazy import dataclass
from loader.settings.file import toml
from loader.settings.file.variables import expand
from loader.settings.file.whereabouts import places

_VARIABLES: Final = ("MDLOAD_DATABASE_URL", "DATABASE_URL")
#: Each of them says which server is meant.
_LIBPQ: Final = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGDATABASE")


@dataclass(frozen=True)
class Target:
    """A database to work with.

    Attributes:
        url: as both drivers take it; `postgresql://` leaves everything to libpq's environment. It
            may hold a password: show `loader.db.conninfo.masked(url)`.
        source: what named it, e.g. "--database" or "PGHOST".
        embedded: whether it is mdload's own server.
    """

    url: str = field(repr=False)
    source: str
    embedded: bool = False


@contextmanager
def target(
    database: str | None = None, home: Path | None = None, configured: str | None = None
) -> Iterator[Target]:
    """The named database, or else the embedded server's, which runs until the block ends.

    Raises:
        SettingsError: the name is not a PostgreSQL URL, or there is no embedded server.
        DatabaseError: the embedded server does not start.
    """
    if chosen := named(database, configured):
        yield chosen
    else:
        from loader.db.embedded import embedded  # noqa: PLC0415 - a named server does not need it

        with embedded(home) as url:
            yield Target(url, "the embedded server", embedded=True)


def named(database: str | None = None, configured: str | None = None) -> Target | None:
    """The named database, or None. The first of these that names one counts: `database` (the
    option), MDLOAD_DATABASE_URL, DATABASE_URL, libpq's own environment, the configuration file.

    Raises:
        SettingsError: the name is not a PostgreSQL URL or connection string.
    """
    if database is not None:
        return Target(libpq_url(database, "--database"), "--database")
    for name in _VARIABLES:
        if value := os.environ.get(name):
            return Target(libpq_url(value, name), name)
    for name in _LIBPQ:
        if os.environ.get(name):
            return Target("postgresql://", name)
    if configured is not None:
        return Target(libpq_url(configured, "the configuration file"), "the configuration file")
    return None


@contextmanager
def found(prepare: Callable[[str], None], *, make: bool = False) -> Iterator[str]:
    """The URL of the database that a program did not name, found as the command finds it: in the
    environment, in mdload.toml, or the embedded one, which runs until the block ends. `prepare` is
    called with the URL of the embedded one, and may `make` it.

    Raises:
        NoDatabase: there is none.
        SettingsError: what names one is wrong.
        DatabaseError: the embedded server does not start.
    """
    from loader.db.embedded import exists  # noqa: PLC0415 - a named server does not need it

    configured = None if named() else _configured()
    if named(configured=configured) is None and not (make or exists()):
        raise NoDatabase(
            "no database is named, and the embedded one does not exist yet",
            hint="pass its URL, or set MDLOAD_DATABASE_URL; mdload backfill FILE makes the "
            "embedded one",
        )
    with target(configured=configured) as chosen:
        if chosen.embedded:
            prepare(chosen.url)
        yield chosen.url


def _configured() -> str | None:
    """`[database]` of mdload.toml.

    Raises:
        SettingsError: the file cannot be read, or a variable in the URL is not set.
    """
    named_file = os.environ.get("MDLOAD_CONFIG")
    file = Path(named_file) if named_file else next(filter(Path.exists, places()), None)
    if file is None:
        return None
    try:
        section = toml.loads(file.read_text(encoding="utf-8-sig")).get("database", {})
        url = section.get("url") if isinstance(section, dict) else None
        return None if url is None else str(expand(url, os.environ))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{file} does not say which database: {error}", hint="mdload config check"
        ) from error
