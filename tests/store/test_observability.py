"""The Grafana dashboard against a store in which something happened: every query of every
PostgreSQL panel runs on it, and says what is known to be true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.settings import RejectLimit, Settings
from loader.store.runs import JobRunTracker
from tests.conftest import ROOT, database

DASHBOARD = json.loads((ROOT / "observability" / "grafana" / "mdload.json").read_text("utf-8"))
PANELS = {p["title"]: p for p in DASHBOARD["panels"] if p["type"] != "row"}
VARIABLES = {v["name"]: v for v in DASHBOARD["templating"]["list"]}
OF_POSTGRES = [t for t, p in PANELS.items() if p["datasource"]["uid"] == "${postgres}"]


def minutes(path: Path, rows: int, close: float) -> Path:
    """One-minute bars of AAA from 2024-03-04 00:00Z."""
    lines = [f"2024-03-04T00:{n:02d}:00Z,AAA,10,20,5,{close},100" for n in range(rows)]
    path.write_text("\n".join(["ts,symbol,open,high,low,close,volume", *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def store(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """Runs 1 to 5: 10 bars inserted; 4 of them restated; a file refused for 2 rows of 6; one
    cancelled; one whose heartbeat stopped 20 minutes ago. All but the last are of 'nightly'."""
    folder = tmp_path_factory.mktemp("files")
    bad = minutes(folder / "bad.csv", 6, 12)
    bad.write_text(bad.read_text().replace("AAA,10,20,5,12,100", "AAA,10,5,20,12,-1", 2))
    with database(server_url, template) as url:
        for path in (minutes(folder / "a.csv", 10, 12), minutes(folder / "b.csv", 4, 13), bad):
            settings = Settings(
                provider="polygon",
                interval="1m",
                job_name="nightly",
                max_rejects=RejectLimit(rows=0),
            )
            with find([str(path)]) as sources:
                load(settings, url, sources)
        with JobRunTracker(url) as tracker:
            stopped = tracker.start_run("nightly", provider="polygon", mode="backfill")
            tracker.complete_run(stopped, "cancelled")
            tracker.heartbeat(tracker.start_run("it's a feed", provider="kraken"))
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            connection.execute(
                "UPDATE job_runs SET started_at = now() - interval '30 minutes', metadata = "
                "jsonb_build_object('last_heartbeat', to_char((now() - interval '20 minutes') "
                """AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) WHERE status = 'running'"""
            )
            connection.execute(
                """UPDATE job_run_files SET findings = '[{"kind": "shift", "action": "refused",
                "text": "6 bars have the prices of an hour earlier"}]' WHERE run_id = 3"""
            )
            yield connection


def expanded(sql: str, jobs: str = "'nightly','it''s a feed'", minutes: str = "15") -> str:
    """`sql` as Grafana sends it for the last hour."""
    column = r"([a-z_.]+)"
    sql = re.sub(
        rf"\$__timeFilter\({column}\)",
        r"\1 BETWEEN now() - interval '1 hour' AND now() + interval '1 minute'",
        sql,
    )
    sql = re.sub(
        rf"\$__timeGroupAlias\({column}, \$__interval\)",
        r'floor(extract(epoch from \1) / 3600) * 3600 AS "time"',
        sql,
    )
    sql = sql.replace("${job:sqlstring}", jobs).replace("${stuck_minutes}", minutes)
    assert "$" not in sql.replace("$'", "")  # the end of a pattern is the only other dollar
    return sql


def ask(store: psycopg.Connection[dict[str, Any]], title: str, **kw: str) -> list[dict[str, Any]]:
    (target,) = PANELS[title]["targets"]
    return store.execute(expanded(target["rawSql"], **kw).encode()).fetchall()


@pytest.mark.parametrize("title", OF_POSTGRES)
def test_every_query_runs_and_finds_something(
    store: psycopg.Connection[dict[str, Any]], title: str
) -> None:
    panel = PANELS[title]
    found = ask(store, title)
    assert found
    if panel["type"] == "timeseries":
        assert next(iter(found[0])) == "time"
        assert panel["targets"][0]["format"] == "time_series"
    if panel["type"] == "table":
        named = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
        assert named <= set(found[0])
    if panel["type"] == "barchart":
        assert panel["options"]["xField"] in found[0]


@pytest.mark.parametrize(
    ("title", "number"),
    [
        ("Runs", 5),
        ("Failed runs", 1),
        ("Stuck runs", 1),
        ("Rows written", 14),
        ("Rows rejected", 6),
        ("Bars restated", 4),
    ],
)
def test_the_figures_at_a_glance(
    store: psycopg.Connection[dict[str, Any]], title: str, number: int
) -> None:
    ((value,),) = (row.values() for row in ask(store, title))
    assert value == number


def test_stuck_is_by_the_heartbeat_and_the_chosen_minutes(
    store: psycopg.Connection[dict[str, Any]],
) -> None:
    (row,) = ask(store, "Stuck runs, one by one", minutes="15")
    assert (row["job_name"], row["mode"]) == ("it's a feed", "live")
    assert 1200 <= row["silent"] < 1800
    assert ask(store, "Stuck runs, one by one", minutes="25") == []
    assert ask(store, "Stuck runs", minutes="25") == [{"stuck": 0}]


def test_panels_keep_to_the_chosen_jobs(store: psycopg.Connection[dict[str, Any]]) -> None:
    assert ask(store, "Runs", jobs="'it''s a feed'") == [{"runs": 1}]
    assert ask(store, "Freshness by job", jobs="'no such job'") == []


def test_rows_rejects_and_revisions_add_up(store: psycopg.Connection[dict[str, Any]]) -> None:
    hours = ask(store, "Rows by outcome")
    outcomes = ("inserted", "updated", "unchanged", "duplicate", "skipped", "rejected")
    assert [sum(hour[name] for hour in hours) for name in outcomes] == [10, 4, 0, 0, 0, 6]
    rules = {row["rule"]: row["rows"] for row in ask(store, "Rejected rows by rule")}
    assert (rules["file_refused"], rules["high_below_low"], rules["volume_negative"]) == (4, 2, 2)
    (series,) = ask(store, "Series restated most")
    assert (series["provider"], series["symbol"], series["interval"], series["bars"]) == (
        "polygon", "AAA", "1m", 4
    )  # fmt: skip
    (file,) = ask(store, "Files that failed or were refused")
    assert (file["run_id"], file["state"]) == (3, "refused")
    (fresh,) = ask(store, "Freshness by provider and interval")
    assert fresh["newest_bar"].isoformat().startswith("2024-03-04T00:09")


def test_findings_and_series(store: psycopg.Connection[dict[str, Any]]) -> None:
    (finding,) = ask(store, "Findings of the guard")
    assert (finding["run_id"], finding["kind"], finding["action"]) == (3, "shift", "refused")
    assert ask(store, "Findings by kind") == [{"kind": "shift", "findings": 1}]
    assert ask(store, "Findings by kind", jobs="'no such job'") == []
    (group,) = ask(store, "Coverage by provider and interval")
    assert (group["provider"], group["interval"], group["series"]) == ("polygon", "1m", 1)
    assert group["behind"] == 0
    (series,) = ask(store, "Series that ended first")
    ends = [series[name].isoformat()[:16] for name in ("first_bar", "last_bar")]
    assert ends == ["2024-03-04T00:00", "2024-03-04T00:09"]


def test_the_list_of_jobs(store: psycopg.Connection[dict[str, Any]]) -> None:
    found = store.execute(VARIABLES["job"]["query"].encode()).fetchall()
    assert found == [{"job_name": "it's a feed"}, {"job_name": "nightly"}]


def test_it_can_be_imported_with_any_data_sources() -> None:
    """Nothing in it belongs to the Grafana where it was made."""
    kinds = {"postgres": "grafana-postgresql-datasource", "prometheus": "prometheus"}
    for name, kind in kinds.items():
        assert (VARIABLES[name]["type"], VARIABLES[name]["query"]) == ("datasource", kind)
    known = [{"type": kind, "uid": f"${{{name}}}"} for name, kind in kinds.items()]
    for panel in PANELS.values():
        assert panel["datasource"] in known
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
    assert VARIABLES["job"]["datasource"] == known[0]
    assert "id" not in DASHBOARD
    used = set(re.findall(r"\$\{(\w+)", json.dumps(DASHBOARD)))
    assert used == set(VARIABLES)


def test_panels_lie_side_by_side() -> None:
    every = DASHBOARD["panels"]
    assert len({p["id"] for p in every}) == len({p["title"] for p in every}) == len(every)
    for one, other in combinations([p["gridPos"] for p in every], 2):
        apart = (
            one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        )  # fmt: skip
        assert apart, (one, other)
        assert one["x"] + one["w"] <= 24
