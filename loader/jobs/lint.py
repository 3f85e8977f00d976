"""Everything that is wrong with mdload.toml, as far as it shows without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from loader.check.file import check_settings
from loader.dialects.own import wrong
from loader.errors import MdloadError, SettingsError
from loader.jobs.config import Config, JobConfig, defaults, job, wrong_values
from loader.jobs.config.blame import key_of
from loader.jobs.config.read import ConfigError, Problem
from loader.jobs.hooks import unusable
from loader.jobs.surroundings import lacks
from loader.listen.metrics import check_ways
from loader.read.objects import is_url
from loader.read.objects.find import check as check_url
from loader.settings import Settings
from loader.settings.load import OPTIONS, as_fields
from loader.survey.calendars import require

Tables = Mapping[str, Mapping[str, Any]]


def problems(config: Config, *, here: bool = True) -> list[Problem]:
    """What is wrong, by lines; each once. With `here` also what jobs lack on this machine."""
    return sorted(set(_problems(config, here)), key=lambda problem: problem.line)


def _problems(config: Config, here: bool) -> Iterator[Problem]:
    written = list(config.problems())
    yield from written
    tables = {name: list(wrong(name, table)) for name, table in config.dialects.items()}
    for error in chain.from_iterable(tables.values()):
        yield Problem(config.line(*error.path), str(error), error.hint)
    if written:  # what is wrong with a key is wrong with each job that has it
        return
    try:
        _ = config.database
    except SettingsError as error:
        yield _problem(config, error)
    usable = {name: config.dialects[name] for name, errors in tables.items() if not errors}
    for name in config.jobs:
        values = list(wrong_values(config, name))
        yield from (_problem(config, error, "jobs", name) for error in values)
        if not values:
            yield from _of_job(job(config, name), usable, here)
    try:
        inherited = defaults(config)
    except SettingsError as error:
        yield _problem(config, error, "defaults")
    else:
        yield from _of_job(inherited, usable, here)


def _problem(config: Config, error: MdloadError, *path: str) -> Problem:
    """`error`, which is about `path` unless it says where."""
    if isinstance(error, ConfigError):
        return error.details
    return Problem(config.line(*path), str(error), error.hint)


def _of_job(found: JobConfig, dialects: Tables, here: bool) -> Iterator[Problem]:
    """What is wrong with values that are each of the right kind; `dialects` are the usable ones."""
    for error in (*_options(found, dialects), *_running(found)):
        yield _problem(found.config, error, "jobs", found.name)
    if here:
        for key, lack in lacks(found):
            yield _problem(found.config, found.wrong(key, lack), "jobs", found.name)


def _options(found: JobConfig, dialects: Tables) -> Iterator[MdloadError]:
    """Each option is looked at by itself, beside the dialect, which may have words of its own."""
    beside: dict[str, object] = {}
    given = {name: found[name] for name in OPTIONS if name in found.values}
    for name in sorted(given, key=lambda name: name != "dialect"):
        value = given[name]
        if value is None or (
            name == "dialect" and value in found.config.dialects.keys() - dialects.keys()
        ):
            continue  # an own dialect with a wrong table is wrong enough
        try:
            fields = as_fields({**beside, name: value})
            check_settings(Settings(**fields, own_dialects=dialects))
        except MdloadError as error:
            yield found.wrong(name, error) if key_of(error) == name else error
        else:
            beside |= {name: value} if name == "dialect" else {}


def _running(found: JobConfig) -> Iterator[MdloadError]:
    checks: list[tuple[str, Callable[[str], object], object]] = [
        *(("source", check_url, each) for each in found["source"] or () if is_url(each)),
        ("calendar", require, found["calendar"]),
        ("push_gateway", lambda url: check_ways(None, url), found["push_gateway"]),
    ]
    for key, check, value in checks:
        try:
            if value is not None:
                check(str(value))
        except SettingsError as error:
            yield found.wrong(key, error)
    for key, why in unusable(found):
        yield found.wrong(key, SettingsError(why, option=key))
