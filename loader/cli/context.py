"""What the global options say, handed to every command as `ctx.obj`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Context:
    """The global options.

    Attributes:
        database: `--database` as given, or None.
        configured: the configuration file's database, which the environment precedes, or None.
        home: of the embedded server; None for MDLOAD_HOME or the default.
        verbosity: -1 for `--quiet`, 0, or the number of `--verbose`.
        log_format: of what is told on stderr.
    """

    database: str | None = None
    configured: str | None = None
    home: Path | None = None
    verbosity: int = 0
    log_format: Literal["text", "json"] = "text"
