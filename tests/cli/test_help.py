"""What --help says: short lines, groups, and an example that can be pasted."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from loader.cli import root
from tests.support.commands import every_command

COMMANDS = dict(every_command(root))


def shown(command: str, columns: int) -> str:
    """What `mdload COMMAND --help` prints, without a process for each."""
    ctx: click.Context | None = None
    for name in ("mdload", *command.split()):
        here = root if ctx is None else ctx.command.get_command(ctx, name)  # type: ignore[attr-defined]
        ctx = here.context_class(here, parent=ctx, info_name=name, terminal_width=columns)
    assert ctx is not None
    return ctx.get_help()


@pytest.mark.parametrize("command", COMMANDS)
def test_it_fits_and_gives_an_example_to_paste(command: str) -> None:
    written = (COMMANDS[command].epilog or "").partition(": ")[2]
    assert re.match(r"(.+ \| )?mdload ", written)
    for columns in (60, 80, 100):
        text = shown(command, columns)
        assert text.startswith("Usage: mdload")
        assert max(map(len, text.splitlines())) <= columns
        # nothing truncated
        assert "..." not in re.sub(r"(TO|(ARGS|JOB|RUN|SOURCE)\]?)\.\.\.", "", text)
        _, _, pasted = text.rpartition("\n\n")
        example = re.sub(r"^ +(Example|First steps): ", "", pasted)
        assert shlex.split(example.replace("\\\n", "")) == shlex.split(written)


def test_no_range_that_nobody_could_leave() -> None:
    for command in COMMANDS:
        text = shown(command, 100)
        assert not re.search(r"<=\d{8,}|<=\S+e\d", text), command
    assert "[default: 20]" in shown("job-runs list", 100)
    assert "1<=x<=64" in shown("backfill", 100)


@pytest.mark.parametrize(
    ("command", "groups"),
    [
        ("backfill", ["What the file does not say:", "How to load:", "Reporting:"]),
        ("rejects replay", ["What the file does not say:", "How to load:", "Reporting:"]),
        ("inspect", ["What the file does not say:", "Options:", "Reporting:"]),
        ("verify", ["What the file does not say:", "Options:", "Reporting:"]),
    ],
)
def test_options_that_read_files_are_in_groups(command: str, groups: list[str]) -> None:
    lines = shown(command, 100).splitlines()
    assert [line for line in lines if re.fullmatch(r"\w.*:", line)] == groups
    named = [line for line in lines if re.match(r"  (\[?SOURCE|RUN)", line)]
    assert not named  # the usage has them
    assert lines.index("Reporting:") < next(n for n, x in enumerate(lines) if "--help  " in x)


def test_sentences_begin_with_a_verb() -> None:
    """A list of commands is scanned by its first words."""
    verbs = (
        "Check|Compare|Compress|Count|Create|Delete|Distribute|Find|List|Load|Make|Name|Open|Print|"
        "Remove|Run|Show|Start|Stop|Store|Sum|Turn|Undo|Write"
    )
    for name, command in COMMANDS.items():
        for sentence in (command.help, command.short_help):
            assert sentence is None or re.match(rf"({verbs})\b", sentence), name
