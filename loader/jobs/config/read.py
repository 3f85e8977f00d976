"""`mdload.toml`, read and checked."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from loader.errors import MdloadError, SettingsError
from loader.jobs.config.blame import about
from loader.jobs.config.keys import DATABASE, DEFAULTS, JOB
from loader.jobs.config.places import line_of
from loader.lazy import dataclass, regex
from loader.settings import Option
from loader.settings.file import toml
from loader.settings.file.variables import expand, refers
from loader.settings.file.whereabouts import DEFAULT_NAME, places

_SECTIONS: Final = ("database", "defaults", "jobs", "dialects")
#: Names that are safe in a crontab, a unit's name and a shell.
_JOB_NAME: Final = regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ELSEWHERE: Final = {
    "job_name": "a job's runs are recorded under the name of its table",
    "url": "the server's address belongs to [database]",
}


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with the file, and its line."""

    line: int
    message: str
    hint: str | None = None


class ConfigError(SettingsError):
    """The file is wrong; `details` say where and how."""

    def __init__(self, name: str, details: Problem) -> None:
        super().__init__(f"{name}:{details.line}: {details.message}", hint=details.hint)
        self.details = details


@dataclass(frozen=True)
class Config:
    """The contents of the file; empty if there is no file.

    Variables (`${NAME}`) are expanded when a value is read, so that a command works without the
    variables that it does not need. `dialects` has the tables that `loader.dialects.own` reads;
    variables are not expanded there, because patterns use the dollar themselves.
    """

    path: Path | None = None
    text: str = field(default="", repr=False)
    tables: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return str(self.path or DEFAULT_NAME)

    @property
    def folder(self) -> Path:
        """The folder of the file, where its relative paths start."""
        return self.path.parent if self.path else Path()

    @property
    def dialects(self) -> Mapping[str, Mapping[str, Any]]:
        return self.table("dialects")

    @property
    def jobs(self) -> tuple[str, ...]:
        """Names of the jobs, in the file's order."""
        return tuple(self.table("jobs"))

    @cached_property
    def database(self) -> str | None:
        """The URL of the server, with its variables expanded.

        Raises:
            ConfigError: one of them is not set, or it is not the URL of a PostgreSQL server.
        """
        from loader.db.conninfo import libpq_url  # noqa: PLC0415 - with psycopg

        path = ("database", "url")
        if (raw := self.table("database").get("url")) is None:
            return None
        try:
            return libpq_url(self.value(raw, DATABASE["url"], *path), "database.url")
        except ConfigError:
            raise
        except SettingsError as error:
            raise self.error(str(error), *path, hint=error.hint) from error

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """`[defaults]` for the commands that load: options of `backfill` by their names, as click
        takes them. Raises as `database`."""
        found = {}
        for name, raw in self.table("defaults").items():
            if DEFAULTS[name].flag:
                value = self.value(raw, DEFAULTS[name], "defaults", name)
                found[name] = list(value.items()) if isinstance(value, dict) else value
        return found

    def table(self, *path: str) -> Mapping[str, Any]:
        """The table of that path as it is written; empty where there is none."""
        found: Any = self.tables
        for name in path:
            found = found.get(name, {})
        return found if isinstance(found, Mapping) else {}

    def written(self, job: str, key: str) -> tuple[str, ...] | None:
        """The path of the value that `job` has for `key`: in its table, or in `[defaults]`."""
        for path in (("jobs", job, key), ("defaults", key)):
            if key in self.table(*path[:-1]) and (path[0] == "jobs" or key in DEFAULTS):
                return path
        return None

    def value(self, raw: object, key: Option, *path: str) -> Any:
        """The value of `raw`, written at `path`: variables expanded, paths from the file's folder.

        Raises:
            SettingsError: a variable is not set, or the value is of the wrong kind.
        """
        try:
            return self._located(typed(expand(raw, os.environ), key, refers(raw)), key)
        except ValueError as error:
            raise self.error(_wrong(path, key, error), *path) from None

    def _located(self, value: Any, key: Option) -> Any:
        if not key.kind.is_path:
            return value
        if isinstance(value, tuple):
            return tuple(self._located(each, key) for each in value)
        if value == "-" or value.startswith("~") or re.match(r"[a-z][a-z0-9+.-]+://", value):
            return value
        return str(self.folder / value)

    def line(self, *path: str) -> int:
        return line_of(self.text, path)

    def place(self, *path: str) -> str:
        """`mdload.toml:12`."""
        return f"{self.name}:{self.line(*path)}"

    def error(self, message: str, *path: str, hint: str | None = None) -> ConfigError:
        """An error about the value at `path`."""
        return ConfigError(self.name, Problem(self.line(*path), message, hint))

    def wrong(self, error: MdloadError, *path: str) -> ConfigError:
        """`error`, which the value of the key at `path` has caused."""
        return self.error(about(".".join(path), error), *path, hint=error.hint)

    def check_dialects(self) -> None:
        """Raises:
        ConfigError: a table of `[dialects]` is wrong.
        """
        from loader.dialects.own import TableError, from_tables  # noqa: PLC0415 - with Polars

        try:
            from_tables(self.dialects)
        except TableError as error:
            raise self.error(str(error), *error.path, hint=error.hint) from error

    def problems(self) -> Iterator[Problem]:
        """Unknown keys, and values of the wrong kind unless they need the environment; in the order
        of the sections."""
        yield from self._unknown(self.tables, _SECTIONS, ())
        for section in _SECTIONS:
            if not isinstance(self.tables.get(section, {}), Mapping):
                yield Problem(self.line(section), f"{section} must be a table")
        yield from self._wrong_values(("database",), DATABASE)
        yield from self._wrong_values(("defaults",), DEFAULTS)
        for section in ("jobs", "dialects"):
            for name, table in self.table(section).items():
                if not isinstance(table, Mapping):
                    said = f"{section}.{name} must be a table, not {table!r}"
                    yield Problem(self.line(section, name), said)
        for name, table in self.table("jobs").items():
            if not isinstance(table, Mapping):
                continue
            if not _JOB_NAME.fullmatch(name):
                yield Problem(
                    self.line("jobs", name),
                    f"{name!r} is not a name for a job: letters, digits, '-', '_' and '.'",
                )
            yield from self._wrong_values(("jobs", name), JOB)
            if "source" not in self.table("jobs", name):
                hint = 'for example source = "dumps/{date:%Y-%m-%d}.csv"'
                yield Problem(self.line("jobs", name), f"jobs.{name} has no source", hint)

    def _wrong_values(self, path: tuple[str, ...], keys: Mapping[str, Option]) -> Iterator[Problem]:
        table = self.table(*path)
        yield from self._unknown(table, tuple(keys), path)
        for name in table:
            if name in keys and not refers(table[name]):
                try:
                    keys[name].kind.read(table[name])
                except ValueError as error:
                    at = (*path, name)
                    yield Problem(self.line(*at), _wrong(at, keys[name], error, table[name]))

    def _unknown(
        self, table: Mapping[str, Any], known: tuple[str, ...], path: tuple[str, ...]
    ) -> Iterator[Problem]:
        for name in table:
            if name not in known:
                near = get_close_matches(name, known, 1)
                where = ".".join((*path, name))
                hint = _ELSEWHERE.get(name) if path and path[0] == "jobs" else None
                if near:
                    hint = hint or f"did you mean {'.'.join((*path, near[0]))}?"
                yield Problem(
                    self.line(*path, name), f"{where} is not a setting of mdload",
                    hint or f"known: {', '.join(known)}",
                )  # fmt: skip


def _wrong(path: tuple[str, ...], key: Option, error: ValueError, raw: object | None = None) -> str:
    if str(error):
        return f"{'.'.join(path)}: {error}"
    said = "" if raw is None or key.secret else f", not {raw!r}"
    return f"{'.'.join(path)} must be {key.kind.word}{said}"


def typed(value: Any, key: Option, as_text: bool) -> Any:
    """`value` as `key` stores it. A value that came `as_text` from outside may be TOML: 4,
    true, ["a", "b"].

    Raises:
        ValueError: it is of another kind.
    """
    if as_text and isinstance(value, str) and not key.kind.is_text:
        try:
            return key.kind.read(toml.loads(f"it = {value}")["it"])
        except (ValueError, KeyError):
            pass
    return key.kind.read(value)


def parse(path: Path | None) -> Config:
    """The file at `path`, or the first of `places`; not checked. Without one it is empty.

    Raises:
        SettingsError: it is absent, or not TOML.
    """
    file = path or next((place for place in places() if place.exists()), None)
    if file is None:
        return Config()
    try:
        text = file.read_text(encoding="utf-8-sig")
        return Config(file, text, toml.loads(text))
    except OSError as error:
        raise SettingsError(f"the configuration {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"the configuration {file} is not UTF-8 text: {error}") from error
    except tomllib.TOMLDecodeError as error:
        said = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(error))
        place, what = (f"{file}:{said[2]}", said[1]) if said else (str(file), str(error))
        raise SettingsError(f"{place}: the configuration is not TOML: {what}") from error
    except ValueError as error:
        raise SettingsError(f"{file}: the configuration cannot be used: {error}") from error


def read(path: str | None) -> Config:
    """The file at `path`, or the first of `places`, checked.

    Raises:
        SettingsError: it is absent, not TOML, or has an unknown key or a value of the wrong type.
    """
    config = parse(None if path is None else Path(path))
    for problem in config.problems():
        raise ConfigError(config.name, problem)
    return config
