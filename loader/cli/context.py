"""What the global options say, handed to every command as `ctx.obj`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Context:
    """The global options.

    Attributes:
        database: `--database` as given, or None.
        home: of the embedded server; None for MDLOAD_HOME or the default.
    """

    database: str | None = None
    home: Path | None = None
