"""`mdload.toml`: the database and the defaults of a load, written down once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from loader.errors import SettingsError

DEFAULT_NAME: Final = "mdload.toml"
#: What `[defaults]` may hold: the options of `backfill` by their names, and the type of each.
_DEFAULTS: Final[dict[str, type]] = {
    "provider": str, "interval": str, "symbol": str, "dialect": str, "timezone": str,
    "time_format": str, "max_rejects": str, "job_name": str, "workers": int, "batch_rows": int,
    "commit_every": int, "allow_nonpositive_prices": bool, "off_grid": bool,
    "metrics_textfile": str, "push_gateway": str, "stamp": str, "price_divisor": str,
    "volume_factor": str, "keep_skipped": bool, "symbol_convention": str, "symbol_map": str,
}  # fmt: skip


@dataclass(frozen=True)
class ConfigFile:
    """What the file says; all empty where there is no file.

    `dialects` has a table for each, as `loader.providers.own` reads them.
    """

    database: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    dialects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read(path: str | None) -> ConfigFile:
    """The file at `path`, or `mdload.toml` of the working directory if it exists.

    Raises:
        SettingsError: it is absent, no TOML, or has an unknown key or a value of the wrong type.
    """
    file = Path(path or DEFAULT_NAME)
    if path is None and not file.exists():
        return ConfigFile()
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the configuration {file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the configuration {file} is not TOML: {error}") from error
    _check(file, "", found, {"database": dict, "defaults": dict, "dialects": dict})
    database, defaults = found.get("database", {}), found.get("defaults", {})
    dialects = found.get("dialects", {})
    _check(file, "dialects.", dialects, dict.fromkeys(dialects, dict))
    _check(file, "database.", database, {"url": str})
    _check(file, "defaults.", defaults, _DEFAULTS)
    return ConfigFile(database.get("url"), defaults, dialects)


def _check(file: Path, where: str, found: Mapping[str, Any], known: Mapping[str, type]) -> None:
    for key, value in found.items():
        if key not in known:
            near = get_close_matches(key, known, 1)
            raise SettingsError(
                f"{file}: {where}{key} is no setting of mdload",
                hint=f"did you mean {where}{near[0]}?" if near else f"known: {', '.join(known)}",
            )
        if type(value) is not known[key]:
            word = {str: "text", int: "a whole number", bool: "true or false", dict: "a table"}
            raise SettingsError(f"{file}: {where}{key} must be {word[known[key]]}, not {value!r}")
