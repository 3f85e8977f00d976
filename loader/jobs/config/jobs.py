"""A job of mdload.toml: the value of each key, where it comes from, and the load it describes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import date
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit

from loader.errors import MdloadError, SettingsError
from loader.jobs.config import dates
from loader.jobs.config.blame import about, key_of
from loader.jobs.config.keys import JOB
from loader.jobs.config.read import Config, typed
from loader.lazy import dataclass
from loader.settings import Option, Settings
from loader.settings.file.variables import expand
from loader.settings.load import as_fields
from loader.text import redact

_MASK: Final = "***"


@dataclass(frozen=True)
class Value:
    """The value of a key.

    Attributes:
        origin: where it comes from: `--set`, an environment variable, a line of the file, or
            `default`.
        shown: the value as it was written, without secrets.
        path: the keys that lead to it in the file; None if it is not from there.
    """

    value: Any = field(repr=False)
    origin: str
    shown: Any
    path: tuple[str, ...] | None = None


@dataclass(frozen=True)
class JobConfig:
    """A job. `job["retries"]` is the value of a key, or None without one."""

    name: str
    values: Mapping[str, Value]
    config: Config

    def __getitem__(self, key: str) -> Any:
        return self.values[key].value

    def settings(self, *, dry_run: bool = False, force: bool = False) -> Settings:
        """The settings of its load.

        Raises:
            SettingsError: the symbol map cannot be read, or `max_rejects` is wrong.
        """
        try:
            given = as_fields({name: value.value for name, value in self.values.items()})
        except SettingsError as error:
            raise self.blamed(error) from error
        return Settings(
            **given,
            own_dialects=self.config.dialects,
            job_name=self.name,
            dry_run=dry_run,
            force=force,
            leaves_unfinished=True,
        )

    def blamed(self, error: MdloadError) -> MdloadError:
        """`error` with the place of the key, variable or `--set` that has caused it; `error` itself
        if it is not about an option or a dialect of the file."""
        from loader.dialects.own import TableError  # noqa: PLC0415 - with Polars

        if isinstance(error, TableError):
            return self.config.error(str(error), *error.path, hint=error.hint)
        key = key_of(error)
        return error if key is None else self.wrong(key, error)

    def wrong(self, key: str, error: MdloadError) -> SettingsError:
        """`error`, which the value of `key` has caused."""
        value = self.values[key]
        if value.path is not None:
            return self.config.wrong(error, *value.path)
        said = about(f"jobs.{self.name}.{key}", error)
        return SettingsError(f"{value.origin}: {said}", hint=error.hint)

    def days(
        self, day: date | None = None, since: date | None = None, until: date | None = None
    ) -> list[date]:
        """The days to load, oldest first: from `since` to `until` (else today), or the job's window
        that ends on `day` (else today)."""
        today = dates.today(self["timezone_of_date"])
        if since is not None:
            return dates.span(since, until or today)
        return dates.window(day or today, self["days"])

    def patterns(self, days: Sequence[date]) -> dict[str, date]:
        """The sources for `days` in the order to load them, each with the day that its bars should
        have. A source without a date is there once."""
        found: dict[str, date] = {}
        for day in days:
            for source in self["source"]:
                found.setdefault(dates.fill(source, day), dates.day_of(source, day))
        return found


def job(config: Config, name: str, given: Mapping[str, str] | None = None) -> JobConfig:
    """Job `name`. What is `given` (`--set`) precedes the environment, the environment the job's
    table, and that `[defaults]`.

    Raises:
        SettingsError: there is no such job or key, a variable is not set, or a value is wrong.
    """
    if name not in config.jobs:
        raise _unknown_job(config, name)
    given = given or {}
    for unknown in given.keys() - JOB.keys():
        near = get_close_matches(unknown, JOB, 1)
        raise SettingsError(
            f"--set {unknown}: a job has no such key",
            hint=f"did you mean {near[0]}?" if near else f"known: {', '.join(JOB)}",
        )
    values = {key.name: _value(config, name, key, given) for key in JOB.values()}
    rule = values["known_at_from"]
    if values["known_at"].value is not None and (rule.path or ("",))[0] == "defaults":
        values["known_at_from"] = Value(None, "default", None)  # the job's own time is nearer
    return JobConfig(name, values, config)


def defaults(config: Config) -> JobConfig:
    """`[defaults]` as if a job had nothing else, for a check of its values. Raises as `job`."""
    keys = [key for key in JOB.values() if key.name in config.table("defaults")]
    unset = {key.name: Value(None, "default", None) for key in JOB.values()}
    return JobConfig(
        "defaults", {**unset, **{key.name: _value(config, "", key, {}) for key in keys}}, config
    )


def wrong_values(config: Config, name: str) -> Iterator[SettingsError]:
    """The errors of job `name`, key by key; none if `job` succeeds."""
    for key in JOB.values():
        try:
            _value(config, name, key, {})
        except SettingsError as error:
            yield error


def _value(config: Config, name: str, key: Option, given: Mapping[str, str]) -> Value:
    if key.name in given:
        return _outside(given[key.name], key, "--set", f"--set {key.name}")
    if key.env and (text := os.environ.get(key.env)):
        return _outside(text, key, f"environment {key.env}", key.env)
    if path := config.written(name, key.name):
        raw = config.table(*path[:-1])[key.name]
        return Value(config.value(raw, key, *path), config.place(*path), shown(key, raw), path)
    value = None if key.default is None else key.kind.read(key.default)
    return Value(value, "default", key.default)


def _outside(text: str, key: Option, origin: str, what: str) -> Value:
    try:
        return Value(typed(text, key, True), origin, _clean(key, text))
    except ValueError as error:
        given = "" if key.secret else f", not {text!r}"
        said = str(error) or f"must be {key.kind.word}{given}"
        raise SettingsError(f"{what}: {said}") from None


def shown(key: Option, raw: Any) -> Any:
    """`raw` as it may be shown: with its variables except secret ones, without passwords, and only
    the host of URLs that are secrets themselves (webhooks)."""
    return _clean(key, expand(raw, os.environ, mask=_MASK))


def _clean(key: Option, value: Any) -> Any:
    match value:
        case str():
            if key.secret and value.startswith(("http://", "https://")):
                return _host_only(value)
            return redact(value, _MASK)
        case list():
            return [_clean(key, each) for each in value]
        case Mapping():
            return {name: _clean(key, each) for name, each in value.items()}
    return value


def _host_only(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}/{_MASK}"
    except ValueError:  # of brackets that hold no address
        return _MASK


def every_job(config: Config) -> tuple[str, ...]:
    """The names of all jobs, in the order of the file.

    Raises:
        SettingsError: there are none. A nightly run in the wrong folder must not look like success.
    """
    if not config.jobs:
        raise _no_job(config, "there is no job")
    return tuple(config.jobs)


def _no_job(config: Config, what: str) -> SettingsError:
    said = "has no [jobs.NAME]" if config.path else "does not exist here"
    return SettingsError(
        f"{what}: {config.name} {said}",
        hint="write one down: docs/configuration.md shows how; or name the file with --config",
    )


def _unknown_job(config: Config, name: str) -> SettingsError:
    if not config.jobs:
        return _no_job(config, f"there is no job {name!r}")
    near = get_close_matches(name, config.jobs, 1)
    return SettingsError(
        f"there is no job {name!r} in {config.name}",
        hint=f"did you mean {near[0]}?" if near else f"jobs: {', '.join(config.jobs)}",
    )
