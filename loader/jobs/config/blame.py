"""Rewrites errors about options in terms of the keys of mdload.toml."""

from __future__ import annotations

from loader.errors import MdloadError, SettingsError, UnknownDialect
from loader.settings.load import option_of


def key_of(error: MdloadError) -> str | None:
    """The key of mdload.toml that `error` is about; None if it is not about an option."""
    if isinstance(error, UnknownDialect):
        return "dialect"
    option = option_of(error.option) if isinstance(error, SettingsError) else None
    return option.name if option else None


def about(name: str, error: MdloadError) -> str:
    """The message about `name`, instead of about the option."""
    if isinstance(error, SettingsError) and error.option:
        return f"{name} {error.problem}"
    return f"{name}: {error}"
