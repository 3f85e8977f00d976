"""Which hooks are called, when, and with what."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final
from urllib.parse import urlunsplit

from loader.errors import JobHeld
from loader.jobs.config import JobConfig
from loader.jobs.hooks.commands import HookError, run, words_of
from loader.jobs.hooks.secrets import masked
from loader.jobs.hooks.web import get, is_url, parts_of, post
from loader.text import counted, plain

#: The keys of hooks that get a result.
EVENTS: Final = ("on_success", "on_failure", "on_rejects")
_log: Final = logging.getLogger(__name__)
_at_work: Final[list[str]] = []


def announce(job: JobConfig) -> None:
    """Tells the healthcheck of `job` that a run begins. Never raises an error."""
    _ping(job, "/start")


def notify(job: JobConfig, result: Mapping[str, Any]) -> None:
    """Tells the healthcheck and the hooks of `job` how a run ended. Never raises an error.

    `result` is the job's object of `mdload run --json`; hooks get it with `event` (`on_success`,
    `on_failure`, `on_rejects`) and `text` (a sentence, which chats show) before it. If another
    process holds the job, `on_failure` is called, but the healthcheck is left to that process.
    """
    code = result["exit_code"]
    if code != JobHeld.exit_code:
        _ping(job, "/fail" if code else "")
    if result["rows_failed"]:
        _tell(job, "on_rejects", result)
    _tell(job, "on_failure" if code else "on_success", result)


def programs(job: JobConfig) -> Iterator[tuple[str, str]]:
    """The programs that hooks of `job` run, by key, where they are commands."""
    for key in EVENTS:
        told = job[key]
        if told is not None and not (isinstance(told, str) and is_url(told)):
            with suppress(HookError):  # `unusable` has it
                yield key, words_of(told)[0]


def test(job: JobConfig, result: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Calls every hook of `job` with a result that says that it is a test, and yields its key and
    what went wrong. The healthcheck hears of a start and of a success.

    `result` is as for `notify`, of a run that had nothing to do.
    """
    if job["healthcheck"] is not None:
        yield "healthcheck", _tried(partial(_ping_both, job))
    for event in EVENTS:
        if (command := job[event]) is not None:
            text = f"mdload job {job.name}: a test of {event}; nothing was run"
            said = {"event": event, "text": text, "test": True, **result}
            yield event, _tried(partial(_call, job, command, said))


def _ping_both(job: JobConfig) -> None:
    _get(job, "/start")
    _get(job, "")


def _tried(act: Callable[[], object]) -> str | None:
    _at_work.append("test")
    try:
        act()
    except Exception as error:
        return masked(str(error))
    finally:
        _at_work.remove("test")
    return None


def unusable(job: JobConfig) -> Iterator[tuple[str, str]]:
    """Hooks of `job` that cannot work as they are written: the key, and what is wrong."""
    for key in (*EVENTS, "healthcheck"):
        told = job[key]
        if told is None:
            continue
        try:
            if key == "healthcheck" or (isinstance(told, str) and is_url(told)):
                parts_of(told)
            else:
                words_of(told)
        except HookError as error:
            yield key, str(error)


def _tell(job: JobConfig, event: str, result: Mapping[str, Any]) -> None:
    command: str | tuple[str, ...] | None = job[event]
    if command is None:
        return
    said = {"event": event, "text": sentence(result), **result}
    _guarded(job, event, partial(_call, job, command, said))


def _call(job: JobConfig, command: str | tuple[str, ...], said: Mapping[str, Any]) -> None:
    body = json.dumps(said, ensure_ascii=False, default=plain).encode() + b"\n"
    if isinstance(command, str) and is_url(command):
        post(command, body, job["hook_timeout"])
    else:
        run(command, body, job["hook_timeout"])


def _ping(job: JobConfig, end: str) -> None:
    """As healthchecks.io has it: the URL itself for success."""
    if job["healthcheck"] is not None:
        _guarded(job, "healthcheck", partial(_get, job, end))


def _get(job: JobConfig, end: str) -> None:
    parts = parts_of(job["healthcheck"])
    url = urlunsplit(parts._replace(path=parts.path.rstrip("/") + end if end else parts.path))
    get(url, job["hook_timeout"])


def _guarded(job: JobConfig, what: str, act: Callable[[], None]) -> None:
    _at_work.append(what)
    try:
        act()
    except Exception as error:  # a hook never changes the run
        _log.warning("%s of the job %s %s", what, job.name, masked(str(error)))
    else:
        _log.info("%s pinged (job %s)", what, job.name)
    finally:
        _at_work.remove(what)


def busy() -> bool:
    """Whether a hook is at work, which has a time limit of its own (`hook_timeout`)."""
    return bool(_at_work)


def sentence(result: Mapping[str, Any]) -> str:
    """How it ended, in one sentence."""
    counts = f"{counted(result['rows_written'], 'row')} written, {result['rows_failed']:,} rejected"
    job, code = result["job"], result["exit_code"]
    if not code:
        return f"mdload job {job} succeeded: {counts}"
    errors = (result["error"], *(file["error"] for file in result["files"]))
    why = next((error for error in errors if error), counts)
    return f"mdload job {job} failed with exit code {code}: {why}"
