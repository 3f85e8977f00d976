"""What the global options say, handed to every command as `ctx.obj`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from loader.lazy import dataclass

if TYPE_CHECKING:
    from loader.jobs.config import Config


@dataclass(frozen=True)
class Context:
    """The global options.

    Attributes:
        database: `--database` as given, or None.
        config_file: `--config` as given, or None for the first mdload.toml that is found.
        home: of the embedded server; None for MDLOAD_HOME or the default.
        verbosity: -1 for `--quiet`, 0, or the number of `--verbose`.
        log_format: of messages on stderr.

    The configuration is read when it is first asked for, and raises SettingsError then.
    """

    database: str | None = None
    config_file: str | None = None
    home: Path | None = None
    verbosity: int = 0
    log_format: Literal["text", "json"] = "text"

    def configure_log(self) -> None:
        """Makes stderr speak as these options say."""
        from loader.listen import log

        log.configure(self.log_format, self.verbosity)

    def mention(self, text: str) -> None:
        """Says it to a person who asked for more."""
        from loader.listen import log

        if self.verbosity > 0 and self.log_format == "text":
            log.note(text)

    @property
    def has_config(self) -> bool:
        """Whether anything needs the reader of configuration files: a file, or -v, which reports
        that none was found."""
        from loader.settings.file.whereabouts import places

        named = self.config_file is not None or self.verbosity > 0
        return named or any(place.exists() for place in places())

    @cached_property
    def config(self) -> Config:
        """What mdload.toml says, checked."""
        from loader.jobs.config.read import read

        config = read(self.config_file)
        self.mention(f"configuration: {config.path or 'no mdload.toml'}")
        return config

    @property
    def configured(self) -> str | None:
        """The configuration's database; None where it has none, or where the option or the
        environment precedes it, so that its variables need not be set."""
        from loader.db.target import named

        return None if named(self.database) else self.config.database

    @property
    def dialects(self) -> Mapping[str, Mapping[str, Any]]:
        """The configuration's `[dialects.NAME]` tables, checked, for which Polars is imported."""
        if not self.has_config:
            return {}
        if self.config.dialects:
            self.config.check_dialects()
        return self.config.dialects
