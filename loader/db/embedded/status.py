"""The state of the embedded server, without starting it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from loader.db.embedded import binaries, postmaster, tcp
from loader.db.embedded.account import account
from loader.db.embedded.home import Home, usable
from loader.errors import SettingsError
from loader.lazy import dataclass


@dataclass(frozen=True)
class ServerStatus:
    """The state of the embedded server.

    Attributes:
        home: its home directory, whether it exists or not.
        running: whether it runs.
        pinned: whether `mdload db start` asked it to stay.
        pid: of the running server, else None.
        version: of the PostgreSQL programs that would run it; None where there are none.
        bin_dir: where those are.
        data_dir: its data directory; None before the first start.
        url: where it answers, or will once it runs; None where there is nothing to run.
        size_bytes: of the data directory, 0 before the first start.
        tcp: where tools reach it by TCP, without the password; None unless `mdload db start --port`
            asked for it.
        password_file: where that password is.
    """

    home: Path
    running: bool
    pinned: bool
    pid: int | None
    version: str | None
    bin_dir: Path | None
    data_dir: Path | None
    url: str | None
    size_bytes: int
    tcp: str | None = None
    password_file: Path | None = None


def status(home: Path | None = None) -> ServerStatus:
    """The state of the server. Starts nothing, makes nothing.

    Raises:
        SettingsError: the home cannot be read, or the system is Windows.
    """
    place = Home.at(home)
    with usable(place):
        programs = _programs()
        servers = {data: postmaster.running(data) for data in place.data_directories()}
        # The directory in use, or the one that would be used, or the newest.
        own = place.data(programs.major) if programs else None
        order = sorted(servers, key=lambda data: (servers[data] is None, data != own))
        data = order[0] if order else None
        server = servers[data] if data else None
        url = server.url if server else _future_url(place, data or own)
        return ServerStatus(
            home=place.path,
            running=server is not None,
            pinned=place.pin.exists(),
            pid=server.pid if server else None,
            version=programs.version if programs else None,
            bin_dir=programs.bin if programs else None,
            data_dir=data,
            url=url,
            size_bytes=_size(data) if data else 0,
            tcp=tcp.address(place.port) if place.port else None,
            password_file=place.password if place.port else None,
        )


def exists(home: Path | None = None) -> bool:
    """Whether a server was ever started in this home. Raises as `status`."""
    place = Home.at(home)
    with usable(place):
        return bool(place.data_directories())


def _programs() -> binaries.Binaries | None:
    try:
        return binaries.find()
    except SettingsError:
        return None


def _future_url(home: Home, data: Path | None) -> str | None:
    return postmaster.url(home.socket_directory(data, account(data))) if data else None


def _size(data: Path) -> int:
    total = 0
    for directory, _, names in os.walk(data):
        for name in names:
            with suppress(FileNotFoundError):  # a server removes files as it runs
                total += (Path(directory) / name).lstat().st_size
    return total
