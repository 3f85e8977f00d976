"""Makes the pages of the docs site that are not in docs/: the README as the first page, the pages
at the root of the checkout, and the command reference out of `--help`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.structure.files import File, Files

from loader.cli import root

ROOT = Path(__file__).parents[2]
#: Pages of the root of the checkout, and where the site has them.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
}
#: Files that pages link to, which the site has as they are.
FILES = (
    "LICENSE",
    "observability/grafana/mdload.json",
    "observability/prometheus/mdload-alerts.yml",
)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)|!\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages."""
    for source, target in PAGES.items():
        text = _from_the_root((ROOT / source).read_text("utf-8"))
        files.append(File.generated(config, target, content=text))
    for source in FILES:
        files.append(File.generated(config, source, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, "commands.md", content="\n".join(_reference())))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links out of docs/ lead to where the site has those pages; to the code they are text."""
    if page.file.src_uri in (*PAGES.values(), "commands.md"):
        return markdown
    here = posixpath.dirname(page.file.src_uri)
    return _linked(markdown, lambda target: _from_docs(target, here))


def _from_the_root(text: str) -> str:
    def moved(target: str) -> str | None:
        path = target.partition("#")[0]
        if target.startswith("docs/"):
            inside = target.removeprefix("docs/")
            return None if path.endswith("/") else inside
        if path in PAGES:
            return PAGES[path] + target.removeprefix(path)
        return path if path in FILES else None

    return _linked(text, moved)


def _from_docs(target: str, here: str) -> str | None:
    path, sharp, anchor = target.partition("#")
    inside = posixpath.normpath(posixpath.join("docs", here, path))
    if inside.startswith("docs/"):
        return target
    if inside not in PAGES and inside not in FILES:
        return None
    return posixpath.relpath(PAGES.get(inside, inside), here or ".") + sharp + anchor


def _linked(text: str, moved: Any) -> str:
    """`text` with each link to a file as `moved` gives it; None makes it text."""

    def put(found: re.Match[str]) -> str:
        image = found[4] is not None
        words, target = (found[3], found[4]) if image else (found[1], found[2])
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        target = moved(target)
        return words if target is None else f"{'!' if image else ''}[{words}]({target})"

    return _LINK.sub(put, text)


def _reference() -> Iterator[str]:
    """Each command with its help, as a terminal of 100 columns shows it."""
    yield "# Commands\n\nEach command as `--help` shows it.\n"
    yield from _section("mdload", root, None)


def _section(name: str, command: click.Command, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(
        command,
        parent,
        info_name=name.rpartition(" ")[2],
        terminal_width=100,
        max_content_width=100,
    )
    yield f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            leaf = command.get_command(context, sub)
            assert leaf is not None
            yield from _section(f"{name} {sub}", leaf, context)
