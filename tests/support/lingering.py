"""A way to the server on which it hears late that a client has gone, as on a busy machine."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from loader.db.conninfo import libpq_url

#: How a client says goodbye: the Terminate message of PostgreSQL's protocol.
_TERMINATE: Final = b"X\0\0\0\4"


@contextmanager
def lingering(url: str, seconds: float) -> Iterator[str]:
    """A URL of the same database. Its server hears that a client has closed its socket, or said
    goodbye, only after `seconds`, or when the block ends."""
    parts = conninfo_to_dict(url)
    port = parts.get("port", 5432)
    ended = Event()
    with tempfile.TemporaryDirectory(prefix="pg") as folder, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{folder}/.s.PGSQL.{port}")
        door.listen()
        Path(folder).chmod(0o755)
        Path(f"{folder}/.s.PGSQL.{port}").chmod(0o777)
        server = f"{parts['host']}/.s.PGSQL.{port}"
        Thread(target=_accept, args=(door, server, seconds, ended), daemon=True).start()
        try:
            given = " ".join(f"{k}='{v}'" for k, v in (parts | {"host": folder}).items())
            yield libpq_url(given, "the test")
        finally:
            ended.set()


def _accept(door: socket.socket, server: str, seconds: float, ended: Event) -> None:
    with suppress(OSError):  # the door is closed at the end
        while True:
            client, _ = door.accept()
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(server)
            Thread(target=_answers, args=(upstream, client), daemon=True).start()
            Thread(target=_questions, args=(client, upstream, seconds, ended), daemon=True).start()


def _answers(upstream: socket.socket, client: socket.socket) -> None:
    with suppress(OSError), client:
        while data := upstream.recv(65536):
            client.sendall(data)


def _questions(
    client: socket.socket, upstream: socket.socket, seconds: float, ended: Event
) -> None:
    with upstream:
        with suppress(OSError):
            while (data := client.recv(65536)) and not data.endswith(_TERMINATE):
                upstream.sendall(data)
        ended.wait(seconds)
        with suppress(OSError):
            upstream.shutdown(socket.SHUT_RDWR)
