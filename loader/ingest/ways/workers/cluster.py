"""A client of the workers: of a Dask scheduler, or of processes of this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from loader.errors import SettingsError
from loader.settings import Place

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

#: Seconds for the scheduler to answer, and for a first worker to be there.
_PATIENCE: Final = 15
#: How often processes of this machine are started until they all stay.
_STARTS: Final = 5
#: What has to be equal on both sides: a bar must not depend on the worker that reads it, and Dask
#: sends Python's own objects.
_EQUAL: Final = {
    "mdload": "mdload", "polars": "Polars", "pyarrow": "PyArrow", "distributed": "distributed",
}  # fmt: skip


@contextmanager
def connected(place: Place) -> Iterator[Client]:
    """A client of the workers at `place`, of which there is one at least. Processes of this machine
    end with it.

    Raises:
        SettingsError: the extra `dask` is missing, nobody answers, there is no worker, or a worker
            has other versions.
    """
    with ExitStack() as stack:
        client = _local(place.processes, stack) if place.processes else _remote(place, stack)
        try:
            client.wait_for_workers(place.processes or 1, timeout=4 * _PATIENCE)
        except TimeoutError as error:
            raise SettingsError(
                f"{place} has no workers", option="--on",
                hint="start some: dask worker HOST:PORT",
            ) from error  # fmt: skip
        _compare(place, client.get_versions(packages=[*_EQUAL]))
        yield client


def _local(processes: int, stack: ExitStack) -> Client:
    """Worker processes that nobody else can reach: the connections between them are encrypted, with
    keys of this load alone."""
    with _extra():
        _be_quiet()
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra, and slow
        from distributed.security import Security  # noqa: PLC0415

        security = Security.temporary()
    threads = max((os.cpu_count() or 1) // processes, 1)

    def start() -> LocalCluster:
        return LocalCluster(
            n_workers=processes, threads_per_worker=1, processes=True, dashboard_address=None,
            host="127.0.0.1", protocol="tls", security=security, memory_limit=None,
            silence_logs=logging.CRITICAL, worker_dashboard_address=None,
            env={"POLARS_MAX_THREADS": str(threads)},
        )  # fmt: skip

    cluster = stack.enter_context(_started(start))
    client = Client(cluster, set_as_default=False, security=security)
    stack.callback(_close, client)
    return client


def _started(start: Callable[[], LocalCluster]) -> LocalCluster:
    """Starts all anew where a process ends while it starts: Dask gives up all of them then.

    Raises:
        SettingsError: they do not start at all.
    """
    for _ in range(_STARTS - 1):
        with suppress(RuntimeError):
            return start()
    try:
        return start()
    except RuntimeError as error:
        raise SettingsError(
            f"its processes do not start: {error}", option="--on",
            hint="is there enough memory? try fewer: --on local:N",
        ) from error  # fmt: skip


def refill(client: Client, place: Place) -> None:
    """Starts processes of this machine for those that are lost: Dask starts one anew itself, but
    gives it up if it is slow to come back, or dies while it starts."""
    if not place.processes:
        return
    from distributed.core import Status  # noqa: PLC0415 - an extra, and slow

    cluster = client.cluster

    def start() -> None:
        lost = (Status.closed, Status.failed)
        for name in [name for name, nanny in cluster.workers.items() if nanny.status in lost]:
            del cluster.workers[name]
        cluster.scale(place.processes)

    cluster.loop.add_callback(start)


def _remote(place: Place, stack: ExitStack) -> Client:
    with _extra():
        _be_quiet()
        from distributed import Client  # noqa: PLC0415 - an extra, and slow
    try:
        client = Client(place.scheduler, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{place}: no Dask scheduler answers there", option="--on",
            hint="start one: dask scheduler; a scheduler with TLS is tls://HOST:PORT, with its "
            "certificates in Dask's configuration",
        ) from error  # fmt: skip
    stack.callback(_close, client)
    return client


def _close(client: Client) -> None:
    with suppress(TimeoutError, OSError):
        client.close(timeout=2)


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise SettingsError(
            "needs the extra dask", option="--on", hint="pip install 'mdload[dask]'"
        ) from error


def _be_quiet() -> None:
    """Dask's log tells of lost connections and restarted workers; a load tells of files. Before
    Dask is imported, here and in the processes that it starts."""
    import warnings  # noqa: PLC0415

    import dask  # noqa: PLC0415

    dask.config.set({"logging": {"distributed": "critical"}})
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="distributed")


def _compare(place: Place, found: Mapping[str, Any]) -> None:
    """Raises:
    SettingsError: a worker has other versions than this process.
    """
    own = _versions(found["client"])
    for address, worker in found["workers"].items():
        theirs = _versions(worker)
        if unlike := [name for name in own if own[name] != theirs[name]]:
            raise SettingsError(
                f"{place}: the worker {address} has "
                + ", ".join(f"{name} {theirs[name] or '(missing)'}" for name in unlike)
                + ", and this machine "
                + ", ".join(f"{name} {own[name]}" for name in unlike),
                option="--on", hint="install the same versions on both",
            )  # fmt: skip


def _versions(side: Mapping[str, Any]) -> dict[str, str | None]:
    packages = side["packages"]
    python = str(dict(side["host"])["python"]).split(".")[:2]
    return {"Python": ".".join(python)} | {
        name: packages.get(package) for package, name in _EQUAL.items()
    }
