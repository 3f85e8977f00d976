"""When the embedded server runs: while someone uses it, or until a pinned one is stopped.

Two locks in the home. `start.lock` is held around initdb, start and stop. `use.lock` is shared by
all who use the server; who can make it exclusive at the end is the last and stops the server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loader.db.embedded import binaries, cluster, tcp
from loader.db.embedded.account import account, private_directory
from loader.db.embedded.home import Home, usable
from loader.db.embedded.locks import Lock, exclusive
from loader.db.embedded.tools import tools
from loader.errors import SettingsError

_MOVE = (
    "to go on as before, set MDLOAD_PG_BIN to the bin directory of a PostgreSQL {major}; to move,"
    ' do so and run `mdload db start`, `pg_dump -Fc -f mdload.dump "$(mdload db url)"` and'
    " `mdload db stop`; then rename {name} to {name}.old, unset MDLOAD_PG_BIN, and run"
    ' `mdload db start` and `pg_restore -d "$(mdload db url)" mdload.dump`'
)


@contextmanager
def embedded(home: Path | None = None) -> Iterator[str]:
    """URL of the embedded server's database; the server runs at least until the block ends.

    Raises:
        SettingsError: no PostgreSQL programs, a home that cannot be used, or data of another
            PostgreSQL major version.
        DatabaseError: the server does not start.
    """
    place = Home.at(home)
    with _alone(place):
        use = Lock(place.use_lock)
        use.shared()
        try:
            url = _up(place)
        except BaseException:
            _leave(place, use, hurried=True)
            raise
    try:
        yield url
    except BaseException as error:
        with _alone(place):
            _leave(place, use, hurried=not isinstance(error, Exception))
        raise
    with _alone(place):
        _leave(place, use)


def start(home: Path | None = None, port: int | None = None) -> str:
    """Starts the server if necessary, and keeps it running until `stop`. Returns its URL.

    With a `port`, it listens there too, on this machine's loopback address alone, for the role and
    with the password of `tcp`. A server that runs without it is started again.

    Raises:
        SettingsError, DatabaseError: as `embedded`.
        SettingsError: the port is taken, or the server is in use and would have to start again.
    """
    place = Home.at(home)
    with _alone(place):
        word = tcp.password(place.password) if port is not None else None
        before = place.pin.read_text() if place.pin.exists() else None
        if port is not None and place.port != port:
            _insist_on_unused(place, port)
            place.pin.write_text(f"{port}\n")
        try:
            url = _up(place)
            if word is not None:
                tcp.admit(url, word)
        except BaseException:
            if before is None:
                place.pin.unlink(missing_ok=True)
            else:
                place.pin.write_text(before)
            raise
        place.pin.touch()
    return url


def _insist_on_unused(home: Home, port: int) -> None:
    """Stops the server, which runs without the port.

    Raises:
        SettingsError: somebody uses it.
    """
    use = Lock(home.use_lock)
    try:
        if not use.alone():
            raise SettingsError(
                "the embedded server is in use, and has to start again to listen on a port",
                hint=f"wait until the other mdload ends, then: mdload db start --port {port}",
            )
        for data in home.data_directories():
            cluster.stop(data)
    finally:
        use.close()


def stop(home: Path | None = None) -> bool:
    """Ends the pin, and the server unless an mdload uses it: then that one stops it at its end.

    Returns:
        Whether a server ran and was stopped.

    Raises:
        SettingsError: the home cannot be used.
        DatabaseError: the server does not stop.
    """
    place = Home.at(home)
    if not place.path.exists():
        return False
    with _alone(place):
        place.pin.unlink(missing_ok=True)
        return _leave(place, Lock(place.use_lock))


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """During the block nobody else makes, starts or stops a server in this home."""
    with usable(home):
        home.make()
        with exclusive(home.start_lock):
            yield


def _up(home: Home) -> str:
    """Starts the server, and makes it first if there is none. Returns its URL."""
    programs = binaries.find()
    data = home.data(programs.major)
    _refuse_other_major(home, programs)
    home.clean()
    who = account(data)
    ready = tools(programs, who, home.path)
    if not data.exists():
        cluster.initialise(ready, data)
    directory = private_directory(home.socket_directory(data, who), who)
    return cluster.start(ready, data, directory, home.port).url


def _leave(home: Home, use: Lock, *, hurried: bool = False) -> bool:
    """Ends the use of the server. Its last user stops it, unless it is pinned.

    Returns:
        Whether a server ran and was stopped.
    """
    try:
        if home.pin.exists() or not use.alone():
            return False
        stopped = [cluster.stop(data, hurried=hurried) for data in home.data_directories()]
        return any(stopped)
    finally:
        use.close()


def _refuse_other_major(home: Home, programs: binaries.Binaries) -> None:
    own = home.data(programs.major)
    for data in [own] if own.exists() else home.data_directories():
        major = (data / "PG_VERSION").read_text().strip()
        if major != str(programs.major):
            raise SettingsError(
                f"the data in {data} is PostgreSQL {major}'s, and the programs in {programs.bin}"
                f" are PostgreSQL {programs.version}",
                hint=_MOVE.format(major=major, name=data.name),
            )
