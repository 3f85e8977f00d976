"""What `mdload rejects replay` does with its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from loader.cli.context import Context
from loader.cli.options import settings_of

if TYPE_CHECKING:
    from loader.ingest.ways.replay import Replay
    from loader.results import LoadResult
    from loader.store.quarantine.found import RejectFilter


def replay(
    ctx: Context,
    asked: RejectFilter,
    allowed: tuple[str, ...],
    given: Mapping[str, Any],
    *,
    as_json: bool,
) -> int:
    """Replays the rejects that are asked for, prints the result, and returns the exit code.

    Raises:
        SettingsError: an option is wrong.
        NothingStored: no such rejects wait.
    """
    from loader.check.rules import ALLOWABLE
    from loader.cli import interrupts
    from loader.cli.store import store
    from loader.db.arrow import connect
    from loader.ingest.pipeline import load
    from loader.ingest.ways.replay import rejected
    from loader.listen.progress import listeners
    from loader.settings import RejectLimit

    for rule in allowed:
        if rule not in ALLOWABLE:
            raise click.BadParameter(
                f"{rule!r} cannot be allowed: a row is a bar without {', '.join(ALLOWABLE)} only",
                param_hint="'--allow'",
            )
    if given["commit_every"]:
        raise click.UsageError("rejected rows are replayed file by file, without --commit-every")
    interrupts.heed()
    settings = settings_of(ctx, given)
    settings = replace(
        settings,
        force=True,
        job_name=settings.job_name if _typed("job_name") else "replay",
        max_rejects=settings.max_rejects if _typed("max_rejects") else RejectLimit(share=1.0),
    )
    with (
        store(ctx) as url,
        connect(url, autocommit=True) as connection,
        rejected(connection, asked, _changed(settings, given), frozenset(allowed)) as again,
    ):
        about = {"replays": again.runs}
        with listeners(ctx.verbosity, ctx.log_format) as told:
            result = load(settings, url, again.sources, told, about, replay=again)
        _print(result, again, as_json=as_json)  # the progress bar is gone
    return result.exit_code


def _changed(settings: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that decide what rows mean and that were typed now."""
    from loader.settings.load import MEANING

    typed = {name for name in given if _typed(name)}
    return {
        str(option.field): getattr(settings, str(option.field))
        for name, option in MEANING.items()
        if name in typed and option.field is not None
    }


def _typed(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


def _print(result: LoadResult, again: Replay, *, as_json: bool) -> None:
    from loader.cli.views.load import print_load
    from loader.cli.views.table import say
    from loader.text import counted

    if as_json:
        print_load(result, as_json=True, more={"replayed": again.marked, "lines": again.lines})
        return
    print_load(result, as_json=False)
    counts = result.counts
    left = again.rows - again.marked
    if not result.dry_run:
        say(
            f"{again.marked:,} of {counted(again.rows, 'rejected row')} got in; {left:,} still wait"
        )
    elif counts.read:
        say(f"{counts.read - counts.rejected - counts.skipped:,} of "
            f"{counted(again.rows, 'rejected row')} would get in")  # fmt: skip
    if again.lines:
        say(f"{counted(again.lines, 'row')} cannot be read by cells: correct them in their file")
