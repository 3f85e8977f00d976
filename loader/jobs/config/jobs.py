"""A job of mdload.toml: each key's value, by whose word it has it, and what that comes to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from loader.errors import MdloadError, SettingsError
from loader.jobs.config import dates
from loader.jobs.config.keys import JOB, Key
from loader.jobs.config.read import Config, typed
from loader.jobs.config.variables import expand
from loader.text import redact

if TYPE_CHECKING:
    from loader.settings import Settings

_MASK: Final = "***"


@dataclass(frozen=True)
class Value:
    """What a key comes to. `origin` is `--set`, an environment variable, a line of the file, or
    `default`; `shown` is the value as it was written, without secrets."""

    value: Any = field(repr=False)
    origin: str
    shown: Any


@dataclass(frozen=True)
class JobConfig:
    """A job. `job["retries"]` is the value of a key: None where nobody gave one."""

    name: str
    values: Mapping[str, Value]
    dialects: Mapping[str, Mapping[str, Any]]

    def __getitem__(self, key: str) -> Any:
        return self.values[key].value

    def settings(self, *, dry_run: bool = False, force: bool = False) -> Settings:
        """What a load of it is asked to do.

        Raises:
            SettingsError: the symbol map cannot be read.
        """
        from loader.bars import symbol_map  # noqa: PLC0415 - so that reading the file stays quick
        from loader.settings import RejectLimit, Settings  # noqa: PLC0415

        same = ("provider", "interval", "symbol", "timezone", "dialect", "symbol_convention",
                "time_format", "stamp", "keep_skipped", "allow_nonpositive_prices", "workers",
                "batch_rows", "commit_every", "recompress", "dataset", "mode")  # fmt: skip
        price, volume, names = self["price_divisor"], self["volume_factor"], self["symbol_map"]
        return Settings(
            **{name: self[name] for name in same},
            columns=self["columns"] or {},
            own_dialects=self.dialects,
            symbol_map=None if names is None else symbol_map.read(names),
            price_exponent=None if price is None else 1 - len(price),
            volume_exponent=None if volume is None else len(volume) - 1,
            check_grid=not self["off_grid"],
            max_rejects=RejectLimit.parse(self["max_rejects"]),
            job_name=self.name,
            dry_run=dry_run,
            force=force,
            leaves_unfinished=True,
        )

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
        """The sources for `days` in the order to load them, each with the day whose bars it is to
        have; one that names no date stands there once."""
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
    return JobConfig(name, values, config.dialects)


def wrong_values(config: Config, name: str) -> Iterator[SettingsError]:
    """What keeps job `name` from its values, key by key; nothing where `job` gives it."""
    for key in JOB.values():
        try:
            _value(config, name, key, {})
        except SettingsError as error:
            yield error


def blamed(found: JobConfig, error: MdloadError) -> tuple[str, str, str | None]:
    """The key of the job that `error` is about, and its message and hint in terms of that key,
    where it speaks of the option of backfill; else the empty key, and both as they are."""
    said, hint = str(error), error.hint
    for key in JOB.values():
        if key.option and said.startswith(f"{key.option} "):
            said = f"jobs.{found.name}.{key.name}{said.removeprefix(key.option)}"
            hint = hint and re.sub(rf"{key.option} ('[^']*'|\S+)", rf"{key.name} = \1", hint)
            return key.name, said, hint
    return "", said, hint


def _value(config: Config, name: str, key: Key, given: Mapping[str, str]) -> Value:
    if key.name in given:
        return _outside(given[key.name], key, "--set", f"--set {key.name}")
    if key.env and (text := os.environ.get(key.env)):
        return _outside(text, key, f"environment {key.env}", key.env)
    if path := config.written(name, key.name):
        raw = config.table(*path[:-1])[key.name]
        return Value(config.value(raw, key, *path), config.place(*path), shown(key, raw))
    value = None if key.default is None else key.kind.read(key.default)
    return Value(value, "default", key.default)


def _outside(text: str, key: Key, origin: str, what: str) -> Value:
    try:
        return Value(typed(text, key, True), origin, _clean(key, text))
    except ValueError as error:
        given = "" if key.secret else f", not {text!r}"
        said = str(error) or f"must be {key.kind.word}{given}"
        raise SettingsError(f"{what}: {said}") from None


def shown(key: Key, raw: Any) -> Any:
    """`raw` as it may be seen: variables put in but for secret ones, no passwords, and of URLs that
    are secrets themselves (a webhook's) only the host."""
    return _clean(key, expand(raw, os.environ, mask=_MASK))


def _clean(key: Key, value: Any) -> Any:
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
        SettingsError: there is none. A nightly run in the wrong folder must not look like success.
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
