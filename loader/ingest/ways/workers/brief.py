"""What a worker needs to know of a load: sent once to each worker, before the first file.

It has the database's address and the files, with whatever gives access to them. So it is no
argument of a task, which Dask keeps with the task and shows in its errors and its dashboard.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from distributed import Worker, WorkerPlugin

from loader.ingest.ways.processes.brief import Brief
from loader.read.sources import Source

#: Variables by which the client reaches the database and buckets, and how long it waits for them:
#: those that hold of any machine. Files and addresses of the client's machine are not among them.
_ENVIRONMENT: Final = (
    "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGOPTIONS", "PGSSLMODE",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
    "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SKIP_SIGNATURE",
    "AWS_ALLOW_HTTP", "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "GOOGLE_BASE_URL", "GOOGLE_SKIP_SIGNATURE", "GOOGLE_SERVICE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_ENDPOINT", "AZURE_SKIP_SIGNATURE", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET",
    "AZURE_TENANT_ID", "MDLOAD_OUTAGE_SECONDS", "MDLOAD_REMOTE_RETRIES",
)  # fmt: skip


def environment() -> dict[str, str]:
    """The variables of this process that the workers get."""
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}


class Briefed(WorkerPlugin):  # type: ignore[misc]  # which has no types
    """The brief on a worker, and what the worker has made of it.

    Attributes:
        name: tells the load from others on the same cluster.
        sources: its files; a task names them by their numbers.
        environment: variables that the worker gets.
        state: of `loader.ingest.ways.workers.task`, while the worker has any.
    """

    def __init__(
        self, name: str, brief: Brief, sources: tuple[Source, ...], environment: Mapping[str, str]
    ) -> None:
        self.name, self.brief, self.sources = name, brief, sources
        self.environment = environment
        self.state: Any = None
        self._before: dict[str, str | None] = {}

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return Briefed, (self.name, self.brief, self.sources, self.environment)

    def setup(self, worker: Worker) -> None:
        for name, value in self.environment.items():
            self._before[name] = os.environ.get(name)
            os.environ[name] = value

    def teardown(self, worker: Worker) -> None:
        if self.state is not None:
            self.state.close()
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
