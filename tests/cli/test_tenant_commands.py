"""Datasets of tenants on the command line and in mdload.toml."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg

from tests.conftest import ROOT, Ran
from tests.support.sql import fetch
from tests.support.tenants import with_tenants, written

ROWS = [
    {"symbol": "A", "period_end": "2023-03-31", "filed": "2023-05-04T20:00Z", "eps": "1.52"},
    {"symbol": "B", "period_end": "2023-03-31", "filed": "2023-05-04T20:00Z", "eps": "x"},
]


def test_a_load_its_rejects_and_a_job(
    forked: Callable[..., Ran], database_url: str, tmp_path: Path
) -> None:
    acme, _ = with_tenants(database_url, "acme", "globex")
    path = written(tmp_path, ROWS)
    command = ("backfill", path, "--dataset", "fundamentals", "--provider", "p")
    told = forked("--database", database_url, *command)
    assert (told.code, told.err.splitlines()[1]) == (2, "hint: name the tenant: --tenant NAME")
    load = forked("--database", database_url, *command, "--tenant", "acme", "--max-rejects", "1")
    assert load.code == 0
    assert f"mdload rejects show 1 --tenant {acme}" in load.out
    assert f"in fundamentals of the tenant {acme}, database" in load.out
    show = ("rejects", "show", "1", "--json", "--tenant")
    (reject,) = forked("--database", database_url, *show, "acme").json()
    assert (reject["rules"], reject["raw"]["eps"]) == (["eps_unparsable"], "x")
    assert forked("--database", database_url, *show, "globex").json() == []
    (tmp_path / "mdload.toml").write_text(
        f'[database]\nurl = "{database_url}"\n[jobs.nightly]\nsource = "{path.name}"\n'
        'dataset = "fundamentals"\ntenant = "globex"\nprovider = "p"\nmax_rejects = "50%"\n'
        'settle = "0s"\n[jobs.wrong]\nsource = "x.csv"\ntenant = "acme"\ndataset = "fundamental"\n'
    )
    ran = forked("run", "nightly", "--json")
    assert ran.code == 0, ran.err
    (job,) = json.loads(ran.out)["jobs"]
    assert (job["dataset"], job["rows_inserted"], job["rows_failed"]) == ("fundamentals", 1, 1)
    wrong = forked("run", "wrong")
    assert wrong.code == 2
    assert "mdload.toml" in wrong.err
    assert "did you mean fundamentals?" in wrong.err


def test_the_example_of_the_docs_runs(
    forked: Callable[..., Ran], database_url: str, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "datasets.md").read_text()
    blocks = re.findall(r"```(\w+)\n(.*?)```", page[: page.index("## The datasets")], re.DOTALL)
    [(_, shell), (_, rows), (_, sql)] = blocks
    (tmp_path / "income.csv").write_text(rows)
    env = {"MDLOAD_DATABASE_URL": database_url}
    for line in shell.splitlines():
        program, *words = shlex.split(line)
        if program == "psql":
            fetch(database_url, words[-1])
            continue
        ran = forked(*words, env=env)
        assert (program, ran.code) == ("mdload", 0), ran.err
    again = forked(*words, "--force", "--json", env=env).json()
    assert (again["dataset"], again["rows_read"], again["rows_unchanged"]) == ("fundamentals", 3, 3)
    q1, q2 = date(2023, 3, 31), date(2023, 6, 30)
    with psycopg.connect(database_url) as connection:
        setting, now, then = (each for each in sql.split(";") if each.strip())
        connection.execute(setting.encode())
        assert connection.execute(now.encode()).fetchall() == [
            ("AAPL", q1, Decimal("1.51")), ("AAPL", q2, Decimal("1.26")),
        ]  # fmt: skip
        assert connection.execute(then.encode()).fetchall() == [
            ("AAPL", q1, Decimal("1.52")), ("AAPL", q2, Decimal("1.26")),
        ]  # fmt: skip
    back = forked("rollback", "1", "--yes", "--json", env=env)
    assert back.code == 0, back.err
    assert back.json()["rows_deleted"] == 3
    assert fetch(database_url, "SELECT FROM fundamentals") == []
