"""When the bars of an archived file were known: told, or read off its name or its file time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from loader.errors import InputError, SettingsError
from loader.read.sources import Source
from loader.settings import Settings, dated

_FORMS: Final = ("%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y-%m-%dT%H%M%S")
_FIRST: Final = datetime.min.replace(tzinfo=UTC)


def check(settings: Settings) -> None:
    """
    Raises:
        SettingsError: both settings are given, one is not understood, the time is to come, or
            files in order of time are divided.
    """
    if settings.known_at is not None and settings.known_at_from is not None:
        raise SettingsError("--known-at and --known-at-from exclude each other")
    if settings.known_at is not None and settings.known_at > datetime.now(UTC):
        raise SettingsError("--known-at is in the future", hint="give a time that has passed")
    if settings.known_at_from is not None:
        dated.pattern(settings.known_at_from)
        if settings.shard is not None:
            raise SettingsError(
                "has no meaning for files in the order of their dates",
                option="--shard",
                hint="leave out --known-at-from, or --shard",
            )


def known_at(settings: Settings, source: Source) -> datetime | None:
    """When the bars of `source` were known (UTC); None for now. A date is its midnight.

    Raises:
        InputError: the file's name does not say it, or says a time that is to come.
    """
    rule = settings.known_at_from
    if rule is None:
        return settings.known_at
    found = _file_time(source) if rule == "mtime" else _in_name(source.file_name, rule)
    if found is None or found > datetime.now(UTC):
        what = "does not say when it was known" if found is None else "is dated in the future"
        raise InputError(f"{source.name} {what} (--known-at-from {rule})", hint=dated.EXAMPLE)
    return found


def in_order(settings: Settings, sources: Sequence[Source]) -> Sequence[Source]:
    """The sources as they were known one after the other, where that is looked for; those that do
    not say it come first, for their error to be told."""
    if settings.known_at_from is None:
        return sources
    dated = []
    for source in sources:
        try:
            dated.append((known_at(settings, source) or _FIRST, source))
        except InputError:
            dated.append((_FIRST, source))
    return [source for _, source in sorted(dated, key=lambda pair: pair[0])]


def _file_time(source: Source) -> datetime | None:
    if source.is_copy or not isinstance(source.path, Path):
        return None
    return datetime.fromtimestamp(source.path.stat().st_mtime, UTC)


def _in_name(name: str, rule: str) -> datetime | None:
    pattern, form = dated.pattern(rule)
    match = pattern.search(Path(name).name)
    if match is None:
        return None
    text = match[1] if pattern.groups else match[0]
    for one in [form] if form else _FORMS:
        try:
            moment = datetime.strptime(text, one)
        except ValueError:
            continue
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    return None
