"""A file that changes bars of another file of its load: an edition of it, or another series."""

from __future__ import annotations

from collections import Counter

from loader.check.guard.laid import fewest
from loader.db.arrow import Connection
from loader.dialects.editions import Difference, contracts, difference
from loader.errors import LaidOver
from loader.ingest.run import LoadRun
from loader.read.sources import Source
from loader.results import Counts, FileResult
from loader.text import counted


def insist_on_one_series(
    writer: Connection, run: LoadRun, source: Source, done: FileResult, counts: Counts
) -> None:
    """Looks at the bars that this transaction has changed, before it commits: `counts` are those of
    the part, and `done` is the file with it. Editions of one series, such as dumps of several days,
    may restate each other, and so may dumps that are loaded as of when they were known.

    Raises:
        LaidOver: many of them are of another file of this load, now or earlier, with a name that
            differs in more than a date, a part or a correction.
    """
    if not counts.updated or len(run.paths) < 2 or run.settings.known_at_from is not None:
        return
    apart: Counter[str] = Counter()
    found: dict[str, Difference] = {}
    symbols = {}
    for path, symbol, bars in writer.frame("restated_from", done.file_id, source.name).iter_rows():
        there = run.paths.get(path)
        telling = _telling(source, done, there) if there is not None else None
        if telling is not None:
            apart[path] += bars
            found[path], symbols[path] = telling, symbol
    most = [path for path, _ in apart.most_common() if _is_much(apart, found, path, counts)]
    if most:
        raise _refused(run, source, done, (most[0], symbols[most[0]], apart.total()), found)


def _telling(source: Source, done: FileResult, other: str) -> Difference | None:
    found = difference(source.full_path, other)
    if found is not None or done.min_ts is None or done.max_ts is None:
        return found
    return contracts(source.full_path, other, done.min_ts, done.max_ts)


def _is_much(apart: Counter[str], found: dict[str, Difference], path: str, counts: Counts) -> bool:
    numbers = found[path].numbers
    changed = sum(bars for other, bars in apart.items() if found[other].numbers <= numbers)
    met = counts.updated + counts.unchanged
    return changed >= fewest(met, counts.inserted + met, numbers=numbers)


def _refused(
    run: LoadRun,
    source: Source,
    done: FileResult,
    other: tuple[str, str, int],
    found: dict[str, Difference],
) -> LaidOver:
    path, symbol, bars = other
    telling = found[path]
    words = " and ".join(repr("_".join(each)) for each in (telling.own, telling.others) if each)
    given = done.provider or run.settings.provider or "mine"
    providers = " and ".join(
        f"--provider {'-'.join((given, *each))}" for each in (telling.own, telling.others)
    )
    return LaidOver.at(
        source.name,
        f"{counted(bars, 'bar')} of {symbol} would be laid over those of {path}, which differ, and "
        f"nothing reads what tells the names apart ({words}): nothing of it was merged",
        hint=f"keep them apart, each kind in a run of its own: {providers} (mdload rollback "
        f"{run.run_id} takes this run back); or if one corrects the other, load it alone, after "
        "the other",
    )
