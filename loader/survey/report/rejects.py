"""Rejected rows: how many by rule, provider and file, and the first ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Final

from loader.db.rows import Session
from loader.lazy import dataclass
from loader.survey.report.asked import Row
from loader.text import redact

#: Places (files and rules) of which the first rows are shown, and how many of each.
_PLACES: Final = 24
_EACH: Final = 3
_LISTED: Final = 300


@dataclass(frozen=True, slots=True)
class Rejects:
    """
    Attributes:
        rows: how many rows were rejected.
        rules: by rule how many rows broke it, in how many files, and the last run; a row can break
            several.
        providers: by provider how many broken rules, for those that files name.
        places: by file and rule how many `rows`, the most first; `file_id` and `path` are None for
            rows of programs and feeds. `places_total` of them there are.
        first: the first rows of the first places: their key as far as it is known, `row_number`,
            `rules` and `raw` (JSON, at most 2,000 characters).
    """

    rows: int
    rules: list[Row]
    providers: list[Row]
    places: list[Row]
    places_total: int
    first: list[Row]


def rejects(session: Session, ids: tuple[int, int], rows: int) -> Rejects:
    """Those of the runs from `ids`, which rejected `rows` rows."""
    found = session.rows("report_rejects", *ids)
    for place in found:
        place["path"] = place["path"] and redact(place["path"])
    by_rule: dict[str, list[Row]] = {}
    for place in found:
        by_rule.setdefault(place["rule"], []).append(place)
    rules = [
        {"rule": rule, "rows": sum(p["rows"] for p in places),
         "files": len({(p["run_id"], p["file_id"]) for p in places}),
         "last_run": max(p["run_id"] for p in places)}
        for rule, places in by_rule.items()
    ]  # fmt: skip
    rules.sort(key=lambda rule: (-rule["rows"], rule["rule"]))
    providers: Counter[str | None] = Counter()
    for place in found:
        providers[place["provider"]] += place["rows"]
    shown = _spread(found)
    wanted = [{name: p[name] for name in ("run_id", "file_id", "rule")} for p in shown]
    first = session.rows("report_places", json.dumps(wanted), _EACH)
    for row in first:
        row["raw"] = redact(row["raw"])
    return Rejects(
        rows, rules,
        [{"provider": name, "rows": many} for name, many in providers.most_common()],
        found[:_LISTED], len(found), first,
    )  # fmt: skip


def _spread(found: Sequence[Row]) -> list[Row]:
    """Places to show rows of: the largest of each rule, then the next largest of each."""
    ranks: Counter[str] = Counter()
    ranked = []
    for place in found:
        ranked.append((ranks[place["rule"]], place))
        ranks[place["rule"]] += 1
    ranked.sort(key=lambda one: one[0])
    return [place for _, place in ranked[:_PLACES]]
