"""The page: one HTML file that asks for nothing else.

Text of files, jobs and databases is hostile: Jinja escapes all of it, and `_plainly` takes out what
steers a reader's eye, wherever a template shows it. The policy in the page allows the one style and
the one script that it carries, by their hashes, and nothing else.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from loader.survey.pictures import palette
from loader.survey.pictures.svg import shown
from loader.survey.report import Report, table
from loader.survey.report.views import views
from loader.text import counted

PAGES: Final = (
    ("overview", "Overview"), ("coverage", "Coverage"), ("vintages", "Vintages"),
    ("runs", "Runs"), ("rejects", "Rejects"), ("series", "Series"), ("compare", "Compare"),
)  # fmt: skip
_DARK: Final = (
    ":root{--bg:#12161b;--soft:#1a2027;--line:#313a44;--ink:#e6ebf0;--dim:#a9b4bf;--link:#7db3f5;"
    "--bad:#ff8d82;--warn:#e8b95b;--good:#5cc4bb;--badbg:#2c1614;--warnbg:#2a2112}"
)


def render(report: Report) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=PackageLoader("loader.survey.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_plainly,
    )  # fmt: skip
    environment.filters.update(
        count=table.count,
        date=lambda moment: f"{moment:%Y-%m-%d}",
        day=table.day,
        time=table.time,
        percent=table.percent,
        counted=_counted,
    )
    environment.globals.update(cell=table.cell, numeric=table.NUMERIC, columns=table.COLUMNS)
    css, js = _style(), _package_text("report.js")
    policy = (
        f"default-src 'none'; style-src {_hash(css)}; script-src {_hash(js)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return environment.get_template("report.html.j2").render(
        r=report, pages=PAGES, title=f"mdload report: {report.database}", version=version("mdload"),
        css=Markup(css), js=Markup(js), policy=Markup(policy), **views(report),  # noqa: S704
    )  # fmt: skip


def _plainly(value: Any) -> Any:
    """What a template shows: markup of ours as it is, and all other text without what steers."""
    if isinstance(value, Markup):
        return value
    return shown(value) if isinstance(value, str) else value


def _style() -> str:
    dark = f"@media screen and (prefers-color-scheme:dark){{{_DARK}{palette.rules(dark=True)}}}"
    return _package_text("report.css") + palette.style() + dark


def _package_text(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _counted(many: int, thing: str, several: str | None = None) -> str:
    """`1 bar`, `2 bars`; or with a word of its own for several."""
    return f"{many:,} {several}" if several and many != 1 else counted(many, thing)
