"""The Pushgateway, for processes that are gone before Prometheus comes by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import unquote, urlsplit, urlunsplit

from prometheus_client import CollectorRegistry, pushadd_to_gateway
from prometheus_client.exposition import basic_auth_handler, default_handler

from loader.errors import SettingsError

_TIMEOUT_SECONDS = 5.0


class Gateway:
    """The group `job="mdload", job_name="…"` of a Pushgateway.

    A push replaces the metrics that have a value now and leaves the others: a run that fails does
    not take away when the job last succeeded. Counters are those of the last run.

    Raises:
        SettingsError: `url` is not a URL of the web. User and password in it become basic
            authentication.
    """

    def __init__(self, url: str, job_name: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        where = parts.netloc.rpartition("@")[2]
        if parts.scheme not in ("http", "https") or not _names_a_host(where):
            # Its text may hold a password where none belongs, so it is not repeated.
            raise SettingsError(
                "is not the URL of a Pushgateway",
                option="--push-gateway",
                hint="for example http://pushgateway:9091",
            )
        self._job_name = job_name
        self._url = urlunsplit((parts.scheme, where, parts.path, "", ""))
        self._handler: Callable[..., Callable[[], None]] = default_handler
        if parts.username:
            user, password = unquote(parts.username), unquote(parts.password or "")
            self._handler = partial(basic_auth_handler, username=user, password=password)
        self.name = self._url

    def send(self, registry: CollectorRegistry) -> None:
        """Pushes.

        Raises:
            OSError: nobody answers there, or the answer is no.
        """
        pushadd_to_gateway(
            self._url, "mdload", registry, {"job_name": self._job_name},
            timeout=_TIMEOUT_SECONDS, handler=self._handler,
        )  # fmt: skip


def _names_a_host(where: str) -> bool:
    try:
        parts = urlsplit(f"//{where}")
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
