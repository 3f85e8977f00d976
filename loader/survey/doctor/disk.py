"""Room on disk: where the server's files are, as far as it tells, and where loads spool."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from loader.db.rows import Session
from loader.survey.doctor.check import Check
from loader.text import bytes_

#: Free bytes below which the server's disk is told, and below which loads will fail.
_SERVER: Final = (10_000_000_000, 1_000_000_000)
#: The same of the temporary directory: 10 million bars out of order spool 1 GB.
_SPOOL: Final = (2_000_000_000, 100_000_000)


def of_the_server(session: Session) -> Check:
    """The size of the database, and what is free beside it where that is this machine's disk."""
    (found,) = session.rows("doctor_space")
    size = f"the database has {bytes_(found['bytes'])}"
    try:
        free = shutil.disk_usage(found["directory"] or "").free
    except OSError:  # another machine's, another container's, or not ours to see
        return Check("space", "ok", f"{size}; what is free, its server does not tell")
    hint = f"make room on the disk of {found['directory']}: a server without any stops"
    return room("space", f"{size}, and {bytes_(free)} are free on its disk", free, _SERVER, hint)


def of_this_machine() -> Check:
    """What is free in the temporary directory."""
    place = Path(tempfile.gettempdir())
    free = shutil.disk_usage(place).free
    hint = "make room there, or set TMPDIR: files with bars out of order are sorted on disk"
    return room("spool", f"{bytes_(free)} are free in {place}", free, _SPOOL, hint)


def room(name: str, what: str, free: int, limits: tuple[int, int], hint: str) -> Check:
    """The finding for `free` bytes: told below the first limit, wrong below the second."""
    little, none = limits
    if free >= little:
        return Check(name, "ok", what)
    return Check(name, "fail" if free < none else "warn", what, hint)
