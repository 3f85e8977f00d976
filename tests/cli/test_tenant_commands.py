"""Datasets of tenants on the command line and in mdload.toml."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Ran
from tests.support.tenants import with_tenants, written

ROWS = [
    {"symbol": "A", "period_end": "2023-03-31", "filed": "2023-05-04T20:00Z", "eps": "1.52"},
    {"symbol": "B", "period_end": "2023-03-31", "filed": "2023-05-04T20:00Z", "eps": "x"},
]


def test_a_load_its_rejects_and_a_job(
    mdload: Callable[..., Ran], database_url: str, tmp_path: Path
) -> None:
    acme, _ = with_tenants(database_url, "acme", "globex")
    path = written(tmp_path, ROWS)
    command = ("backfill", path, "--dataset", "fundamentals", "--provider", "p")
    told = mdload("--database", database_url, *command)
    assert (told.code, told.err.splitlines()[1]) == (2, "hint: say whose: --tenant NAME")
    load = mdload("--database", database_url, *command, "--tenant", "acme", "--max-rejects", "1")
    assert load.code == 0
    assert f"mdload rejects show 1 --tenant {acme}" in load.out
    show = ("rejects", "show", "1", "--json", "--tenant")
    (reject,) = mdload("--database", database_url, *show, "acme").json()
    assert (reject["rules"], reject["raw"]["eps"]) == (["eps_unparsable"], "x")
    assert mdload("--database", database_url, *show, "globex").json() == []
    (tmp_path / "mdload.toml").write_text(
        f'[database]\nurl = "{database_url}"\n[jobs.nightly]\nsource = "{path.name}"\n'
        'dataset = "fundamentals"\ntenant = "globex"\nprovider = "p"\nmax_rejects = "50%"\n'
        'settle = "0s"\n[jobs.wrong]\nsource = "x.csv"\ntenant = "acme"\ndataset = "fundamental"\n'
    )
    ran = mdload("run", "nightly", "--json")
    assert ran.code == 0, ran.err
    (job,) = json.loads(ran.out)["jobs"]
    assert (job["dataset"], job["rows_inserted"], job["rows_failed"]) == ("fundamentals", 1, 1)
    wrong = mdload("run", "wrong")
    assert wrong.code == 2
    assert "mdload.toml" in wrong.err
    assert "did you mean fundamentals?" in wrong.err
