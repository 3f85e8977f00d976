"""`mdload run`: jobs of mdload.toml, as cron runs them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING

import click

from loader.cli import completion
from loader.cli.context import Context
from loader.cli.job_options import Day, date_option, set_option
from loader.cli.options import click_option, json_option
from loader.settings.load import OPTIONS

if TYPE_CHECKING:
    from loader.jobs.config import JobConfig
    from loader.jobs.result import JobResult
    from loader.jobs.run import JobRequest


class Run(click.Command):
    """A command with a `--wait` that may be followed by a time; anything else after it is a job."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for i, arg in enumerate(args):
            if arg == "--":
                break
            if arg == "--wait":
                timed = i + 1 < len(args) and re.fullmatch(r"[\d.]+(ms|s|m|h|d)?", args[i + 1])
                args[i : i + 2 if timed else i + 1] = [f"--wait={args[i + 1] if timed else ''}"]
        return super().parse_args(ctx, args)


class Wait(click.ParamType[float]):
    """Seconds, or a time such as 10m; an empty text waits for as long as it takes."""

    name = "wait"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        from loader.jobs.config.kinds import DURATION

        if not isinstance(value, str):
            return float(str(value))
        if not value:
            return float("inf")
        try:
            given: float = DURATION.read(f"{value}s" if re.fullmatch(r"[\d.]+", value) else value)
            return given
        except ValueError as error:
            self.fail(str(error) or f"{value!r} is not a time such as 30s, 10m or 1h")


@click.command(cls=Run, epilog="Example: mdload run nightly --since 2024-03-01 --until 2024-03-05")
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=completion.jobs)
@click.option("--all", "every", is_flag=True, help="Run every job of the file, in its order.")
@date_option
@click.option("--since", metavar="DAY", type=Day(), help="First day to load.")
@click.option(
    "--until", metavar="DAY", type=Day(), help="Last day to load (inclusive); else today."
)
@click.option(
    "--wait",
    metavar="[TIME]",
    type=Wait(),
    help="Wait for a job that another run holds: for 10m, or for as long as it takes.",
)
@set_option
@click.option("--test-hooks", is_flag=True,
              help="Run nothing, but call the hooks of the jobs with a result that is a test; exit "
                   "code 6 if one fails.")  # fmt: skip
@click_option(OPTIONS["dry_run"])
@click_option(OPTIONS["force"])
@json_option
@click.pass_obj
def run(
    ctx: Context, jobs: tuple[str, ...], every: bool, day: date | None, since: date | None,
    until: date | None, wait: float | None, given: tuple[tuple[str, str], ...], test_hooks: bool,
    dry_run: bool, force: bool, as_json: bool,
) -> int:  # fmt: skip
    """Run jobs of mdload.toml, one after the other.

    A job runs once at a time: while another process runs it, this one names that process and ends
    with exit code 7, or waits. Errors that can pass are retried. The exit code is the highest of
    all jobs.
    """
    from loader.read import memory

    memory.arrange()
    from loader.cli.store import store
    from loader.cli.views.table import print_json
    from loader.db.conninfo import described
    from loader.errors import Cancelled
    from loader.jobs.config import every_job, job
    from loader.jobs.run import JobInterrupted, JobRequest

    memory.settle()
    if bool(jobs) == every:
        raise click.UsageError("name the jobs to run, or --all of them")
    if (since is None and until) or (since and day):
        raise click.UsageError("--date is one day; --since and --until are the ends of a span")
    if since and until and until < since:
        raise click.UsageError(f"--since {since} is after --until {until}")
    names = dict.fromkeys(jobs or every_job(ctx.config))
    chosen = [job(ctx.config, name, dict(given)) for name in names]
    if test_hooks:
        return _test_hooks(chosen, as_json=as_json)
    request = JobRequest(day, since, until, wait, dry_run, force)
    results = []
    with store(ctx, checked=False, make=True) as url:
        for each in chosen:
            try:
                results.append(_run(ctx, each, url, request))
            except JobInterrupted as stopped:
                results.append(stopped.result)
            with _kept(results):
                _tell(results[-1], described(url), as_json=as_json)
            if results[-1].exit_code == Cancelled.exit_code:
                break
    if as_json:
        with _kept(results):
            objects = [each.as_object() for each in results]
            print_json({"exit_code": _code(results), "jobs": objects})
    return _code(results)


def _test_hooks(jobs: Sequence[JobConfig], *, as_json: bool) -> int:
    """Calls the hooks of each job, and prints what became of them."""
    from loader.cli.views.table import print_json, say, table
    from loader.errors import CheckFailed
    from loader.jobs.hooks import test
    from loader.jobs.result import JobResult
    from loader.results import LoadResult

    found = []
    for job in jobs:
        nothing = JobResult(job.name, 0, LoadResult(None, "success", (), 0, None, False), (), ())
        found += [(job.name, hook, wrong) for hook, wrong in test(job, nothing.as_object())]
    code = CheckFailed.exit_code if any(wrong for *_, wrong in found) else 0
    if as_json:
        told = [{"job": job, "hook": hook, "error": wrong} for job, hook, wrong in found]
        print_json({"exit_code": code, "hooks": told})
    elif not found:
        say("no hooks")
    else:
        table(None, ["job", "hook", "result"], [(j, h, w or "ok") for j, h, w in found])
    return code


def _code(results: Sequence[JobResult]) -> int:
    return max((result.exit_code for result in results), default=0)


def _kept(results: Sequence[JobResult]) -> AbstractContextManager[None]:
    """The jobs are done, whatever becomes of their output."""
    from loader.cli import interrupts
    from loader.cli.views.load import summary

    done = "; ".join(f"job {each.job}: {summary(each.load)}" for each in results)
    return interrupts.kept(_code(results), done)


def _run(ctx: Context, job: JobConfig, url: str, request: JobRequest) -> JobResult:
    from loader.cli import interrupts
    from loader.jobs.hooks import busy
    from loader.jobs.run import run_job
    from loader.listen.progress import listeners

    interrupts.heed()
    interrupts.wait_for(busy)
    with listeners(ctx.verbosity, ctx.log_format) as told:
        return run_job(job, url, request, told)


def _tell(result: JobResult, where: str, *, as_json: bool) -> None:
    from loader.cli.views.load import print_errors, print_load
    from loader.cli.views.table import say
    from loader.listen import log

    if as_json:
        print_errors(result.load)
    else:
        days = sorted({day.isoformat() for day in (*result.days[:1], *result.days[-1:])})
        say(f"job {result.job}, for {' to '.join(days)}")
        if result.load.files or not result.error:
            say()
            print_load(result.load, as_json=False, where=where)
            say()
    if result.error:
        log.error(result.error, result.hint)
