"""How mdload connects, whichever driver does it: a person's URL and what it leaves open."""

from __future__ import annotations

from typing import Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from loader.errors import SettingsError

#: So that a server which vanished without a word is noticed within half a minute.
_DEFAULTS: Final[dict[str, str | int]] = {
    "fallback_application_name": "mdload",
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
#: Not the person's choice: the drivers hand over UTF-8, and what else PGCLIENTENCODING or a
#: database in another encoding asks for would be stored as other letters, silently.
_ALWAYS: Final = {"client_encoding": "UTF8"}


def conninfo(database: str) -> str:
    """libpq's connection string for a URL (SQLAlchemy's too) or a connection string.

    Raises:
        SettingsError: it is neither; the message never shows it, as it may hold a password.
    """
    scheme, separator, rest = database.partition("://")
    if separator and "+" in scheme:  # SQLAlchemy's postgresql+psycopg://
        database = f"postgresql://{rest}"
    try:
        given = conninfo_to_dict(database)
    except ProgrammingError:  # whose words quote pieces of what may be a password
        raise SettingsError(
            "the database is given as what is no PostgreSQL URL or connection string",
            hint="for example postgresql://user@host:5432/market",
        ) from None
    return make_conninfo("", **{**_DEFAULTS, **given, **_ALWAYS})
