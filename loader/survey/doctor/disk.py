"""Free disk space: of the server, if it says where its files are, and for the spool of loads."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from loader.db.rows import Session
from loader.survey.doctor.check import Check
from loader.text import bytes_

#: Free bytes on the server's disk: a warning below the first, a failure below the second.
_SERVER: Final = (10_000_000_000, 1_000_000_000)
#: The same for the temporary directory: 10 million bars out of order spool 1 GB.
_SPOOL: Final = (2_000_000_000, 100_000_000)


def of_the_server(session: Session) -> Check:
    """The size of the database, and the free space if its disk is on this machine."""
    (found,) = session.rows("doctor_space")
    size = f"the database has {bytes_(found['bytes'])}"
    try:
        free = shutil.disk_usage(found["directory"] or "").free
    except OSError:  # on another machine, in another container, or not visible to this account
        return Check("space", "ok", f"{size}; what is free, its server does not tell")
    hint = f"make room on the disk of {found['directory']}: a server without any stops"
    return room("space", f"{size}, and {bytes_(free)} are free on its disk", free, _SERVER, hint)


def of_this_machine() -> Check:
    """Free space in the temporary directory."""
    place = Path(tempfile.gettempdir())
    free = shutil.disk_usage(place).free
    hint = "make room there, or set TMPDIR: files with bars out of order are sorted on disk"
    return room("spool", f"{bytes_(free)} are free in {place}", free, _SPOOL, hint)


def room(name: str, what: str, free: int, limits: tuple[int, int], hint: str) -> Check:
    """The finding for `free` bytes: a warning below the first limit, a failure below the second."""
    little, none = limits
    if free >= little:
        return Check(name, "ok", what)
    return Check(name, "fail" if free < none else "warn", what, hint)
