"""Every metric and label in the dashboard, alerts and docs exists in mdload."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from loader.store.metrics.families import FAMILIES, Family
from tests.conftest import ROOT

OBSERVABILITY = ROOT / "observability"
ALERTS = OBSERVABILITY / "prometheus" / "mdload-alerts.yml"
DOCS = (ROOT / "docs" / "metrics.md").read_text("utf-8")
FAMILY = {family.name: family for family in FAMILIES}
#: What Prometheus adds to each series that it scrapes.
ADDED = {"job", "instance"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return list(group["rules"])


def dashboard_targets() -> Iterator[tuple[str, dict[str, Any]]]:
    dashboard = json.loads((OBSERVABILITY / "grafana" / "mdload.json").read_text("utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            if "expr" in target:
                yield f"{panel['title']} {target['refId']}", target


TARGETS = dict(dashboard_targets())
EXPRESSIONS = {
    **{rule["alert"]: rule["expr"] for rule in rules()},
    **{name: target["expr"] for name, target in TARGETS.items()},
}


def family(name: str) -> Family:
    """The family of a series; its kind says which suffixes it has."""
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    found = FAMILY.get(name) or FAMILY.get(base)
    assert found, f"mdload has no metric {name}"
    assert (found.kind == "histogram") == (base != name), name
    return found


def labels_of(expression: str) -> set[str]:
    """Every label that its metrics can have."""
    names = set(re.findall(r"\bstore_\w+", expression))
    assert names
    return {label for name in names for label in family(name).labels} | ADDED | {"le"}


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_metrics_and_labels_exist(where: str) -> None:
    expression = re.sub(r"\$\{\w+:regex\}", "x", EXPRESSIONS[where])
    known = labels_of(expression)
    for name, selector in re.findall(r"\b(store_\w+)\{([^}]*)\}", expression):
        own = {*family(name).labels, *ADDED, *(["le"] if name.endswith("_bucket") else [])}
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= own, selector
    grouped = re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expression)
    for label in {label.strip() for group in grouped for label in group.split(",")}:
        assert label in known, label


@pytest.mark.parametrize("where", TARGETS)
def test_legends_name_labels_that_are_left(where: str) -> None:
    target = TARGETS[where]
    shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    kept = {
        label.strip()
        for group in re.findall(r"\bby\s*\(([^)]*)\)", target["expr"])
        for label in group.split(",")
    }
    assert shown <= kept


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_alerts_say_who_what_and_where_to_look(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert rule["labels"]["severity"] in ("warning", "critical")
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook"}
    known = labels_of(rule["expr"])
    assert set(re.findall(r"\$labels\.(\w+)", " ".join(notes.values()))) <= known
    page, _, anchor = notes["runbook"].partition("#")
    assert page == "docs/metrics.md"
    assert anchor == rule["alert"].lower()
    assert f"\n### {rule['alert']}\n" in DOCS


def test_values_that_expressions_ask_for_exist() -> None:
    """A misspelt `status="failed"` would never match, and nobody would notice."""
    values = {
        "status": {"started", "success", "failure", "cancelled"},
        "mode": {"live", "backfill"},
        "method": {"COPY", "UPSERT"},
        "outcome": {"inserted", "updated", "unchanged", "duplicate", "skipped", "rejected"},
    }
    asked = {
        (label, value)
        for expression in EXPRESSIONS.values()
        for label, value in re.findall(r'(\w+)="([^"$]*)"', expression)
    }
    assert asked
    for label, value in asked:
        assert value in values[label], (label, value)


def test_the_docs_have_every_metric_with_its_labels() -> None:
    table = {}
    for line in DOCS.splitlines():
        if match := re.match(r"\| `(store_\w+)` \| (\w+) \| ([^|]*) \|", line):
            table[match[1]] = (match[2], tuple(re.findall(r"`(\w+)`", match[3])))
    assert table == {f.name: (f.kind, f.labels) for f in FAMILIES}


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not here (Debian: apt-get install prometheus)")
    return found


def run(*args: str | Path) -> str:
    ended = subprocess.run(args, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_promtool_takes_the_alerts(promtool: str) -> None:
    assert f"{len(rules())} rules found" in run(promtool, "check", "rules", ALERTS)


def test_the_alerts_fire_when_they_should(promtool: str) -> None:
    assert "SUCCESS" in run(promtool, "test", "rules", ALERTS.with_suffix(".test.yml"))


def test_promtool_takes_the_dashboard_s_expressions(promtool: str, tmp_path: Path) -> None:
    rules = []
    for n, target in enumerate(TARGETS.values()):
        expression = target["expr"].replace("${job:regex}", "a|b")
        expression = re.sub(r"\$__(rate_interval|range)\b", "5m", expression)
        assert "$" not in expression
        rules.append({"record": f"panel_{n}", "expr": expression})
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run(promtool, "check", "rules", path)
