"""Files on the web: plain GET, in parts where the server gives parts."""

from __future__ import annotations

import base64
import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, TypeVar, cast
from urllib import error, parse, request

from loader.errors import UnreadableFile
from loader.lazy import dataclass
from loader.read.objects.path import Head, ObjectPath
from loader.read.objects.refusals import lost, not_there, replaced
from loader.read.objects.retries import retries
from loader.text import redact

_TIMEOUT_SECONDS: Final = 60
#: The longest pause before a request is repeated, in seconds.
_LONGEST_PAUSE: Final = 3.2
#: What says that the same request may be answered better a little later.
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
#: What the network does to a request or in the middle of an answer.
_BROKEN: Final = (error.URLError, http.client.HTTPException, OSError)

Answer = TypeVar("Answer")
_pause = threading.Event().wait


def find(url: str) -> ObjectPath:
    """The file at `url`. A user and a password in it are sent (Basic), and never shown.

    Raises:
        NotThere: there is none.
        UnreadableFile: the server refuses, or cannot be reached.
    """
    parts = parse.urlsplit(url)
    asked = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
    shown = redact(asked)
    authorization = None
    if parts.username is not None:
        pair = f"{parse.unquote(parts.username)}:{parse.unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    page = _Page(shown, parse.quote(asked, safe="%/:=&?~#+!$,;'@()*[]"), authorization)
    where = PurePosixPath(f"/{parts.hostname or ''}{parse.unquote(parts.path)}")
    return ObjectPath(shown, where, url, page.head(), page)


@dataclass(frozen=True)
class _Page:
    """One URL. GET is all that is asked of its server: a signed URL allows nothing else."""

    shown: str
    url: str = field(repr=False)
    authorization: str | None = field(repr=False)

    def head(self) -> Head:
        def answered(answer: Any) -> Head:
            size = answer.headers.get("Content-Range", "").rpartition("/")[2]
            parted = answer.status == 206 and size.isdecimal()
            if not parted:
                size = answer.headers.get("Content-Length", "0")
            return Head(int(size), _modified(answer), _tag(answer), parted)

        try:
            return self._ask(answered, 0, 1)
        except _Empty:
            return Head(0)

    def fetch(self, start: int, end: int, of: Head) -> bytes:
        def answered(answer: Any) -> bytes:
            size = answer.headers.get("Content-Range", "").rpartition("/")[2]
            if answer.status != 206 or size != str(of.st_size) or _tag(answer) != of.tag:
                raise replaced(self.shown)
            data: bytes = answer.read()
            if len(data) != end - start:
                raise http.client.IncompleteRead(data, end - start - len(data))
            return data

        try:
            return self._ask(answered, start, end)
        except _Empty:  # it has become shorter
            raise replaced(self.shown) from None

    @contextmanager
    def whole(self) -> Iterator[BinaryIO]:
        def answered(answer: Any) -> BinaryIO:
            return cast(BinaryIO, answer)

        with self._ask(answered) as answer:
            try:
                yield answer
            except _BROKEN as exc:
                raise lost(self.shown, str(exc)) from exc

    def _ask(
        self, answered: Callable[[Any], Answer], start: int | None = None, end: int | None = None
    ) -> Answer:
        """What `answered` makes of the answer; asks again where the network failed."""
        headers = {"User-Agent": "mdload", "Accept-Encoding": "identity"}
        if start is not None and end is not None:
            headers["Range"] = f"bytes={start}-{end - 1}"
        last = retries()
        for attempt in range(last + 1):
            try:
                asked = request.Request(self.url, headers=headers)  # noqa: S310
                if self.authorization:  # for this server, not for one that it may send us on to
                    asked.add_unredirected_header("Authorization", self.authorization)
                answer = request.urlopen(asked, timeout=_TIMEOUT_SECONDS)  # noqa: S310
                if start is None:
                    return answered(answer)  # whoever takes it closes it
                with answer:
                    return answered(answer)
            except error.HTTPError as exc:
                exc.close()
                if exc.code == 416:
                    raise _Empty from exc
                if exc.code not in _LATER or attempt == last:
                    raise self._refused(exc) from exc
            except _BROKEN as exc:
                if attempt == last:
                    raise lost(self.shown, str(getattr(exc, "reason", exc))) from exc
            _pause(min(0.2 * 2**attempt, _LONGEST_PAUSE))
        raise AssertionError("unreachable")

    def _refused(self, exc: error.HTTPError) -> UnreadableFile:
        if exc.code in (404, 410):
            return not_there(self.shown)
        if exc.code in (401, 403):
            return UnreadableFile.of(
                self.shown,
                f"may not be read: its server says {exc.code} {exc.reason}",
                hint="a signed URL may have expired; a user and a password go before the host: "
                "https://USER:PASSWORD@HOST/…",
            )
        if exc.code in _LATER:
            return lost(self.shown, f"its server says {exc.code} {exc.reason}")
        return UnreadableFile.of(self.shown, f"cannot be read: {exc.code} {exc.reason}")


class _Empty(Exception):
    """The server has nothing in the range that was asked for."""


def _tag(answer: Any) -> str:
    return str(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")


def _modified(answer: Any) -> int:
    try:
        return int(parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp() * 1e9)
    except (TypeError, ValueError):
        return 0
