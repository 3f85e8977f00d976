"""The output of `job-runs inspect`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

from loader.cli.views.job_runs import columns, silence
from loader.cli.views.load import print_counts
from loader.cli.views.past import show_loads
from loader.cli.views.table import Column, details, print_json, say, table
from loader.results import Counts
from loader.results.history import History
from loader.store.runs import JobRun, JobRunFile
from loader.text import alike, bytes_, counted, duration, number, span

_FINDINGS = 8
#: Metadata that has a place of its own.
_ELSEWHERE = ("last_heartbeat", "findings")
_COUNTS = ("inserted", "updated", "unchanged", "duplicate", "skipped", "rejected")


def show_run(
    run: JobRun,
    files: Sequence[JobRunFile],
    other_rejects: Mapping[str, int],
    as_json: bool,
    loads: Sequence[Mapping[str, Any]] = (),
    undone_by: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Prints a run; `other_rejects` counts rejected rows that were not in a file, by rule. `loads`
    are its rows of `bars_loads`, `undone_by` the runs that rolled it back."""
    rejected = Counter(other_rejects)
    for file in files:
        rejected.update(file.rejected)
    if as_json:
        print_json(
            columns(run)
            | {"files": files, "rejected": dict(rejected.most_common())}
            | {"loads": loads, "rolled_back_by": undone_by}
        )
        return
    details(
        f"Run {run.id}: {run.job_name}, {run.status}"
        + ("" if run.elapsed_ms is None else f" in {duration(run.elapsed_ms)}"),
        {
            "error": run.error_message,
            "provider": _some(run.providers),
            "dataset": run.dataset_name,
            "mode": run.mode,
            "symbols": _some(run.symbols or []),
            "bars": span(run.min_ts, run.max_ts) if run.min_ts else None,
            "mdload": run.pipeline_version,
            "configuration": run.config_fingerprint and run.config_fingerprint[:12],
            **{k: _said(v) for k, v in run.metadata.items() if k not in _ELSEWHERE},
        },
    )
    for finding in run.metadata.get("findings", ()):  # of a plan
        say(str(finding))
    say()
    counts = Counts(run.rows_read, *_counts(run))
    print_counts("Rows", [], [astuple(counts)], counts)
    if rejected:
        say()
        several = run.rows_failed < sum(rejected.values())
        table(
            "Rejected rows by rule" + (", of which a row can break several" if several else ""),
            ["rule", Column("rows", "number")],
            rejected.most_common(),
        )
    if files:
        say()
        _show_files(files)
    if loads or undone_by:
        say()
        show_loads(loads, undone_by)
    say()
    _show_course(run, files)


def _show_files(files: Sequence[JobRunFile]) -> None:
    table(
        counted(len(files), "file"),
        [
            Column("file", "path"),
            Column("state", "status"),
            Column("size", "number", spare=2),
            Column("took", "number", spare=1),
            Column("read", "number"),
            *(
                Column(name, "number", spare=spare)
                for name, spare in zip(_COUNTS, (0, 0, 3, 5, 6, 0), strict=True)
            ),
            Column("bars", "time", spare=7),
        ],
        [
            [
                file.path, file.state, bytes_(file.size_bytes), _file_took(file),
                file.rows_read, *_counts(file), span(file.min_ts, file.max_ts),
            ]
            for file in files
        ],
    )  # fmt: skip
    _show_history(files)
    said: dict[str, list[tuple[str, str]]] = {}
    for file in files:
        for word in filter(None, (file.error_message, *file.notes)):
            sentence = word.removeprefix(f"{file.path}: ")
            said.setdefault(alike(sentence), []).append((file.path, sentence))
    for (path, sentence), *more in said.values():
        others = f" and {counted(len(more), 'other')} likewise" if more else ""
        say(f"{path}{others}: {sentence}")


def _show_history(files: Sequence[JobRunFile]) -> None:
    """What the files did to stored bars, or would have done; findings are among their notes, except
    for those that refused a file, of which its error has the first."""
    for file in files:
        history = History(
            file.bars_changed, file.bars_inserted_between, file.bars_gone, file.bars_deleted
        )
        if told := str(history):
            refused = " had it been loaded:" if file.state == "refused" else ""
            say(f"{file.path}:{refused} {told}")
        others = [each for each in file.findings if each["action"] == "refused"][1:]
        for each in others[:_FINDINGS]:
            say(f"{file.path}: {each['text']}")
        if len(others) > _FINDINGS:
            say(f"{file.path}: {len(others) - _FINDINGS:,} more findings: see --json")


def _show_course(run: JobRun, files: Sequence[JobRunFile]) -> None:
    """Times of the start, the first and last file, the last heartbeat and the end."""
    course = [(run.started_at, "started")]
    if files:
        course.append((files[0].started_at, f"first file: {files[0].path}"))
        ended = [file for file in files if file.completed_at]
        last = max(ended, key=lambda file: file.completed_at or file.started_at, default=None)
        if last and last.completed_at:
            course.append((last.completed_at, f"last file {last.state}: {last.path}"))
    if run.last_heartbeat:
        course.append((run.last_heartbeat, "last heartbeat"))
    if run.completed_at:
        course.append((run.completed_at, f"ended: {run.status}"))
    else:
        course.append((run.as_of, f"still running, last heartbeat {silence(run)} ago"))
    course.sort(key=lambda entry: entry[0])
    table(
        "Timeline",
        [Column("time", "time"), Column("after", "number"), "what"],
        [[at, duration((at - run.started_at).total_seconds() * 1000), what] for at, what in course],
    )


def _counts(row: JobRun | JobRunFile) -> list[int]:
    return [
        row.rows_inserted, row.rows_updated, row.rows_unchanged,
        row.rows_duplicate, row.rows_skipped, row.rows_failed,
    ]  # fmt: skip


def _file_took(file: JobRunFile) -> str:
    if file.completed_at is None:
        return duration(None)
    return duration((file.completed_at - file.started_at).total_seconds() * 1000)


def _said(value: object) -> str | None:
    """A value of the metadata."""
    if isinstance(value, list):
        return _some([str(item) for item in value])
    return str(value)


def _some(names: Sequence[str]) -> str | None:
    """The first few, and the number of the others."""
    if not names:
        return None
    more = f" and {number(len(names) - 8)} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more
