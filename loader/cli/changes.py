"""What rollback, delete and rename share: shown, agreed to, recorded as a run, printed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from loader.cli import interrupts
from loader.cli.confirm import agreed, asks
from loader.cli.context import Context

if TYPE_CHECKING:
    from loader.store.versions.undo import Undone


def change(
    ctx: Context,
    name: str,
    made: Callable[[str], Callable[[int | None], Undone]],
    *,
    about: Callable[[str], Mapping[str, object]] = lambda _: {},
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Makes the change of a URL's store: `made(url)` gives a function of the run's id, or of None
    for a dry run. The run is called `name`; `about(url)` is for its metadata.

    Raises:
        click.UsageError, click.Abort: nobody agrees to it.
        MdloadError: nothing was changed.
    """
    from loader.cli.store import store
    from loader.cli.views.past import show_change
    from loader.store.runs import JobRunTracker

    asked = asks(yes=yes, dry_run=dry_run)
    interrupts.heed()
    with store(ctx) as url:
        work = made(url)
        if dry_run or asked:
            began = time.monotonic()
            would = work(None)
            show_change(name, None, would, _ms(began), as_json=as_json and dry_run)
            if dry_run:
                return
            agreed(f"{name}?")
        began = time.monotonic()
        with (
            JobRunTracker(url) as tracker,
            tracker.run(name, mode="backfill", metadata=about(url)) as run,
        ):
            done = work(run.id)
    with interrupts.kept(0, f"{name}: run {run.id} is committed and recorded as success"):
        show_change(name, run.id, done, _ms(began), as_json=as_json)


def _ms(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
