"""Runs the contenders in turns: restore, checkpoint, run one process, check the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import checks, data_files, machine
from benchmarks.cases import CASES, HELP, Case, base
from benchmarks.contenders.contender import Contender, Job
from benchmarks.made_bars import Universe
from benchmarks.process import measured, run_of, with_others
from benchmarks.processors import spent
from benchmarks.results import Results, Run
from benchmarks.server import Server
from benchmarks.templates import Templates

_WARM_UP = 2000  # rows


@dataclass(frozen=True)
class Options:
    """`budget`: seconds per case after which a contender gets no further round; it always has one.
    `patience`: seconds after which a process is killed. `files`: the folder of the data."""

    universe: Universe
    rounds: int
    budget: float
    patience: float
    files: Path


class Harness:
    """Runs cases against one server, and calls `said` after every run.

    Attributes:
        results: the results so far; complete when `run` returns.
    """

    def __init__(self, server: Server, options: Options, said: Callable[[Results], None]) -> None:
        self.options = options
        self.said = said
        self.templates = Templates(server, options.universe, options.files)
        environment = {**machine.described(), "server": server.settings()}
        told = {**asdict(options), "files": None}
        self.results = Results(environment, told)

    def run(self, cases: Sequence[str], contenders: Sequence[Contender]) -> None:
        able = [contender for contender in contenders if self._is_able(contender)]
        for name in cases:
            if name == HELP:
                self._help(able)
            else:
                self._case(CASES[name], able)

    def _is_able(self, contender: Contender) -> bool:
        """Whether it is installed and loads a tiny file, which also warms the caches."""
        self.results.contenders[contender.name] = contender.title
        if contender.merges:
            self.results.merging.append(contender.name)
        reason = contender.missing()
        if reason is None:
            tiny = replace(self.options.universe, rows=_WARM_UP)
            file = data_files.made(base(tiny), contender.formats[0], self.options.files)
            url, directory = self.templates.run(contender, full=False)
            used, said = self._process(contender, Job(url, file, directory))
            reason = None if used["code"] == 0 else f"does not run: {said}"
        if reason:
            self.results.missing[contender.name] = reason
            self.said(self.results)
        return reason is None

    def _case(self, case: Case, contenders: Sequence[Contender]) -> None:
        rows = case.source(self.options.universe).rows
        self.results.cases[case.name] = {"title": case.title, "rows": rows, "full": case.full}
        taking_part = [c for c in contenders if c.takes_part_in(case)]
        for round in range(1, self.options.rounds + 1):
            for contender in taking_part:
                spent = sum(run.seconds for run in self.results.of(case.name, contender.name))
                if round == 1 or spent < self.options.budget:
                    self.results.runs.append(self._one(case, contender, round))
                    self.said(self.results)

    def _one(self, case: Case, contender: Contender, round: int) -> Run:
        format = case.format if case.format in contender.formats else contender.formats[0]
        source = case.source(self.options.universe)
        file = data_files.made(source, format, self.options.files)
        url, directory = self.templates.run(contender, full=case.full)
        with psycopg.connect(url, autocommit=True) as connection:
            before = checks.mark(connection)
        idle = spent(self.templates.server.pid)
        used, said = self._process(contender, Job(url, file, directory))
        run = run_of(case.name, contender.name, round, used)
        run = with_others(run, idle, spent(self.templates.server.pid))
        with psycopg.connect(url, autocommit=True) as connection:
            run = replace(run, wal_bytes=checks.wal_bytes(connection, before))
            if run.outcome != "right":
                return replace(run, note=said)
            touched = checks.touched(connection, contender.table, before)
            found = checks.checksum(connection, contender.table)
        wanted = self.templates.expected(case.after(self.options.universe))
        if found != wanted:
            note = f"{found.rows:,} rows and {wanted.rows:,} expected"
            run = replace(run, outcome="wrong", note=note)
        return replace(run, rows_touched=touched)

    def _help(self, contenders: Sequence[Contender]) -> None:
        self.results.cases[HELP] = {"title": "mdload --help", "rows": 0, "full": False}
        for round in range(1, self.options.rounds + 1):
            for contender in contenders:
                if contender.help:
                    used, _ = measured(
                        contender.help, {}, self.options.files, self.options.patience
                    )
                    self.results.runs.append(run_of(HELP, contender.name, round, used))
                    self.said(self.results)

    def _process(self, contender: Contender, job: Job) -> tuple[dict[str, Any], str]:
        command, environment = contender.command(job), contender.environment(job)
        return measured(command, environment, job.directory, self.options.patience)
