"""The output of a load: a table for people, one object for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, fields
from datetime import datetime

from loader.check.reasons import FILE_REFUSED
from loader.cli.views.table import Column, labelled, print_json, say, table
from loader.listen import log
from loader.results import Counts, FileResult, LoadResult, as_object
from loader.results.history import History
from loader.text import NOTHING, bytes_, counted, duration, span

#: Names in a list that is there to be read.
_SHOWN = 8
#: Of more files than this, those that are alike share a line.
_MANY = 20
#: Counts that a narrow terminal leaves out of the table where they are 0, the last ones first; and
#: others that give way only if need be.
_ZEROS = ("rejected", "unchanged", "duplicate", "updated", "skipped")
_OTHERS = ("rejected", "updated", "unchanged", "duplicate", "skipped")


def print_load(
    result: LoadResult,
    *,
    as_json: bool,
    more: Mapping[str, object] | None = None,
    plan: str | None = None,
    where: str | None = None,
) -> None:
    """Prints the counts of a load on stdout and the errors of its files on stderr; `more` is added
    to the object; `plan` is the file that a dry run's plan went to, `where` the database."""
    if as_json:
        made = {"plan": plan if not result.exit_code else None} if plan is not None else {}
        print_json({**as_object(result), **(more or {}), **made})
        print_errors(result)
        return
    _print_counts(result)
    say()
    labelled(_facts(result, where))
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
    rows = [(name, state, *astuple(counts)) for name, state, counts in _lines(result.files)]
    if len(result.files) != 1:
        name = "all files" if rows else "no files"
        rows.append((name, result.status, *astuple(result.counts)))
    heads = [Column("file", "path"), Column("state", "status")]
    title = "Dry run: nothing was written" if result.dry_run else None
    print_counts(title, heads, rows, result.counts)


def print_counts(
    title: str | None, heads: Sequence[Column], rows: Sequence[Sequence[object]], total: Counts
) -> None:
    """Prints a table with `heads` and the fields of `Counts`. A narrow terminal leaves out those
    that are 0 in `total` first; a line under the table has what is left out."""
    columns = [*heads]
    for name in (field.name for field in fields(Counts)):
        order = _ZEROS if getattr(total, name) == 0 else _OTHERS
        spare = order.index(name) + 1 if name in order else 0
        columns.append(Column(name, "number", spare if order is _ZEROS else -spare))
    missing = table(title, columns, rows, name_missing=False)
    counts = asdict(total)
    if zero := [name for name in missing if not counts[name]]:
        say(f"{', '.join(zero)}: 0")
    if more := [f"{name} {counts[name]:,}" for name in missing if counts[name]]:
        say(f"no room for: {', '.join(more)}")


def _lines(files: Sequence[FileResult]) -> Iterator[tuple[str, str, Counts]]:
    """Name, state and counts of each file; of many files, those that are alike are one line."""
    if len(files) <= _MANY:
        yield from ((file.path, file.state, file.counts) for file in files)
        return
    alike: dict[tuple[str, str | None], list[FileResult]] = {}
    for n, file in enumerate(files):
        odd = None if _is_plain(file) else file.fault or file.error or f"{n}"
        alike.setdefault((file.state, odd), []).append(file)
    several = [group for group in alike.values() if len(group) > 1]
    single = [group[0] for group in alike.values() if len(group) == 1]
    for group in several:
        yield f"{len(group):,} files", group[0].state, _sum(group)
    yield from ((file.path, file.state, file.counts) for file in single[:_MANY])
    rest: dict[str, list[FileResult]] = {}
    for file in single[_MANY:]:
        rest.setdefault(file.state, []).append(file)
    for state, group in rest.items():
        yield counted(len(group), "other file"), state, _sum(group)


def _sum(files: Iterable[FileResult]) -> Counts:
    return Counts.total(file.counts for file in files)


def _is_plain(file: FileResult) -> bool:
    """Whether nothing about a loaded file needs a look."""
    counts = file.counts
    odd = counts.rejected or counts.duplicate or counts.skipped or counts.updated
    return file.state in ("loaded", "known") and not (odd or file.conflicting or file.findings)


def _facts(result: LoadResult, where: str | None) -> list[tuple[str, str]]:
    seconds = max(result.elapsed_ms, 1) / 1000
    read = result.counts.read
    facts = [("stored", told)] if where and (told := _stored(result, where)) else []
    if result.min_ts is not None:
        facts.append(("span", span(result.min_ts, result.max_ts)))
    if result.symbols:
        facts.append(("symbols", listed(result.symbols)))
    speed = f" ({read / seconds:,.0f} rows/s)" if read else ""
    facts.append(("time", f"{duration(result.elapsed_ms)}{speed}"))
    if result.wal_bytes is not None:
        facts.append(("WAL", bytes_(result.wal_bytes)))
    facts += _chunks(result)
    again = len(result.files) - len({(file.path, file.content_hash) for file in result.files})
    if again:
        facts.append(("again", f"{counted(again, 'load')}, because the last file counts"))
    if result.run_id is not None:
        of = f" (shard {result.shard})" if result.shard else ""
        facts.append(("run", f"{result.run_id}{of}"))
    facts += _history(result)
    if rules := _rules(result):
        refused = result.counts.rejected
        several = "" if sum(rules.values()) <= refused else (
            ", some of which break several rules" if refused > 1 else ", which breaks several rules"
        )  # fmt: skip
        broken = ", ".join(f"{rule}\xa0{n:,}" for rule, n in rules.items())
        facts.append(("rejected", f"{counted(refused, 'row')}{several}: {broken}"))
    conflicting = sum(f.conflicting for f in result.files)
    if conflicting:
        rows = "1 row repeats" if conflicting == 1 else f"{conflicting:,} rows repeat"
        facts.append(
            ("conflicts", f"{rows} a key with other values; the last row of each key was kept:")
        )
        shown = [c for f in result.files for c in f.conflicts][:_SHOWN]
        facts.extend(("", line) for line in shown)
    return facts


def _history(result: LoadResult) -> list[tuple[str, str]]:
    """What the load did to stored bars; and of files that were refused, what they would have."""
    refused = [file for file in result.files if file.state == "refused"]
    would = sum((file.history for file in refused), History())
    done = sum((file.history for file in result.files if file.state != "refused"), History())
    which = "it" if len(result.files) == 1 else "what was refused"
    lines = [str(done)] if str(done) else []
    lines += [f"had {which} been loaded: {would}"] if str(would) else []
    return [("" if place else "history", text) for place, text in enumerate(lines)]


def _stored(result: LoadResult, where: str) -> str:
    """Where the bars are, and under which key; empty if there are none."""
    counts = result.counts
    if result.run_id is None or not counts.written + counts.unchanged:
        return ""
    done = [file for file in result.files if file.symbols]
    key = ", ".join(
        f"{name} {only}" if only is not None else f"several {name}s"
        for name, values in (
            ("provider", {file.provider for file in done}),
            ("interval", {file.interval for file in done}),
        )
        for only in [next(iter(values)) if len(values) == 1 else None]
    )
    if result.tenant is not None:
        return f"in {result.dataset} of the tenant {result.tenant}, {where}"
    return f"in bars_ohlcv, {where}, under {key}"


def _chunks(result: LoadResult) -> list[tuple[str, str]]:
    """The number of compressed chunks that the load wrote to, and whether it recompressed them."""
    if not result.chunks:
        return []
    rows = sum(chunk.rows for chunk in result.chunks)
    done = sum(chunk.recompressed for chunk in result.chunks)
    what = f"wrote {rows:,} rows into {counted(len(result.chunks), 'compressed chunk')}"
    again = f"{done} compressed again" if done else "to compress them: mdload timescale recompress"
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
        elif not result.counts.read:
            load = "Nothing would be loaded: no row was read."
        elif not failed and _only_rejects(result.counts):
            load = "Nothing would be loaded: every row would be rejected."
        elif failed:
            load = f"{counted(failed, 'file')} would not be loaded: see below. The others would, "
            load += "by the same command without --dry-run."
        return ["", *(shared if _overlap(result.files) else []), load]
    steps = [f"mdload job-runs inspect {result.run_id}"]
    if _rules(result).keys() - {FILE_REFUSED}:  # rows of a file that was refused whole are not kept
        show = f"mdload rejects show {result.run_id}"
        steps.append(show if result.tenant is None else f"{show} --tenant {result.tenant}")
    return ["", "next: " + ";  ".join(steps)]


def _only_rejects(counts: Counts) -> bool:
    return 0 < counts.rejected == counts.read - counts.skipped


def print_errors(result: LoadResult) -> None:
    """Prints the errors of files on stderr; equal faults once, with the number of files."""
    if log.speaks_json():  # which heard of each error as its file ended
        return
    alike: dict[tuple[str, str | None], list[str]] = {}
    for file in result.files:
        if file.error:
            alike.setdefault((file.fault or file.error, file.hint), []).append(file.error)
    for (_, hint), (error, *others) in [*alike.items()][:_MANY]:
        more = f" (and {counted(len(others), 'other file')} likewise)" if others else ""
        log.error(error + more, hint)
    if (left := len(alike) - _MANY) > 0:
        run = "--json" if result.run_id is None else f"mdload job-runs inspect {result.run_id}"
        log.error(f"and {counted(left, 'other error')}", f"{run} has them all")


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
