"""Where files are loaded: worker processes of this machine, or of a Dask cluster."""

from __future__ import annotations

import re
from typing import Final

from loader.errors import SettingsError
from loader.lazy import dataclass

_MOST: Final = 64


@dataclass(frozen=True, slots=True)
class Place:
    """
    Attributes:
        processes: the number of processes on this machine, or
        scheduler: the address of a Dask scheduler, as Dask writes it: `tcp://…`, `tls://…`.
    """

    processes: int | None = None
    scheduler: str | None = None

    def __str__(self) -> str:
        if self.scheduler is None:
            return f"local:{self.processes}"
        return self.scheduler.replace("tcp://", "dask://", 1)


def read(text: str) -> Place:
    """The place that `text` names: `local:8`, `dask://scheduler:8786`, or `tls://…` for a scheduler
    that speaks TLS.

    Raises:
        SettingsError: it names none.
    """
    if match := re.fullmatch(r"local:(\d{1,4})", text):
        if not 1 <= int(match[1]) <= _MOST:
            raise SettingsError(f"{text} is not from 1 to {_MOST} processes", option="--on")
        return Place(processes=int(match[1]))
    if match := re.fullmatch(r"(dask|tcp|tls)://([^/@\s]+:\d{1,5})/?", text):
        return Place(scheduler=f"{'tls' if match[1] == 'tls' else 'tcp'}://{match[2]}")
    raise SettingsError(
        f"{text!r} is not a place to load files at", option="--on",
        hint="write local:8 for eight processes of this machine, or dask://HOST:PORT",
    )  # fmt: skip
