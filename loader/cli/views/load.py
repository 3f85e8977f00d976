"""The output of a load: a table for people, one object for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, fields
from datetime import datetime

from loader.cli.views.table import Column, print_json, say, table
from loader.listen import log
from loader.results import Counts, FileResult, LoadResult, as_object
from loader.text import NOTHING, bytes_, counted, duration, span

#: Names in a list that is there to be read.
_SHOWN = 8
#: Counts that a narrow terminal leaves out of the table where they are 0, the last ones first.
_GIVE_WAY = ("rejected", "unchanged", "duplicate", "updated", "skipped")


def print_load(
    result: LoadResult,
    *,
    as_json: bool,
    more: Mapping[str, object] | None = None,
    plan: str | None = None,
) -> None:
    """Prints the counts of a load on stdout and the errors of its files on stderr; `more` is added
    to the object; `plan` is the file that a dry run's plan went to."""
    if as_json:
        made = {"plan": plan if not result.exit_code else None} if plan is not None else {}
        print_json({**as_object(result), **(more or {}), **made})
        print_errors(result)
        return
    _print_counts(result)
    say()
    for label, value in _facts(result):
        say(f"{label:>9}  {value}")
    for line in _next_steps(result, plan):
        say(line)
    print_errors(result)


def summary(result: LoadResult) -> str:
    """`run 7 is recorded as success: 10 rows read, 3 inserted, 1 updated, 0 rejected`."""
    counts = result.counts
    done = (
        "a dry run ended with" if result.run_id is None else (f"run {result.run_id} is recorded as")
    )
    return (
        f"{done} {result.status}: {counted(counts.read, 'row')} read, "
        f"{counts.inserted:,} inserted, {counts.updated:,} updated, {counts.rejected:,} rejected"
    )


def _print_counts(result: LoadResult) -> None:
    rows: list[tuple[object, ...]]
    rows = [(file.path, file.state, *astuple(file.counts)) for file in result.files]
    if len(rows) != 1:
        name = "all files" if rows else "no files"
        rows.append((name, result.status, *astuple(result.counts)))
    heads = [Column("file"), Column("state", "status")]
    for name in (field.name for field in fields(Counts)):
        zero = getattr(result.counts, name) == 0 and name in _GIVE_WAY
        heads.append(Column(name, "number", spare=_GIVE_WAY.index(name) + 1 if zero else 0))
    title = "Dry run: nothing was written" if result.dry_run else None
    if hidden := table(title, heads, rows):
        say(f"{', '.join(hidden)}: 0")


def _facts(result: LoadResult) -> list[tuple[str, str]]:
    seconds = max(result.elapsed_ms, 1) / 1000
    facts = [
        ("span", span(result.min_ts, result.max_ts)),
        ("symbols", listed(result.symbols)),
        ("time", f"{duration(result.elapsed_ms)} "
                 f"({result.counts.read / seconds:,.0f} rows/s)"),
    ]  # fmt: skip
    if result.wal_bytes is not None:
        facts.append(("WAL", bytes_(result.wal_bytes)))
    facts += _chunks(result)
    if result.run_id is not None:
        facts.append(("run", str(result.run_id)))
    if told := str(result.history):
        facts.append(("history", told))
    rules = _rules(result)
    if rules:
        facts.append(("rejected", ", ".join(f"{rule} {n:,}" for rule, n in rules.items())))
    conflicting = sum(f.conflicting for f in result.files)
    if conflicting:
        rows = "1 row repeats" if conflicting == 1 else f"{conflicting:,} rows repeat"
        facts.append(
            ("conflicts", f"{rows} a key with other values; the last row of each key was kept:")
        )
        shown = [c for f in result.files for c in f.conflicts][:_SHOWN]
        facts.extend(("", line) for line in shown)
    return facts


def _chunks(result: LoadResult) -> list[tuple[str, str]]:
    """The number of compressed chunks that the load wrote to, and whether it recompressed them."""
    if not result.chunks:
        return []
    rows = sum(chunk.rows for chunk in result.chunks)
    done = sum(chunk.recompressed for chunk in result.chunks)
    what = f"wrote {rows:,} rows into {counted(len(result.chunks), 'compressed chunk')}"
    again = f"{done} compressed again" if done else "--recompress compresses them again"
    facts = [("chunks", f"{what}; {again}:")]
    facts += [("", f"{span(c.first, c.before)}  {c.chunk}  {c.rows:,} rows")
              for c in result.chunks[:_SHOWN]]  # fmt: skip
    if len(result.chunks) > _SHOWN:
        facts.append(("", f"and {len(result.chunks) - _SHOWN} more: see --json"))
    errors = dict.fromkeys(chunk.error for chunk in result.chunks if chunk.error)
    return facts + [("", error) for error in errors]


def _next_steps(result: LoadResult, plan: str | None = None) -> list[str]:
    if result.run_id is None:
        shared = ["Files share symbols and times: each was counted against the store as it is now."]
        failed = sum(1 for file in result.files if file.exit_code)
        load = "To load it, run the same command without --dry-run."
        if plan is not None:
            load = "No plan was made: see below." if failed else (
                f"next: mdload plan show {plan};  mdload apply {plan}"
            )  # fmt: skip
        elif failed and failed == len(result.files):
            load = "Nothing would be loaded: see below."
        elif failed:
            load = f"{counted(failed, 'file')} would not be loaded: see below. The others would, "
            load += "by the same command without --dry-run."
        return ["", *(shared if _overlap(result.files) else []), load]
    steps = [f"mdload job-runs inspect {result.run_id}"]
    if any(file.counts.rejected for file in result.files):
        steps.append(f"mdload rejects show {result.run_id}")
    return ["", "next: " + ";  ".join(steps)]


def print_errors(result: LoadResult) -> None:
    """Prints the errors of files on stderr; equal faults once, with the number of files."""
    if log.speaks_json():  # which heard of each error as its file ended
        return
    alike: dict[tuple[str, str | None], list[str]] = {}
    for file in result.files:
        if file.error:
            alike.setdefault((file.fault or file.error, file.hint), []).append(file.error)
    for (_, hint), (error, *others) in alike.items():
        more = f" (and {counted(len(others), 'other file')} likewise)" if others else ""
        log.error(error + more, hint)


def _overlap(files: Iterable[FileResult]) -> bool:
    """Whether two of the files may hold bars of one key."""
    last: dict[tuple[str | None, ...], datetime] = {}
    spans = [(f.min_ts, f.max_ts, f) for f in files if f.min_ts and f.max_ts]
    for lo, hi, file in sorted(spans, key=lambda span: span[0]):
        for series in ((file.provider, file.interval, symbol) for symbol in file.symbols):
            if series in last and lo <= last[series]:
                return True
            last[series] = hi
    return False


def _rules(result: LoadResult) -> dict[str, int]:
    rules: dict[str, int] = {}
    for file in result.files:
        for rule, n in file.rejected.items():
            rules[rule] = rules.get(rule, 0) + n
    return dict(sorted(rules.items(), key=lambda item: -item[1]))


def listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    listed = ", ".join(names[:_SHOWN]) or NOTHING
    return f"{len(names):,}: {listed}" + (f" and {more:,} more" if more > 0 else "")
