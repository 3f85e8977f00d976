"""The first page: figures, how fresh the data is, and what needs a hand."""

from __future__ import annotations

from typing import Final, Literal

from loader.lazy import dataclass
from loader.survey.report.coverage import Covered
from loader.survey.report.rejects import Rejects
from loader.survey.report.runs import Runs
from loader.survey.report.vintages import Vintages
from loader.text import counted, duration

Level = Literal["bad", "warn"]
#: Lines of one kind that are listed one by one.
_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class Hand:
    """Something that needs a hand: how bad it is, one sentence, the command that shows more, and
    the page of the report with the details."""

    level: Level
    text: str
    command: str
    page: str


@dataclass(frozen=True, slots=True)
class Overview:
    """
    Attributes:
        series, bars, providers: how many are stored.
        first, last: bar of all.
        complete: the share of expected bars that is stored, and of those waived; None without a
            calendar.
        lagging: how many series end before the last expected bar; None without a calendar.
        runs, failed, stuck: runs of the report's time, and the newest runs of jobs that failed.
        changed: bars changed or taken away; `rejected` rows; `findings` of the guard.
        hands: what needs a hand, the worst first.
    """

    series: int
    bars: int
    providers: int
    first: object
    last: object
    complete: float | None
    lagging: int | None
    runs: int
    failed: int
    stuck: int
    changed: int
    rejected: int
    findings: int
    hands: list[Hand]


def overview(covered: Covered, runs: Runs, changed: Vintages, rejected: Rejects) -> Overview:
    series = covered.series
    expected = sum(row["expected"] or 0 for row in series)
    missing = sum(row["missing"] or 0 for row in series)
    known = covered.calendar is not None
    outcomes = [run["outcome"] for run in runs.runs]
    return Overview(
        series=len(series),
        bars=sum(row["bars"] or 0 for row in series),
        providers=len({row["provider"] for row in series}),
        first=min((row["first"] for row in series), default=None),
        last=max((row["last"] for row in series), default=None),
        complete=1 - missing / expected if expected else None,
        lagging=sum((row["behind"] or 0) > 0 for row in series) if known else None,
        runs=runs.total,
        failed=outcomes.count("failure"),
        stuck=outcomes.count("stuck"),
        changed=changed.total,
        rejected=rejected.rows,
        findings=runs.findings_total,
        hands=[*_bad(runs), *_warnings(covered, runs, rejected)],
    )


def _bad(runs: Runs) -> list[Hand]:
    hands = [
        Hand("bad", f"run {run['id']} of {run['job_name']} is stuck: no sign of life for "
             f"{duration(run['silent_ms'])}", "mdload job-runs stuck", "runs")
        for run in runs.runs if run["outcome"] == "stuck"
    ]  # fmt: skip
    hands += [
        Hand("bad", f"the last run of {job['job_name']} failed",
             f"mdload job-runs inspect {job['last_run']}", "runs")
        for job in runs.jobs if job["last_outcome"] == "failure"
    ]  # fmt: skip
    refused = [file for file in runs.files if file["state"] == "refused"]
    refused.sort(key=lambda file: -file["id"])
    hands += [
        Hand("bad", f"{file['path']} was refused: {file['error_message'] or 'see its run'}",
             f"mdload job-runs inspect {file['run_id']}", "runs")
        for file in refused[:_LINES]
    ]  # fmt: skip
    if len(refused) > _LINES:
        hands.append(Hand("bad", f"{counted(len(refused) - _LINES, 'more file')} refused",
                          "mdload job-runs list", "runs"))  # fmt: skip
    return hands


def _warnings(covered: Covered, runs: Runs, rejected: Rejects) -> list[Hand]:
    hands = []
    for group in covered.groups:
        which = f"--provider {group['provider']} --interval {group['interval']}"
        gaps = f"mdload gaps --calendar {covered.calendar} {which}"
        name = f"{group['provider']} {group['interval']}"
        if group["missing"]:
            hands.append(Hand("warn", f"{name}: {counted(group['missing'], 'bar')} missing",
                              gaps, "coverage"))  # fmt: skip
        if group["lagging"]:
            hands.append(
                Hand("warn", f"{name}: {group['lagging']:,} of {group['series']:,} series end "
                     "before the last expected bar", f"{gaps} --until 0d", "coverage")
            )  # fmt: skip
    noted = [f for f in runs.findings if f["action"] == "noted"]
    if noted:
        hands.append(Hand("warn", f"the guard noted {counted(len(noted), 'finding')}",
                          f"mdload job-runs inspect {noted[0]['run_id']}", "vintages"))  # fmt: skip
    if rejected.rows:
        hands.append(Hand("warn", f"{counted(rejected.rows, 'row')} rejected",
                          "mdload rejects list", "rejects"))  # fmt: skip
    return hands
