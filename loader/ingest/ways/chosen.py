"""A load of bars, or of a dataset of a tenant: as the settings say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from loader.errors import SettingsError
from loader.ingest import pipeline
from loader.ingest.ways.processes.process import Process
from loader.ingest.ways.processes.team import processes_of, started
from loader.read.sources import Source
from loader.results import LoadResult
from loader.results.events import Listener
from loader.settings import Settings
from loader.settings.datasets import TENANT


def check(settings: Settings, *, plan: bool = False, typed: bool = False) -> None:
    """Whether tenant and dataset go together. `typed`: on the command line, where the name of a
    tenant's dataset is not one that the owner of a job has chosen for bars.

    Raises:
        SettingsError: they do not, an option has no meaning for the dataset, or other processes
            cannot do what is asked.
    """
    if settings.on is not None and (plan or settings.known_at_from is not None):
        what = "a plan" if plan else "files in the order of their dates"
        raise SettingsError(f"has no meaning for {what}", option="--on", hint="leave it out")
    if settings.tenant is None:
        if typed and settings.dataset in TENANT:
            raise SettingsError(
                f"{settings.dataset} is a dataset of a tenant",
                option="--dataset",
                hint="name the tenant: --tenant NAME",
            )
        return
    from loader.ingest.ways.tenants.load import check as check_tenant  # noqa: PLC0415 - rarely

    check_tenant(settings)
    if plan:
        raise SettingsError(
            "has no meaning for a dataset of a tenant",
            option="--plan",
            hint="see what a load would do: --dry-run",
        )


def load(
    settings: Settings,
    url: str,
    sources: Sequence[Source],
    listeners: Iterable[Listener] = (),
    about: Mapping[str, object] | None = None,
    running: Sequence[Process] = (),
) -> LoadResult:
    """As `loader.ingest.pipeline.load`; with a tenant, into that tenant's dataset. Processes that
    are `running` load files, as far as they pay; the others are ended.

    Raises:
        SettingsError: there is no such tenant.
        SchemaOutOfDate: the tables of tenants are not there.
    """
    if settings.on is None:
        count = processes_of(settings, pipeline.own_of(settings, sources))
        for process in running[count:]:
            process.close()
        if not count:
            return _load(settings, url, sources, listeners, about, None)
        with started(count, running) as team:
            return _load(settings, url, sources, listeners, about, team)
    from loader.ingest.ways.workers.cluster import connected  # noqa: PLC0415 - rarely

    with connected(settings.on) as client:
        from loader.ingest.ways.workers.spread import Spread  # noqa: PLC0415 - with Dask

        threads = max(sum(client.nthreads().values()), 1)
        spread = Spread(client, settings.on)
        return _load(replace(settings, workers=threads), url, sources, listeners, about, spread)


def _load(
    settings: Settings,
    url: str,
    sources: Sequence[Source],
    listeners: Iterable[Listener],
    about: Mapping[str, object] | None,
    elsewhere: pipeline.AllFiles | None,
) -> LoadResult:
    if settings.tenant is None:
        return pipeline.load(settings, url, sources, listeners, about, elsewhere=elsewhere)
    from loader.ingest.ways.tenants.load import load as load_tenant  # noqa: PLC0415 - rarely

    return load_tenant(settings, url, sources, listeners, about, elsewhere)
