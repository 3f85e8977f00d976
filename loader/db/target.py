"""Which database a command works with: the one that is named, or the embedded server."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from loader.errors import SettingsError

_VARIABLES = ("MDLOAD_DATABASE_URL", "DATABASE_URL")
_LIBPQ = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGDATABASE")  # each says which server is meant
_SECRETS = frozenset(
    {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HINT = "for example postgresql://user@host:5432/database, or 'host=… dbname=…'"


@dataclass(frozen=True)
class Target:
    """A database to work with.

    Attributes:
        url: as psycopg and the ADBC driver take it; `postgresql://` leaves all to libpq's own
            environment. It may hold a password: show `masked(url)`.
        source: who named it, e.g. "--database" or "PGHOST".
        embedded: whether it is mdload's own server.
    """

    url: str = field(repr=False)
    source: str
    embedded: bool = False


@contextmanager
def target(
    database: str | None = None, home: Path | None = None, configured: str | None = None
) -> Iterator[Target]:
    """The database that is named, else the embedded server's, which runs until the block ends.

    Raises:
        SettingsError: what names it is no PostgreSQL URL, or there is no embedded server.
        DatabaseError: the embedded server does not start.
    """
    if chosen := named(database, configured):
        yield chosen
    else:
        from loader.db.embedded import embedded  # noqa: PLC0415 - not what a server of one's own needs

        with embedded(home) as url:
            yield Target(url, "the embedded server", embedded=True)


def named(database: str | None = None, configured: str | None = None) -> Target | None:
    """The database that is named: `database` (the option), MDLOAD_DATABASE_URL, DATABASE_URL or
    libpq's own environment, or the configuration file's, in this order; None where none says any.

    Raises:
        SettingsError: it is no PostgreSQL URL or connection string.
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


def libpq_url(text: str, source: str) -> str:
    """`text` as a `postgresql://` URL: without SQLAlchemy's driver name, or from `key=value`s.

    Raises:
        SettingsError: it is neither; the message names `source` and never shows `text`.
    """
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].partition("+")[0].lower() not in ("postgresql", "postgres"):
        raise SettingsError(
            f"{source} names a {scheme[1]}:// database, and mdload works with PostgreSQL",
            hint=_HINT,
        )
    url = f"postgresql://{text[scheme.end() :]}" if scheme else text
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:  # its words quote pieces of the text, which may be the password's
        parts = {}
    if not parts and url != "postgresql://":
        raise SettingsError(f"{source} is no PostgreSQL URL or connection string", hint=_HINT)
    host, port = str(parts.get("host", "")), str(parts.get("port", ""))
    if (not host.startswith("/") and "@" in host) or not re.fullmatch(r"[\d,]*", port):
        raise SettingsError(
            f"{source} has a user, password, host or port that cannot be told apart",
            hint="write %40 for @, %3A for : and %2F for / in a user name or password",
        )
    return url if scheme else _url(parts)


def masked(url: str) -> str:
    """`url` with `***` for every password in it, fit to be shown; `***` alone for what is no URL
    and so may hold one anywhere."""
    try:
        parts = conninfo_to_dict(libpq_url(url, "it"))
    except SettingsError:
        return "***"
    hidden = {name: "***" for name in parts if name in _SECRETS}
    return _url(parts | hidden) if hidden else url


def _url(parts: Mapping[str, Any]) -> str:
    rest = {name: str(value) for name, value in parts.items()}
    user, password, dbname = (quote(rest.pop(k, ""), "*") for k in ("user", "password", "dbname"))
    account = f"{user}:{password}@" if password else f"{user}@" if user else ""
    place = ""
    if re.fullmatch(r"[\w.-]+", rest.get("host", "")):  # no socket, list or IPv6 address
        place = rest.pop("host") + (f":{rest.pop('port')}" if "port" in rest else "")
    query = urlencode(rest, quote_via=quote, safe="*")
    return f"postgresql://{account}{place}/{dbname}{'?' if query else ''}{query}"
