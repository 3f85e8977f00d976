"""How a database is written: URL or connection string, as a person gives it, as the drivers take
it, and as it may be shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import quote, urlencode

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from loader.errors import SettingsError
from loader.lazy import regex

#: So that a server which vanished without a word is noticed within half a minute.
_DEFAULTS: Final[dict[str, str | int]] = {
    "fallback_application_name": "mdload",
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
#: Not the person's choice: the drivers hand over UTF-8. Any other encoding, from PGCLIENTENCODING
#: or from the database, would silently store other letters.
_ALWAYS: Final = {"client_encoding": "UTF8"}
_SECRETS: Final = frozenset(
    {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
)
_SCHEME: Final = regex(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HINT: Final = "for example postgresql://user@host:5432/database, or 'host=… dbname=…'"


def conninfo(database: str, source: str = "the database URL") -> str:
    """The connection string that both drivers take, with mdload's own time limits.

    `database` is a URL (SQLAlchemy's too) or a connection string; an empty one leaves everything to
    libpq's environment.

    Raises:
        SettingsError: it is neither; the message names `source` and never shows `database`.
    """
    given = _parsed(database, source) if database else {}
    return make_conninfo("", **{**_DEFAULTS, **given, **_ALWAYS})


def libpq_url(text: str, source: str) -> str:
    """`text` as a `postgresql://` URL: without SQLAlchemy's driver name, or from `key=value`s.

    Raises:
        SettingsError: it is neither; the message names `source` and never shows `text`.
    """
    parts = _parsed(text, source)
    scheme = _SCHEME.match(text)
    return f"postgresql://{text[scheme.end() :]}" if scheme else _url(parts)


def masked(url: str) -> str:
    """`url` with `***` for every password in it, fit to be shown; `***` alone for a text that is
    not a URL and so may hold one anywhere."""
    try:
        text = libpq_url(url, "it")
    except SettingsError:
        return "***"
    parts = conninfo_to_dict(text)
    hidden = {name: "***" for name in parts if name in _SECRETS}
    return _url(parts | hidden) if hidden else url


def described(url: str) -> str:
    """`database market on db.example.com`: `url` in words, with what libpq's environment adds."""
    parts = {"dbname": os.environ.get("PGDATABASE"), "host": os.environ.get("PGHOST")}
    parts |= {name: str(value) for name, value in conninfo_to_dict(url).items() if value}
    host = parts["host"]
    where = "this machine" if host is None or host.startswith(("/", "@")) else host
    if (service := parts.get("service") or os.environ.get("PGSERVICE")) and not host:
        return f"the database of service {service}"
    name = parts["dbname"]
    return f"database {name} on {where}" if name else f"the default database on {where}"


def psql_arguments(url: str) -> tuple[list[str], dict[str, str]]:
    """The arguments and the environment with which psql connects to `url` (libpq's).

    Everybody can read the arguments of a program, only its owner the environment: the password goes
    there. libpq asks for the password of a client certificate.
    """
    parts = conninfo_to_dict(url)
    environment = {"PGPASSWORD": str(parts.pop("password"))} if "password" in parts else {}
    parts.pop("sslpassword", None)
    return [f"--dbname={make_conninfo('', **parts)}"] if parts else [], environment


def _parsed(text: str, source: str) -> dict[str, Any]:
    """The parameters that `text` gives, by libpq's names. Raises as `libpq_url`."""
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].partition("+")[0].lower() not in ("postgresql", "postgres"):
        raise SettingsError(
            f"{source} names a {scheme[1]}:// database, and mdload works with PostgreSQL",
            hint=_HINT,
        )
    url = f"postgresql://{text[scheme.end() :]}" if scheme else text
    try:
        parts: dict[str, Any] = conninfo_to_dict(url)
    except ProgrammingError:  # it quotes pieces of the text, which may be the password's
        parts = {}
    if not parts and url != "postgresql://":
        _refuse_misspelt(text, source)
        raise SettingsError(f"{source} is not a PostgreSQL URL or connection string", hint=_HINT)
    host, port = str(parts.get("host", "")), str(parts.get("port", ""))
    socket = host.startswith("/" if scheme else ("/", "@"))  # @ begins an abstract one
    if (not socket and "@" in host) or not re.fullmatch(r"[\d,]*", port):
        raise SettingsError(
            f"{source} has a user, password, host or port that cannot be told apart",
            hint="write %40 for @, %3A for : and %2F for / in a user name or password",
        )
    return parts


def _refuse_misspelt(text: str, source: str) -> None:
    """
    Raises:
        SettingsError: a parameter of `text` is spelled almost like one of libpq's. Other words may
            be a piece of a password, and are not shown.
    """
    known = [each.keyword.decode() for each in Conninfo.get_defaults()]
    for name in re.findall(r"(?:^|[?&\s])([a-z_]{3,30})\s*=", text):
        if name not in known and (meant := get_close_matches(name, known, 1, 0.8)):
            raise SettingsError(
                f"{source} has a parameter {name!r}, which PostgreSQL does not know",
                hint=f"is it {meant[0]}?",
            )


def _url(parts: Mapping[str, Any]) -> str:
    rest = {name: str(value) for name, value in parts.items()}
    user, password, dbname = (quote(rest.pop(k, ""), "*") for k in ("user", "password", "dbname"))
    account = f"{user}:{password}@" if password else f"{user}@" if user else ""
    place = ""
    if re.fullmatch(r"[\w.-]+", rest.get("host", "")):  # not a socket, list or IPv6 address
        place = rest.pop("host") + (f":{rest.pop('port')}" if "port" in rest else "")
    query = urlencode(rest, quote_via=quote, safe="*")
    return f"postgresql://{account}{place}/{dbname}{'?' if query else ''}{query}"
