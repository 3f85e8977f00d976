"""Servers that do not answer: from the start, or from a moment on."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from psycopg.conninfo import conninfo_to_dict

from loader.db.conninfo import libpq_url


@contextmanager
def deaf() -> Iterator[int]:
    """A port of 127.0.0.1 that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield door.getsockname()[1]


class Line:
    """A way to a server that can be made silent.

    Attributes:
        url: of the database behind it.
        silent: once set, nothing passes in either direction, and no connection is closed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.silent = Event()


@contextmanager
def line_to(url: str) -> Iterator[Line]:
    """A line to the server at `url`, which listens on a socket in a folder."""
    parts = conninfo_to_dict(url)
    name = f".s.PGSQL.{parts.get('port', 5432)}"
    with tempfile.TemporaryDirectory(prefix="pg") as folder, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{folder}/{name}")
        door.listen()
        given = " ".join(f"{k}='{v}'" for k, v in (parts | {"host": folder}).items())
        line = Line(libpq_url(given, "the test"))
        server = str(Path(str(parts["host"]), name))
        with ExitStack() as ends:
            Thread(target=_accept, args=(door, server, line.silent, ends), daemon=True).start()
            yield line


def _accept(door: socket.socket, server: str, silent: Event, stack: ExitStack) -> None:
    with suppress(OSError):  # the door is closed at the end
        while True:
            client = stack.enter_context(door.accept()[0])
            upstream = stack.enter_context(socket.socket(socket.AF_UNIX))
            upstream.connect(server)
            for ends in ((client, upstream), (upstream, client)):
                Thread(target=_pass, args=(*ends, silent), daemon=True).start()


def _pass(source: socket.socket, sink: socket.socket, silent: Event) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if silent.is_set():
                return
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
