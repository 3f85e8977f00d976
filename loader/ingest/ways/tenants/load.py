"""A load of files into a dataset of a tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from loader.db.rows import connect
from loader.errors import SettingsError
from loader.ingest import pipeline
from loader.ingest.run import LoadMode, LoadRun
from loader.ingest.ways.tenants import layout
from loader.ingest.ways.tenants.attempt import Tenant, TenantFile
from loader.lazy import dataclass
from loader.read.sources import Identity, Source
from loader.results import FileResult, LoadResult
from loader.results.events import Listener
from loader.settings import Settings
from loader.settings.datasets import Dataset, dataset
from loader.store import schema


def load(
    settings: Settings,
    url: str,
    sources: Sequence[Source],
    listeners: Iterable[Listener] = (),
    about: Mapping[str, object] | None = None,
    elsewhere: pipeline.AllFiles | None = None,
) -> LoadResult:
    """As `loader.ingest.pipeline.load`, for the dataset and the tenant that `settings` name.

    Raises:
        SettingsError: there is no such dataset or tenant, or an option has no meaning for it.
        SchemaOutOfDate: the tables of tenants are not there.
    """
    of = check(settings)
    tenant = find(url, settings.tenant or "")
    whose = {"dataset": of.name, "tenant": tenant.id}
    result = pipeline.load(
        settings, url, sources, listeners, {**(about or {}), **whose},
        others=_Files(of, tenant), elsewhere=elsewhere,
    )  # fmt: skip
    return replace(result, dataset=of.name, tenant=tenant.id)


def check(settings: Settings) -> Dataset:
    """The dataset that `settings` name.

    Raises:
        SettingsError: they name none that there is, or an option has no meaning for it.
    """
    if settings.dataset is None:
        raise SettingsError(
            "is for a dataset of a tenant",
            option="--tenant",
            hint="name it: --dataset fundamentals",
        )
    of = dataset(settings.dataset)
    layout.check(settings, of)
    return of


def find(url: str, said: str) -> Tenant:
    """The tenant with the name or the id `said`.

    Raises:
        SettingsError: there is none.
        SchemaOutOfDate: the tables of tenants are not there.
        DatabaseError: the server cannot be reached or refuses.
    """
    schema.require_head(url, schema.TENANTS)
    with connect(url, doing="looking for the tenant") as session, session.transaction():
        session.run("tenant_set", said if _is_uuid(said) else "", said)
        row = session.row("tenant_find", said)
    if row is None:
        raise SettingsError(
            f"there is no tenant {said!r}",
            option="--tenant",
            hint="add it as the owner of the tables: INSERT INTO tenants (name) VALUES ('NAME')",
        )
    return Tenant(str(row[0]), str(row[1]))


def _is_uuid(text: str) -> bool:
    from uuid import UUID  # noqa: PLC0415 - a load of bars needs none

    try:
        return bool(UUID(text))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Files:
    """As `loader.ingest.run.Others`."""

    of: Dataset
    tenant: Tenant

    @property
    def meaning(self) -> Mapping[str, object]:
        return {"dataset": self.of.name, "tenant": self.tenant.id}

    def attempt(
        self, run: LoadRun, source: Source, as_hashed: Identity, done: FileResult, mode: LoadMode
    ) -> TenantFile:
        return TenantFile(self.of, self.tenant, run, source, as_hashed, done, mode)

    def changed_since(self, run: LoadRun, before: int) -> bool:
        with run.connection() as reader, reader.transaction():
            reader.run("tenant_set", self.tenant.id, self.tenant.name)
            return bool(reader.one("tenant_changed_since", self.of.name, before)[0])
