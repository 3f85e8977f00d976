"""The page: one file, in which text of others is text and nothing else."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import cast

import psycopg
import pytest

from loader.survey.pictures import palette
from loader.survey.pictures.strips import runs
from loader.survey.report.overview import _bad
from loader.survey.report.runs import Runs
from loader.survey.report.table import COLUMNS, cell
from tests.conftest import database
from tests.support.made_store import insert
from tests.survey.test_report_gathered import report

pytest.importorskip("jinja2")

HOSTILE = (
    "<script>alert(1)</script>", "</script><img src=x onerror=alert(2)>", "\"' onload='alert(3)",
    "{{ 7 * 7 }}{% raw %}", "evil\u202egnp.exe\u200f", "]]><!--", "A" * 10_000,
)  # fmt: skip


class Parsed(HTMLParser):
    """What a browser would see: the elements, their attributes, and the text of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self.tags[-1] if self.tags else "", []).append(data)


@pytest.fixture(scope="module")
def page(server_url: str, template: str) -> Iterator[str]:
    from loader.survey.report.page import render

    with database(server_url, template) as url:
        _hostile(url)
        yield render(report(url, calendar=None))


def _hostile(url: str) -> None:
    """Each text wherever a file or a job can put one."""
    with psycopg.connect(url) as plain:
        for number, text in enumerate(HOSTILE, 1):
            now = datetime.now(UTC)
            insert(plain, "job_runs", [{
                "id": number, "job_name": text, "provider": text, "mode": "backfill",
                "status": "failure", "error_message": text, "rows_failed": 1, "completed_at": now,
            }])  # fmt: skip
            found = {"kind": text, "action": text, "text": text, "symbol": text}
            insert(plain, "job_run_files", [{
                "id": number, "run_id": number, "path": text, "state": "refused", "dialect": text,
                "provider": text, "interval": text, "error_message": text, "rows_read": 1,
                "rows_failed": 1, "rejected": json.dumps({text: 1}),
                "findings": json.dumps([found]),
            }])  # fmt: skip
            insert(plain, "bars_rejected", [{
                "run_id": number, "file_id": number, "row_number": 1, "rules": [text],
                "raw": json.dumps({text: text}), "symbol": text,
            }])  # fmt: skip
            if len(text) > 1_000:  # a key of the index has no room for it
                continue
            key = {"provider": text, "symbol": text.upper(), "interval": text, "ts": "2024-03-04"}
            values = {"open": 1, "high": 2, "low": 1, "close": 2}
            insert(plain, "bars_ohlcv", [key | values])
            insert(plain, "bars_ohlcv_revisions", [{
                **key, **{f"old_{name}": 1 for name in values}, "revised_at": "2024-03-09",
                **{f"new_{name}": value for name, value in values.items()},
            }])  # fmt: skip


def test_text_of_others_is_text(page: str) -> None:
    seen = Parsed(page)
    assert seen.tags.count("script") == 1
    assert "img" not in seen.tags
    assert not [a for a in seen.attributes if a[1].startswith("on") or a[1] == "style"]
    told = "".join(text for tag, texts in seen.text.items() if tag != "script" for text in texts)
    for text in HOSTILE[:4]:
        assert text in told
    assert "49" not in re.findall(r"{{ 7 \* 7 }}|\b49\b", told)
    assert "\u202e" not in page
    assert "\u200f" not in page
    assert "evil\\u202egnp.exe" in told


def test_long_names_do_not_fill_the_page(page: str) -> None:
    assert "A" * 1_000 not in page
    assert "A" * 100 in page


def test_nothing_is_asked_for(page: str) -> None:
    seen = Parsed(page)
    for _, name, value in seen.attributes:
        if name in ("href", "src", "xlink:href", "action", "srcset", "poster", "data"):
            assert value is not None
            assert value.startswith(("#", "data:,")), value
    assert "@import" not in page
    assert "url(" not in page


def test_the_policy_allows_the_page_s_own_style_and_script_and_nothing_else(page: str) -> None:
    policy = next(v for t, n, v in Parsed(page).attributes if n == "content" and v and "none" in v)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    assert rules.pop("img-src") == "data:"
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert rules.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert not rules


def test_no_secret_is_shown(database_url: str) -> None:
    from loader.survey.report import as_object
    from loader.survey.report.page import render
    from loader.text import plain

    with psycopg.connect(database_url) as session:
        insert(session, "job_runs", [{
            "id": 1, "job_name": "j", "mode": "backfill", "status": "failure",
            "completed_at": datetime.now(UTC),
            "error_message": "postgresql://me:hunter2@db/x failed",
        }])  # fmt: skip
        insert(session, "job_run_files", [{
            "run_id": 1, "path": "https://a.example/f.csv?token=hunter2", "state": "failed",
            "error_message": "password=hunter2",
        }])  # fmt: skip
    found = report(database_url, calendar=None)
    assert "hunter2" not in render(found)
    assert "hunter2" not in json.dumps(as_object(found), default=plain)


def test_an_empty_store_has_a_page(database_url: str) -> None:
    from loader.survey.report.page import render

    seen = Parsed(render(report(database_url)))
    assert seen.tags.count("section") == 7


def test_every_row_of_a_strip_is_as_long_as_its_cells() -> None:
    assert list(runs("  FFP.")) == [(" ", 0, 2), ("F", 2, 2), ("P", 4, 1), (".", 5, 1)]


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


#: They say nothing by themselves: nothing expected, the volume behind the candles.
QUIET = {"bg", "sN", "vo"}


@pytest.mark.parametrize("ground", [0, 1], ids=["light", "dark"])
def test_colours_stand_out_from_their_ground(ground: int) -> None:
    """WCAG 2.2: 3:1 for graphics, 4.5:1 for text."""
    back = palette.FILLS["bg"][ground]
    for name, both in palette.FILLS.items():
        if name not in QUIET:
            least = 4.5 if name in ("ink", "ax") else 3.0
            assert _contrast(both[ground], back) >= least, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(page: str, scheme: str) -> None:
    css = re.findall(r":root\{([^}]*--bg[^}]*)\}", page)[scheme == "dark"]
    colours = dict(re.findall(r"--(\w+):(#[0-9a-f]{3,6})", css))
    full = {
        n: c if len(c) == 7 else "#" + "".join(d * 2 for d in c[1:]) for n, c in colours.items()
    }
    for word in ("ink", "dim", "link", "bad", "warn", "good"):
        for back in ("bg", "soft"):
            assert _contrast(full[word], full[back]) >= 4.5, (word, back)
    assert _contrast(full["bad"], full["badbg"]) >= 4.5
    assert _contrast(full["warn"], full["warnbg"]) >= 4.5


def test_a_change_is_coloured_by_sign_and_size() -> None:
    found = [palette.of_change(bps) for bps in (None, 0, 0.2, 5, -5, 50, -500, 5_000, -5_000)]
    assert found == ["z0", "z0", "p1", "p1", "n1", "p2", "n3", "p4", "n4"]


def test_what_needs_a_hand_is_in_words_of_people_the_newest_first() -> None:
    file = {"state": "refused", "error_message": None}
    runs = SimpleNamespace(
        runs=[{"id": 1000, "job_name": "j", "outcome": "stuck", "silent_ms": 49_080_000}],
        jobs=[], files=[
            file | {"id": n, "run_id": n, "path": f"{n}.csv"} for n in (3, 9, 5)
        ],
    )  # fmt: skip
    assert [hand.text for hand in _bad(cast("Runs", runs))] == [
        "run 1000 of j is stuck: no sign of life for 13h 38m",
        *(f"{n}.csv was refused: see its run" for n in (9, 5, 3)),
    ]


def test_the_number_of_a_run_is_a_name_and_not_an_amount() -> None:
    columns = {key: kind for key, _, kind in COLUMNS["runs"]}
    assert cell({"id": 1000}, "id", columns["id"]) == '<td class="n">1000</td>'
    assert cell({"rows_read": 1000}, "rows_read", columns["rows_read"]) == (
        '<td class="n">1,000</td>'
    )


def test_a_share_below_the_whole_is_never_called_the_whole() -> None:
    from loader.survey.report.table import percent

    assert [palette.of_share(share) for share in (1, 0.9999, 0.96, 0.5, 0.01, 0)] == [
        "q6", "q5", "q4", "q2", "q1", "q0",
    ]  # fmt: skip
    assert [percent(share) for share in (1.0, 0.999999, 0.5)] == ["100 %", "99.99 %", "50.00 %"]
