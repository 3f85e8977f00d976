"""Which hooks are called, when, and with what."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlunsplit

from loader.errors import JobHeld
from loader.jobs.config import JobConfig
from loader.jobs.hooks.commands import HookError, run, words_of
from loader.jobs.hooks.secrets import masked
from loader.jobs.hooks.web import get, is_url, parts_of, post
from loader.text import counted, plain

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


def unusable(job: JobConfig) -> Iterator[tuple[str, str]]:
    """Hooks of `job` that cannot work as they are written: the key, and what is wrong."""
    for key in ("on_success", "on_failure", "on_rejects", "healthcheck"):
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
    body = json.dumps(said, ensure_ascii=False, default=plain).encode() + b"\n"
    seconds = job["hook_timeout"]
    if isinstance(command, str) and is_url(command):
        _guarded(job, event, lambda: post(command, body, seconds))
    else:
        _guarded(job, event, lambda: run(command, body, seconds))


def _ping(job: JobConfig, end: str) -> None:
    """As healthchecks.io has it: the URL itself for success."""
    if job["healthcheck"] is None:
        return

    def ping() -> None:
        parts = parts_of(job["healthcheck"])
        url = urlunsplit(parts._replace(path=parts.path.rstrip("/") + end if end else parts.path))
        get(url, job["hook_timeout"])

    _guarded(job, "healthcheck", ping)


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
