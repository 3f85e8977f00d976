"""`load` for programs: what `mdload backfill` does, as one call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from difflib import get_close_matches
from typing import Any, Final

from loader.db import target
from loader.errors import SettingsError
from loader.ingest.ways import chosen
from loader.read.sources import find
from loader.results import LoadResult
from loader.results.events import Listener
from loader.settings import Settings
from loader.settings.load import OPTIONS, as_fields
from loader.settings.terms import in_python_terms
from loader.store import schema

#: Fields of `Settings` that are options of the command, but not of the table.
_OWN: Final = ("own_dialects", "part")


def load(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    dsn: str | None = None,
    settings: Settings | None = None,
    *,
    listeners: Iterable[Listener] = (),
    **options: Any,
) -> LoadResult:
    """Loads files into a database and records it as one job run, as `mdload backfill` does: bars,
    or rows of the dataset of a tenant if the settings name one. The counts, notes, rejects and
    errors are the same, and nothing is printed.

    Args:
        sources: one or several of what `mdload backfill` takes: a path, a glob, a folder, a URL
            (`s3://`, `gs://`, `az://`, `https://`), or `-` for standard input.
        dsn: a libpq URL or connection string. Its tables must be there: see `mdload migrate`.
            Without one it is found as the command finds it: MDLOAD_DATABASE_URL, DATABASE_URL,
            libpq's environment, mdload.toml, or the embedded server, which is made if need be.
        settings: how to read the files and what to do with them; the defaults are those of
            `mdload backfill`. `[defaults]` of mdload.toml are the command's alone.
        options: the options of `mdload backfill` instead of settings, by their names:
            `provider="polygon"`, `interval="1m"`, `workers=2`, `dry_run=True`,
            `columns={"close": "Settle"}`, `max_rejects="0.1%"`.
        listeners: called with each event of the load; a `Metrics` counts them for Prometheus.

    Returns:
        the run's id and status, and for every file its counts: each row that was read is
        inserted, updated, unchanged, duplicate, skipped or rejected. A file that could not be
        loaded is there with its error and does not stop the others: check `exit_code`.

    Raises:
        NotThere: a source names nothing.
        UnreadableFile: a source is not a file, or cannot be reached.
        SettingsError, UnknownDialect: a setting is wrong whatever the files are.
        TypeError: there is no such option, or both options and settings are given.
        ForkedProcess: this process was forked from one that had used mdload; see
            docs/store-client.md.
        DatabaseError: the run could not be recorded.
    """
    named = [sources] if isinstance(sources, str | os.PathLike) else sources
    with ExitStack() as stack:
        stack.enter_context(in_python_terms())
        asked = _settings(settings, options)
        chosen.check(asked)
        files = stack.enter_context(find([os.fspath(source) for source in named]))
        url = dsn
        if url is None:
            url = stack.enter_context(target.found(schema.bring_up, make=True))
        return chosen.load(asked, url, files, listeners)


def _settings(settings: Settings | None, options: Mapping[str, Any]) -> Settings:
    if not options:
        return settings or Settings()
    if settings is not None:
        raise TypeError(f"load() takes settings or options ({', '.join(options)}), not both")
    own = {name: value for name, value in options.items() if name in _OWN}
    known = {name: each for name, each in OPTIONS.items() if each.field is not None}
    read = {}
    for name, value in options.items():
        if name in own or value is None:
            continue
        if name not in known:
            near = get_close_matches(name, [*known, *_OWN], 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise TypeError(f"load() has no option {name!r}{meant}")
        try:
            read[name] = known[name].kind.read(value)
        except ValueError as error:
            why = str(error) or f"it must be {known[name].kind.word}"
            raise SettingsError(f"{name}={value!r}: {why}", option=known[name].flag) from error
    return Settings(**as_fields(read), **own)
