"""The sources of a job: those that are complete, those that are missing, and those that are still
being written."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from datetime import date
from pathlib import Path
from typing import Final

from loader.errors import NotThere, SettingsError, UnreadableFile
from loader.jobs.config import JobConfig
from loader.lazy import dataclass
from loader.read.sources import Identity, Source, find, identity
from loader.text import redact

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What there is of a job's sources.

    Attributes:
        sources: to be loaded, in order. One that is missing, where that is a failure, or cannot be
            reached is among them with its trouble, for the load of it to fail and be recorded.
        missing: patterns that name nothing although it was expected.
        unfinished: names of sources that are left for the next run.
    """

    sources: list[Source]
    missing: list[str]
    unfinished: list[str]

    @property
    def is_final(self) -> bool:
        """Whether looking again is useless."""
        return not any(s.trouble and s.trouble.retryable for s in self.sources)


def gather(job: JobConfig, patterns: Mapping[str, date], stack: ExitStack) -> Gathered:
    """The sources that `patterns` (each with the day whose bars it should have) name; what they
    need lasts as long as `stack`. Waits for as long as `settle` where one was just written.

    Raises:
        SettingsError: there is no such calendar, or a pattern is a URL of another kind.
    """
    found: dict[tuple[object, str | None], Source] = {}
    absent: dict[str, NotThere] = {}
    for pattern in patterns:
        try:
            for source in stack.enter_context(find([pattern])):
                found.setdefault(source.key, source)
        except NotThere as error:
            absent[pattern] = error
        except SettingsError as error:
            raise job.wrong("source", error) from error
        except UnreadableFile as error:
            troubled = _troubled(pattern, error)
            found[troubled.key] = troubled
    missing = _expected(job, {pattern: patterns[pattern] for pattern in absent})
    if job["missing"] == "warn":
        for pattern in missing:
            _log.warning("%s is missing", redact(pattern))
    whole, unfinished = settled(found.values(), job["settle"])
    for name in unfinished:
        _log.warning("%s is still being written: left for the next run", name)
    if job["missing"] == "fail":
        whole += [_troubled(pattern, absent[pattern]) for pattern in missing]
    return Gathered(whole, [redact(pattern) for pattern in missing], unfinished)


def _troubled(pattern: str, error: UnreadableFile) -> Source:
    return Source(Path(pattern), redact(pattern), None, 0, error)


def _expected(job: JobConfig, absent: Mapping[str, date]) -> list[str]:
    """Those of the absent ones that should exist."""
    if not absent or job["missing"] == "ignore":
        return []
    if job["calendar"] is None:
        return list(absent)
    from loader.survey.calendars import calendar  # noqa: PLC0415 - it takes its time

    days = absent.values()
    try:
        sessions = set(calendar(job["calendar"], min(days), max(days)).parts["session"])
    except SettingsError as error:
        raise job.wrong("calendar", error) from error
    for pattern, day in absent.items():
        if day not in sessions:
            _log.info("%s is not expected: %s is closed on %s", pattern, job["calendar"], day)
    return [pattern for pattern, day in absent.items() if day in sessions]


def settled(sources: Iterable[Source], seconds: float) -> tuple[list[Source], list[str]]:
    """The sources that are complete, and the names of those that are still being written.

    A source that was written to within the last `seconds` is looked at again after that time.
    """
    all_ = list(sources)
    # An object appears only when it is complete.
    theirs = [s for s in all_ if isinstance(s.path, Path) and not (s.is_copy or s.trouble)]
    looks = {source.path: _look(source) for source in theirs}
    now = time.time()
    ages = [now - look[1] / 1e9 for look in looks.values() if look]
    young = [age for age in ages if abs(age) < seconds]  # a stamp in the future ages as well
    if young:
        _log.info("waiting for files that were just written")
        time.sleep(seconds - max(min(young), 0))
    moved = {s.path for s in theirs if _look(s) != looks[s.path]} if young else set()
    whole = [source for source in all_ if source.path not in moved]
    return whole, [source.name for source in all_ if source.path in moved]


def _look(source: Source) -> Identity | None:
    with suppress(UnreadableFile):
        return identity(source)
    return None
