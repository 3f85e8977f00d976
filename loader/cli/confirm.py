"""Commands that take something away ask first."""

from __future__ import annotations

import sys
from typing import Final

import click

yes_option: Final = click.option("--yes", is_flag=True, help="Do it without asking.")
dry_run_option: Final = click.option(
    "--dry-run", is_flag=True, help="Count exactly what would happen; write nothing."
)


def asks(*, yes: bool, dry_run: bool) -> bool:
    """Whether to show what would happen and ask, before it does.

    Raises:
        click.UsageError: nobody can be asked, and `--yes` is not given.
    """
    if yes or dry_run:
        return False
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("there is nobody to ask: add --yes, or look first with --dry-run")
    return True


def agreed(question: str) -> None:
    """Asks on stderr.

    Raises:
        click.Abort: the answer is no.
    """
    click.confirm(question, err=True, abort=True)
