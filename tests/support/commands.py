"""The commands of the command line."""

from __future__ import annotations

from collections.abc import Iterator

import click


def every_command(command: click.Command, *words: str) -> Iterator[tuple[str, click.Command]]:
    """Every command and group, as it is typed."""
    yield " ".join(words), command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            if (below := command.get_command(ctx, name)) is not None:
                yield from every_command(below, *words, name)
