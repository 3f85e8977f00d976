"""The ways out: a textfile and a Pushgateway for runs that end, HTTP for feeds that do not."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from loader.errors import SettingsError
from loader.listen.metrics.gateway import Gateway
from loader.listen.metrics.run import Metrics, RunMetrics
from loader.listen.metrics.textfile import Textfile
from loader.results import Mode
from loader.results.events import Listener

_log = logging.getLogger(__name__)


@contextmanager
def exporting(
    job_name: str,
    provider: str | None = None,
    mode: Mode = "backfill",
    *,
    textfile: str | None = None,
    gateway: str | None = None,
) -> Iterator[list[Listener]]:
    """The listeners that export one run's metrics when it starts and when it ends.

    What goes wrong with that is a warning in the log, and changes nothing about the run.

    Raises:
        SettingsError: `gateway` is not a URL; nothing has begun then.
    """
    file = _opened(textfile) if textfile else None
    ways: list[Textfile | Gateway] = [file] if file else []
    if gateway:
        ways.append(Gateway(gateway, job_name))
    metrics = Metrics(
        job_names=file.values("job_name") if file else frozenset(),
        providers=file.values("provider") if file else frozenset(),
    )
    if textfile and not textfile.endswith(".prom"):
        _log.warning("node_exporter passes %s by: it reads files that end in .prom", textfile)
    try:
        with metrics.run(job_name, provider, mode) as run:
            _send(ways, metrics.registry, logging.INFO)  # the end says it again
            yield [run]
    finally:
        _send(ways, metrics.registry, logging.WARNING)


def _opened(path: str) -> Textfile | None:
    try:
        return Textfile(path)
    except SettingsError as error:
        _log.warning("the run goes on without metrics: %s", error)
        return None


def check_ways(textfile: str | None, gateway: str | None) -> None:
    """Raises:
    SettingsError: `textfile` or `gateway` cannot be one.
    """
    if textfile:
        Textfile(textfile)
    if gateway:
        Gateway(gateway, "")


@contextmanager
def serve(
    port: int,
    job_name: str,
    provider: str | None = None,
    *,
    address: str = "0.0.0.0",  # noqa: S104 - Prometheus comes from another machine
) -> Iterator[RunMetrics]:
    """A listener that serves a feed's metrics at http://address:port/metrics until the block ends.

    Raises:
        SettingsError: the port cannot be had.
    """
    metrics = Metrics()
    try:
        server, thread = start_http_server(port, address, metrics.registry)
    except OSError as error:
        raise SettingsError(
            f"metrics cannot be served at {address}:{port}: {error.strerror or error}",
            hint="choose another port, or see who has it with: ss -ltnp",
        ) from error
    _log.info("metrics are served at http://%s:%s/metrics", address, port)
    try:
        with metrics.run(job_name, provider, "live") as run:
            yield run
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _send(ways: Sequence[Textfile | Gateway], registry: CollectorRegistry, level: int) -> None:
    for way in ways:
        try:
            way.send(registry)
        except Exception as error:
            _log.log(level, "the metrics did not reach %s: %s", way.name,
                     getattr(error, "reason", error))  # fmt: skip
