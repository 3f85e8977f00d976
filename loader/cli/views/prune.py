"""What `mdload prune` shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from loader.cli.views.table import print_json, say
from loader.text import counted, utc

if TYPE_CHECKING:
    from loader.store.versions.prune import Prunable, Pruned


def show_prunable(
    would: Prunable,
    revisions_days: int | None,
    loads_days: int | None,
    runs: int | None,
    rejected: tuple[int, int] | None,
    as_json: bool,
) -> None:
    """What would go. Prints nothing of what was not asked for: its days, or numbers, are None."""
    rejects, waiting = rejected or (0, 0)
    if as_json:
        print_json({"dry_run": True, **asdict(would), "runs": runs or 0, "rejects": rejects})
        return
    if revisions_days is not None:
        say(f"{would.revisions:,} of {counted(would.all_revisions, 'revision')} would go")
        _show_unreadable(would)
    if loads_days is not None:
        say(f"loads older than {loads_days} days would be folded, run by run, "
                   f"of {would.all_loads:,}")  # fmt: skip
    if runs is not None:
        say(f"{counted(runs, 'run')} would go, with their files and rejected rows")
    if rejected is not None:
        say(f"{counted(rejects, 'rejected row')} would go, of which {waiting:,} still wait")


def show_pruned(done: Pruned, would: Prunable, runs: int, rejects: int, as_json: bool) -> None:
    if as_json:
        before = would.unreadable_before
        counts = {**asdict(done), "runs": runs, "rejects": rejects}
        print_json({"dry_run": False, **counts, "unreadable_before": before})
        return
    say(f"{counted(done.revisions, 'revision')}, {counted(done.loads, 'load')} and "
               f"{counted(runs, 'run')} removed")  # fmt: skip
    if rejects:
        say(f"{counted(rejects, 'rejected row')} removed")
    if done.files:
        say(f"{counted(done.files, 'file')} will be loaded again when met")
    if done.revisions:
        _show_unreadable(would)


def _show_unreadable(would: Prunable) -> None:
    if would.unreadable_before:
        say(
            f"unreadable then: the bars as of times before {utc(would.unreadable_before)}, "
            "except at pins"
        )
