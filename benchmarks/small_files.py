"""Many files in one command: `mdload backfill` beside other ways to load each of them.

    python -m benchmarks.small_files [--rounds 3]
        [--cases files,files-by-time,files-compared,files-grown,files-provisional,
         files-known,large]
        [--contenders floor,mdload,mdload-2,duckdb,psql,dlt] [--files 1000] [--known 5000]
        [--rows 390] [--large 1000000] [--csv] [--out FOLDER]

`files` loads small files, one for each symbol, into an empty table; `files-by-time` those of a
recorded feed, each with the bars of five symbols. `files-compared` and `files-known` load them once
more: mdload with --force, and without. `files-grown` loads files that had fewer bars when they were
last loaded, as dumps by symbol have each night; of `files-provisional` the last one of these had
another volume, too. `large` loads four files of --large bars into a table that holds a bar already,
so that it keeps its key: the case of two workers. With --csv all files are CSV. Each load is a
process on a server of this run's own, in turns; afterwards the table is compared with the generated
bars.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl
import psycopg

from benchmarks import checks, machine
from benchmarks.cases import base
from benchmarks.checks import Checksum
from benchmarks.contenders import everyone
from benchmarks.contenders.contender import Contender, Job
from benchmarks.data_files import write_csv, write_parquet
from benchmarks.made_bars import Stretch, Universe
from benchmarks.process import measured, run_of, with_others
from benchmarks.processors import spent
from benchmarks.report import goals
from benchmarks.results import Results, Run
from benchmarks.server import Server, running

_LARGE_FILES, _LARGE_SYMBOLS = 4, 125  # symbols in each of them
_FEED_SYMBOLS: Final = 5
_GROWN: Final = 20  # bars that a file did not have before
_PATIENCE: Final = 1800.0


@dataclass(frozen=True)
class Case:
    """A load of `files` files, with `rows` bars each.

    Attributes:
        before: what the table holds: nothing, the files' bars (as mdload loaded them), those but
            the last few of each, also with another volume in the last of these, or a bar of
            another time.
        contenders: the only ones that take part; empty means all that load many files.
        by_time: whether each file has all of a few symbols, and not one of its own.
    """

    name: str
    title: str
    files: int
    rows: int
    before: str = "nothing"
    contenders: tuple[str, ...] = ()
    by_time: bool = False

    @property
    def stretch(self) -> Stretch:
        if self.by_time:
            return replace(base(Universe(self.files * self.rows, _FEED_SYMBOLS)), by_time=True)
        symbols = self.files * (_LARGE_SYMBOLS if self.before == "a bar" else 1)
        return base(Universe(self.files * self.rows, symbols))

    @property
    def other(self) -> Stretch:
        universe = self.stretch.universe
        return Stretch(replace(universe, rows=1), universe.bars, universe.bars + 1)


def cases(files: int, known: int, rows: int, large: int) -> dict[str, Case]:
    """All cases by name: with `files` files to load and `known` files to recognise, each of `rows`
    bars, and with large files of `large` bars."""
    small = f"files of {rows:,} bars"
    every = (
        Case("files", f"{files:,} {small}, into an empty table", files, rows),
        Case("files-by-time", f"{files:,} {small} of {_FEED_SYMBOLS} symbols, into an empty table",
             files, rows, contenders=("floor", "mdload", "mdload-2"), by_time=True),
        Case("files-compared", f"{files:,} {small}, once more, compared", files, rows,
             "the bars", ("mdload",)),
        Case("files-grown", f"{files:,} {small}, of which {_GROWN} are new", files, rows,
             "fewer bars", ("mdload-known",)),
        Case("files-provisional", f"{files:,} {small}, of which {_GROWN} are new and one restated",
             files, rows, "provisional bars", ("mdload-known",)),
        Case("files-known", f"{known:,} {small}, once more, recognised", known, rows,
             "the bars", ("mdload-known",)),
        Case("large", f"{_LARGE_FILES} files of {large:,} bars, into a table with its key",
             _LARGE_FILES, large, "a bar", ("mdload", "mdload-2")),
    )  # fmt: skip
    return {case.name: case for case in every}


class Loads:
    """Runs cases on `server`; the files are made in `folder`, as CSV or as the contender likes."""

    def __init__(
        self, server: Server, folder: Path, options: dict[str, int], *, csv: bool = False
    ) -> None:
        self._server = server
        self._folder = folder
        self._csv = csv
        self._expected: dict[Stretch, Checksum] = {}
        server.make("oracle")
        environment = {**machine.described(), "server": server.settings()}
        self.results = Results(environment, {**options, "universe": asdict(Universe(1))})

    def one(self, case: Case, contender: Contender, round: int) -> Run:
        """One load, checked."""
        files = self._made(case, "csv" if self._csv else contender.formats[0])
        with tempfile.TemporaryDirectory(dir=self._folder) as directory:
            url = self._server.make("run")
            job = Job(url, files[0], Path(directory), files[1:])
            self._prepare(case, contender, job)
            with psycopg.connect(url, autocommit=True) as connection:
                before = checks.mark(connection)
            idle = spent(self._server.pid)
            assert contender.many
            used, said = measured(
                contender.many(job), contender.environment(job), job.directory, _PATIENCE
            )
            run = with_others(
                run_of(case.name, contender.name, round, used), idle, spent(self._server.pid)
            )
        if run.outcome != "right":
            return replace(run, note=said)
        with psycopg.connect(url, autocommit=True) as connection:
            wal = checks.wal_bytes(connection, before)
            found = checks.checksum(connection, contender.table)
        wrong = found != self._wanted(case)
        note = f"{found.rows:,} rows, or others than expected" if wrong else ""
        return replace(run, wal_bytes=wal, outcome="wrong" if wrong else "right", note=note)

    def _prepare(self, case: Case, contender: Contender, job: Job) -> None:
        if case.before == "a bar":
            with psycopg.connect(job.url) as connection:
                for frame in case.other.frames():
                    checks.copy_text(connection, "bars_ohlcv", frame)
        if case.before in ("the bars", "fewer bars", "provisional bars"):
            first = everyone()["mdload-known"].many
            assert first
            paths = () if case.before == "the bars" else job.files
            whole = {path: path.read_bytes() for path in paths}
            for path in whole:
                _shorten(path, volume=1 if case.before == "provisional bars" else None)
            subprocess.run(first(job), check=True, capture_output=True)
            for path, content in whole.items():
                path.write_bytes(content)
        elif contender.prepare and not contender.name.startswith("mdload"):
            contender.prepare(job.url, None, job.directory)

    def _wanted(self, case: Case) -> Checksum:
        stretches = [case.stretch, *([case.other] if case.before == "a bar" else [])]
        for stretch in stretches:
            if stretch not in self._expected:
                with psycopg.connect(self._server.database("oracle"), autocommit=True) as oracle:
                    self._expected[stretch] = checks.expected(oracle, [stretch])
        return sum((self._expected[stretch] for stretch in stretches), Checksum(0, 0))

    def _made(self, case: Case, format: str) -> tuple[Path, ...]:
        """The files of a case, written if they are not there."""
        kind = "by-time" if case.by_time else "each"
        folder = self._folder / f"{case.files}x{case.rows}-{kind}-{format}"
        if not folder.exists():
            folder.mkdir()
            for number, bars in enumerate(_pieces(case.stretch, case.rows)):
                name = bars["symbol"][0] if bars["symbol"].n_unique() == 1 else "bars"
                path = folder / f"{name}-{number:05}.{format}"
                (write_parquet if format == "parquet" else write_csv)([bars], path)
        return tuple(sorted(folder.iterdir()))


def _pieces(stretch: Stretch, rows: int) -> Iterator[pl.DataFrame]:
    """The bars of a stretch, `rows` at a time."""
    kept = pl.DataFrame()
    for frame in stretch.frames():
        kept = pl.concat([kept, frame]) if kept.height else frame
        whole = kept.height // rows * rows
        yield from kept[:whole].iter_slices(rows)
        kept = kept[whole:]


def _shorten(path: Path, volume: int | None) -> None:
    """Takes the last bars of a file away; the one before them gets the volume, if there is one."""
    is_text = path.suffix == ".csv"
    whole = pl.read_csv(path, infer_schema=False) if is_text else pl.read_parquet(path)
    few = whole[:-_GROWN]
    if volume is not None:
        is_last = pl.int_range(pl.len()) == few.height - 1
        other = pl.lit(volume).cast(few.schema["volume"])
        few = few.with_columns(volume=pl.when(is_last).then(other).otherwise("volume"))
    if is_text:
        few.write_csv(path)
    else:
        write_parquet([few], path)


def table(results: Results) -> str:
    """Milliseconds for each file: by the clock, of the client's processors and of the server's."""
    lines = []
    for name, case in results.cases.items():
        lines += ["", f"`{name}`: {case['title']}", "",
                  "| | ms a file | client CPU | server CPU | peak MB |",
                  "|---|--:|--:|--:|--:|"]  # fmt: skip
        for contender, title in results.contenders.items():
            if not (runs := results.of(name, contender)):
                continue
            bad = [run for run in runs if run.outcome != "right"]
            fields = ("seconds", "cpu_seconds", "server_cpu_seconds")
            found = [results.median(name, contender, field) for field in fields]
            cells = ["" if f is None else f"{f * 1e3 / case['files']:.2f}" for f in found]
            peak = results.median(name, contender, "peak_bytes")
            cells.append("" if peak is None else f"{peak / 1e6:.0f}")
            if bad:
                cells[0] = f"**{bad[0].outcome}**: {bad[0].note}"
            lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines[1:])


def main() -> None:
    names = list(cases(1, 1, 1, 1))
    several = {name: each for name, each in everyone().items() if each.many}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=_some(names), default=names)
    parser.add_argument("--contenders", type=_some(list(several)), default=list(several))
    for option, default in (("files", 1_000), ("known", 5_000), ("rows", 390),
                            ("large", 1_000_000), ("rounds", 3)):  # fmt: skip
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--csv", action="store_true", help="all files are CSV")
    parser.add_argument("--out", type=Path, help="folder for results.json")
    asked = parser.parse_args()
    if asked.large % _LARGE_SYMBOLS:
        parser.error(f"--large is a multiple of {_LARGE_SYMBOLS}")
    chosen = cases(asked.files, asked.known, asked.rows, asked.large)
    with tempfile.TemporaryDirectory() as folder, running() as server:
        loads = Loads(server, Path(folder), {"rounds": asked.rounds}, csv=asked.csv)
        for case in (chosen[name] for name in asked.cases):
            taking_part = [
                several[name]
                for name in asked.contenders
                if not case.contenders or name in case.contenders
            ]
            _case(loads, case, taking_part, asked.rounds)
        print(table(loads.results), goals(loads.results), sep="\n\n")
        if asked.out:
            loads.results.write(asked.out / "results.json")
    if any(run.outcome != "right" for run in loads.results.runs):
        raise SystemExit(1)


def _case(loads: Loads, case: Case, contenders: Sequence[Contender], rounds: int) -> None:
    results = loads.results
    results.cases[case.name] = {"title": case.title, "rows": case.rows, "files": case.files}
    for round in range(1, rounds + 1):
        for contender in contenders:
            results.contenders[contender.name] = contender.many_title
            if reason := contender.missing():
                results.missing[contender.name] = reason
            elif case.contenders or not contender.cases or case.name in contender.cases:
                results.runs.append(loads.one(case, contender, round))


def _some(names: list[str]) -> Callable[[str], list[str]]:
    def chosen(text: str) -> list[str]:
        if wrong := [name for name in text.split(",") if name not in names]:
            raise argparse.ArgumentTypeError(f"{wrong[0]!r} must be one of {', '.join(names)}")
        return text.split(",")

    return chosen


if __name__ == "__main__":
    main()
