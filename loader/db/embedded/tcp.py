"""The embedded server's TCP port, for tools that do not know sockets: loopback, with a password.

The server's socket is named after its port. A link keeps the name that it has without TCP, so that
its URL stays the same.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from loader.db.embedded import postmaster
from loader.db.embedded.account import Account
from loader.errors import DatabaseError, SettingsError

HOST: Final = "127.0.0.1"
ROLE: Final = "mdload"
_HBA: Final = "pg_hba_tcp.conf"
#: Nobody but the owner reaches the socket; by TCP one role reaches one database.
_RULES: Final = f"""\
local  all  all  trust
host  {postmaster.DATABASE}  {ROLE}  {HOST}/32  scram-sha-256
"""
#: It reads and writes all tables and makes its own, and has no other right.
_GRANTS: Final = (
    "GRANT pg_read_all_data, pg_write_all_data TO {role}",
    f"GRANT CONNECT, TEMPORARY ON DATABASE {postmaster.DATABASE} TO {{role}}",
)


def address(port: int) -> str:
    """The URL for tools, without the password."""
    return f"postgresql://{ROLE}@{HOST}:{port}/{postmaster.DATABASE}"


def with_password(port: int, password: str) -> str:
    """The URL with the password, which needs no escapes."""
    return address(port).replace("@", f":{password}@")


def options(data: Path, socket_dir: Path, port: int, who: Account | None) -> list[str]:
    """The server's command line for this port; makes what it needs."""
    rules = os.open(data / _HBA, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(rules, "w", encoding="ascii") as file:
        if who is not None:
            os.fchown(rules, who.uid, who.gid)
        file.write(_RULES)
    if port != postmaster.PORT:
        usual = socket_dir / postmaster.SOCKET
        usual.unlink(missing_ok=True)
        usual.symlink_to(f".s.PGSQL.{port}")
    return [
        "-c", f"port={port}", "-c", f"listen_addresses={HOST}", "-c", f"hba_file={data / _HBA}",
        "-c", "password_encryption=scram-sha-256",
    ]  # fmt: skip


def unlink(socket_dir: Path) -> None:
    """Removes the link, once the server has ended."""
    usual = socket_dir / postmaster.SOCKET
    if usual.is_symlink():
        with suppress(OSError):
            usual.unlink()


def password(path: Path) -> str:
    """The password in `path`, a file as libpq's PGPASSFILE, which is made the first time.

    Raises:
        SettingsError: others may read the file, or it is not as it was made.
    """
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return _kept(path)
    word = secrets.token_urlsafe(24)
    with open(made, "w", encoding="ascii") as file:
        file.write(f"{HOST}:*:{postmaster.DATABASE}:{ROLE}:{word}\n")
    return word


def _kept(path: Path) -> str:
    if path.stat().st_mode & 0o077:
        raise SettingsError(
            f"{path} holds a password, and others may read it",
            hint=f"chmod 600 {path}; or remove it, and mdload makes another password",
        )
    found = path.read_text(encoding="ascii").strip().split(":")
    if len(found) != 5 or not found[4]:
        raise SettingsError(f"{path} has no password", hint="remove it, and mdload makes another")
    return found[4]


def admit(url: str, word: str) -> None:
    """Makes the role, or gives it this password. The server sees only a hash of it.

    Raises:
        DatabaseError: the server refuses.
    """
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            hashed = connection.pgconn.encrypt_password(
                word.encode(), ROLE.encode(), b"scram-sha-256"
            )
            role = sql.Identifier(ROLE)
            there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE])
            verb = "ALTER" if there.fetchone() else "CREATE"
            connection.execute(
                sql.SQL(verb + " ROLE {role} LOGIN PASSWORD {hash}").format(
                    role=role, hash=sql.Literal(hashed.decode())
                )
            )
            for grant in _GRANTS:
                connection.execute(sql.SQL(grant).format(role=role))
    except psycopg.Error as error:
        raise DatabaseError(f"the role {ROLE} cannot be made: {error}") from None
