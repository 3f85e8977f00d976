"""Rejected rows of a tenant, read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from loader.db.rows import connect
from loader.ingest.ways.tenants.load import find


def rejects(
    url: str, tenant: str, runs: Sequence[int], rules: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    """At most `limit` rejects of the tenant (its name or id) in `runs`, of those that broke one of
    `rules` if there are any: as `loader.store.quarantine.found.rows`, with the `dataset`.

    Raises:
        SettingsError: there is no such tenant.
    """
    whose = find(url, tenant)
    with connect(url, doing="reading rejects") as session, session.transaction():
        session.run("tenant_set", whose.id, whose.name)
        return session.rows(
            "tenant_rejects", json.dumps(list(runs)), json.dumps(list(rules)), limit
        )
