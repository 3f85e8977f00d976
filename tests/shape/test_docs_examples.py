"""The examples of the README and of docs/: Python that parses and imports what there is, and
commands and options that exist. tests/cli/test_nightly_page.py runs those of docs/nightly.md."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator

import click
import pytest

from loader.cli import root
from tests.conftest import ROOT
from tests.support.commands import every_command

PAGES = ("README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")))
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"--[a-z][a-z-]*|-[a-zA-Z]")


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    """Page and text of each fenced block."""
    for page in PAGES:
        for _, language, text in _FENCE.findall((ROOT / page).read_text(encoding="utf-8")):
            if language in languages:
                yield page, textwrap.dedent(text)


def commands() -> Iterator[tuple[str, str]]:
    """Page and text of each `mdload …` in the blocks of shell, without what follows in a pipe; and
    each example of --help."""
    for _, command in every_command(root):
        yield "--help", (command.epilog or "").partition(": ")[2].rpartition(" | ")[2]
    for page, text in blocks("sh", "bash", "console"):
        for line in text.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s(?:\||&&|\|\||>|2>)\s|;\s|\s#|&$", line):
                if found := re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(mdload .*)", part.strip()):
                    yield page, found[1]


COMMANDS = sorted(set(commands()))


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_and_options_exist(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = root
    known = {name for option in root.params for name in (*option.opts, *option.secondary_opts)}
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(click.Context(command), word)
            if found is None and command is root:
                continue  # the value of an option of the whole command
            assert found is not None, f"{page}: {line}: no command {word}"
            command = found
            known |= {n for option in found.params for n in (*option.opts, *option.secondary_opts)}
        elif _OPTION.fullmatch(name := word.partition("=")[0]):
            free = command.context_settings.get("ignore_unknown_options")
            assert free or name in known | {"--help"}, f"{page}: {line}: no option {name}"
    assert command is not root or "-" in line, f"{page}: {line}: no command"


@pytest.mark.parametrize(("page", "text"), list(blocks("python")))
def test_python_parses_and_imports(page: str, text: str) -> None:
    for node in ast.walk(ast.parse(text, page)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "loader":
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), f"{page}: {alias.name}"


@pytest.mark.parametrize(("page", "text"), list(blocks("toml")))
def test_toml_parses(page: str, text: str) -> None:
    assert tomllib.loads(text), page


def test_there_are_examples() -> None:
    assert len(COMMANDS) > 80


def test_the_changelog_has_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    assert newest
    assert newest[1] == version
