"""Whether a file lacks rows that it had when it was last loaded: half of last night's dump changes
nothing that is stored, and is not what it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from loader.check.guard.factors import LEAST
from loader.lazy import dataclass
from loader.results.history import Action, Finding
from loader.store.runs import ledger
from loader.store.runs.ledger import LastLoaded
from loader.text import counted

if TYPE_CHECKING:
    from loader.db.arrow import Connection
    from loader.ingest.run import LoadRun
    from loader.read.sources import Source

#: The share of its rows that a file may lose unnoticed.
_FEW: Final = 0.01


@dataclass(frozen=True, slots=True)
class Extent:
    """The rows of a file up to its end, and the first time of its bars."""

    rows: int
    min_ts: datetime | None


def shorter(run: LoadRun, source: Source, now: Extent, gone: int = 0) -> Finding | None:
    """A finding if the path was loaded with the same settings and another content before, and the
    file begins as early as then and has fewer rows, by more than the bars that are `gone`.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    if source.name not in run.earlier:
        return None
    with run.connection(autocommit=True) as reader:
        (before,) = last_loaded(run, reader, [(source.name, run.fingerprint_of(source))])
    return lacking(run, before, now, gone)


def last_loaded(
    run: LoadRun, reader: Connection, files: Sequence[tuple[str, str]]
) -> list[LastLoaded | None]:
    """How the file at each path, with the fingerprint beside it, was last loaded. Only paths that a
    recent run of the job had are asked for.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    asked = [file for file in files if file[0] in run.earlier]
    found = ledger.last_loaded(reader, asked) if asked else {}
    return [found.get(file) for file in files]


def lacking(run: LoadRun, before: LastLoaded | None, now: Extent, gone: int = 0) -> Finding | None:
    """As `shorter`, of a file that was last loaded like `before`."""
    if before is None or before.min_ts is None or now.min_ts is None or now.min_ts > before.min_ts:
        return None  # another stretch of time, as of a window that moves on
    lacking = before.rows - now.rows
    if lacking < max(LEAST, _FEW * before.rows) or lacking <= gone:
        return None
    settings = run.settings
    text = (
        f"the file has {counted(now.rows, 'row')}, and had {before.rows:,} when run "
        f"{before.run_id} loaded it: is it whole?"
    )
    action: Action = "noted"
    if settings.max_gone is not None and settings.max_gone.exceeded(lacking, before.rows):
        action = "accepted" if "shorter" in settings.accept else "refused"
        text += f" {lacking:,} fewer are more than --max-gone {settings.max_gone} allows"
    evidence = {"rows": now.rows, "rows_before": before.rows, "run": before.run_id}
    return Finding("shorter", action, text, evidence=evidence)
