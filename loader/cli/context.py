"""What the global options say, handed to every command as `ctx.obj`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Context:
    """The global options.

    Attributes:
        database: `--database` as given, or None.
        configured: the configuration file's database, which the environment precedes, or None.
        home: of the embedded server; None for MDLOAD_HOME or the default.
        verbosity: -1 for `--quiet`, 0, or the number of `--verbose`.
        dialects: the configuration file's `[dialects.NAME]` tables.
        log_format: of what is told on stderr.
    """

    database: str | None = None
    configured: str | None = None
    dialects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    home: Path | None = None
    verbosity: int = 0
    log_format: Literal["text", "json"] = "text"
