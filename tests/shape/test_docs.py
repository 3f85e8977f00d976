"""The README and the help texts say what there is."""

from __future__ import annotations

import re

import click
import pytest

from loader.cli import root
from tests.conftest import ROOT
from tests.support.commands import every_command

README = (ROOT / "README.md").read_text(encoding="utf-8")


#: Without the groups.
ALL = {name: each for name, each in every_command(root) if not isinstance(each, click.Group)}


@pytest.mark.parametrize("name", ALL)
def test_the_readme_names_every_command(name: str) -> None:
    first, _, second = name.partition(" ")
    line = next(row for row in README.splitlines() if row.startswith(f"| `mdload {first}"))
    assert re.search(rf"\b{second}\b", line) if second else line


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_option_has_help(name: str) -> None:
    command = ALL[name]
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name


def test_every_decision_has_a_number_of_its_own() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert len({page.name[:4] for page in pages}) == len(pages)
    for page in pages:
        assert page.read_text(encoding="utf-8").startswith(f"# {page.name[:4]}"), page.name


@pytest.mark.parametrize("page", ["docs/reliability.md", "SECURITY.md"])
def test_every_promise_names_tests_that_there_are(page: str) -> None:
    there = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    for row in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if not row.startswith("| ") or row.startswith(("| promise ", "| against ")):
            continue
        promise, tests = row.strip("| ").rsplit("|", 1)
        named = re.findall(r"`(?:tests/)?([\w/]*?)(test_\w+\.py)`|`tests/([\w/]+)`", tests)
        assert named, promise
        for folder, name, room in named:
            if room:
                assert (ROOT / "tests" / room).is_dir(), room
            else:
                assert name in there, name
                assert not folder or (ROOT / "tests" / folder / name).is_file(), f"{folder}{name}"
