"""Webhooks and pings: one request with a time limit; only the status of the answer counts."""

from __future__ import annotations

import base64
import threading
import urllib.error
import urllib.request
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from loader import __version__
from loader.jobs.hooks.commands import HookError
from loader.text import duration

_SCHEMES: Final = ("http://", "https://")
_LATE: Final = "late"
#: For what urllib itself notices to be late.
_GRACE_SECONDS: Final = 0.5


def is_url(text: str) -> bool:
    return text.lower().startswith(_SCHEMES)


def parts_of(url: str) -> SplitResult:
    """Raises:
    HookError: it is not a URL of the web.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:  # of brackets that hold no address
        raise HookError("is not a URL that begins with http:// or https://") from error
    if not is_url(url) or not parts.hostname:
        raise HookError("is not a URL that begins with http:// or https://")
    return parts


def post(url: str, body: bytes, seconds: float) -> None:
    """Sends `body` (JSON) to `url`.

    Raises:
        HookError: the answer is an error, or none comes in time. Of the URL it shows only the host:
            what follows it is often the secret.
    """
    _request(url, body, seconds)


def get(url: str, seconds: float) -> None:
    """Asks for `url`. Raises as `post`."""
    _request(url, None, seconds)


def _request(url: str, body: bytes | None, seconds: float) -> None:
    parts = parts_of(url)
    headers = {"User-Agent": f"mdload/{__version__}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if parts.username:
        account = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(account.encode()).decode()}"
    request = urllib.request.Request(_without_account(parts), body, headers)  # noqa: S310 - checked
    failures: list[str] = []

    def send() -> None:
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310 - checked
                answer.read(1)
        except urllib.error.HTTPError as error:
            error.close()
            failures.append(f"HTTP {error.code} {error.reason}")
        except Exception as error:
            reason = getattr(error, "reason", error)
            failures.append(_LATE if isinstance(reason, TimeoutError) else _said(reason))

    # In a thread, because urllib's time-out is for each read, and none for finding the host.
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    sender.join(seconds + _GRACE_SECONDS)
    failure = _LATE if sender.is_alive() else "".join(failures)
    if failure == _LATE:
        failure = f"no answer in {duration(1000 * seconds)}"
    if failure:
        raise HookError(f"failed: {parts.hostname}: {failure}")


def _without_account(parts: SplitResult) -> str:
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _said(reason: object) -> str:
    """The system's word for it; what others say may repeat the URL."""
    return str(getattr(reason, "strerror", None) or type(reason).__name__)
