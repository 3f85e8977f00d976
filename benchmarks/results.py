"""Measurements and their environment: the JSON of a run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

Outcome = Literal["right", "wrong", "failed", "timeout"]


@dataclass(frozen=True)
class Run:
    """One process of one contender.

    Attributes:
        seconds: wall time from the start of the process to its end.
        cpu_seconds: user and system time of the client.
        server_cpu_seconds: the same for the server during the run.
        other_cpu_seconds: the same for everything else on the machine: noise.
        peak_bytes: peak resident memory of the client (of its largest process).
        wal_bytes: write-ahead log that the server wrote during the run.
        rows_touched: rows of the table with a changed xmin or xmax.
        outcome: `right` if the table held exactly the expected bars afterwards.
        note: the fault, or the end of the process's output.
    """

    case: str
    contender: str
    round: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    server_cpu_seconds: float | None = None
    other_cpu_seconds: float | None = None
    wal_bytes: int | None = None
    rows_touched: int | None = None
    outcome: Outcome = "right"
    note: str = ""


@dataclass
class Results:
    """A whole run of the harness.

    Attributes:
        environment: machine, versions, settings.
        options: rows, symbols, rounds and the like.
        cases: title and rows of each case, by name, in order.
        contenders: titles by name, in order.
        merging: names of contenders that can meet stored bars.
        missing: the reason why a contender did not run, by name.
    """

    environment: dict[str, Any]
    options: dict[str, Any]
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    contenders: dict[str, str] = field(default_factory=dict)
    merging: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def of(self, case: str, contender: str) -> list[Run]:
        return [r for r in self.runs if (r.case, r.contender) == (case, contender)]

    def median(self, case: str, contender: str, field: str = "seconds") -> float | None:
        """The median of the right runs; None without one, or if any run was wrong."""
        runs = self.of(case, contender)
        values = [getattr(run, field) for run in runs]
        if not runs or any(run.outcome != "right" for run in runs) or None in values:
            return None
        return float(median(values))

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(self), indent=1) + "\n")
        unfinished.rename(path)

    @classmethod
    def read(cls, path: Path) -> Results:
        stored = json.loads(path.read_text())
        return cls(**{**stored, "runs": [Run(**run) for run in stored["runs"]]})
