"""How many files this process may have open."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from loader.errors import SettingsError

#: Enough for many files at a time; systems often allow 1,024 and let a process raise that.
_WANTED: Final = 1024
#: With fewer, libraries end the process in the middle of something.
_NEEDED: Final = 24


def insist() -> None:
    """Raises this process's own limit as far as it may.

    Raises:
        SettingsError: it remains too low for any command.
    """
    try:
        import resource  # Windows has none
    except ImportError:
        return
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= allowed < _WANTED:
        wanted = _WANTED if most == resource.RLIM_INFINITY else min(_WANTED, most)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
            allowed = wanted
    if 0 <= allowed < _NEEDED:
        raise SettingsError(
            f"this process may have {allowed} files open, and mdload needs {_NEEDED} at least",
            hint="allow more: ulimit -n 1024",
        )
