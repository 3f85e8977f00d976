"""The commands of the harness."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import click

from benchmarks import checking, data_files, dialects, plot, readme, store
from benchmarks.cases import CASES, HELP, base
from benchmarks.contenders import everyone
from benchmarks.harness import Harness, Options
from benchmarks.made_bars import SYMBOLS, Universe
from benchmarks.report import markdown
from benchmarks.results import Results
from benchmarks.server import running

Command = TypeVar("Command", bound=Callable[..., object])

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_RESULTS = "results.json"
_SIZES = tuple(map(str, store.SIZES))


def _names(known: tuple[str, ...]) -> click.ParamType:
    class Names(click.ParamType):
        name = "names"

        def convert(
            self, value: object, param: click.Parameter | None, ctx: click.Context | None
        ) -> list[str]:
            if isinstance(value, list):
                return value
            asked = [name for name in str(value).split(",") if name]
            for name in asked:
                if name not in known:
                    self.fail(f"{name!r} is none of {', '.join(known)}", param, ctx)
            return asked

    return Names()


@click.group(help=__doc__)
def main() -> None:
    pass


_universe_options = (
    click.option("--rows", default=2_000_000, show_default=True, type=click.IntRange(1)),
    click.option("--symbols", default=SYMBOLS, show_default=True, type=click.IntRange(1)),
    click.option("--seed", default=1, show_default=True),
)


def _of_a_universe(command: Command) -> Command:
    for option in reversed(_universe_options):
        command = option(command)
    return command


@main.command()
@_of_a_universe
@click.option("--format", "formats", type=click.Choice(["parquet", "csv"]), multiple=True,
              default=["parquet"], show_default=True)  # fmt: skip
@click.option("--out", type=_DIRECTORY, default=Path(), help="Folder for the files.")
def generate(rows: int, symbols: int, seed: int, formats: tuple[str, ...], out: Path) -> None:
    """Write made minute bars to a file; the same numbers give the same bars."""
    for format in formats:
        click.echo(data_files.made(base(Universe(rows, symbols, seed)), format, out))


@main.command()
@_of_a_universe
@click.option("--cases", type=_names((*CASES, HELP)), default=[*CASES, HELP],
              help=f"Some of {', '.join((*CASES, HELP))}; all by default.")  # fmt: skip
@click.option("--contenders", type=_names(tuple(everyone())), default=list(everyone()),
              help=f"Some of {', '.join(everyone())}; all by default.")  # fmt: skip
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--budget", default=120.0, show_default=True,
              help="Seconds of a case after which a contender gets no further round.")  # fmt: skip
@click.option("--timeout", "patience", default=1800.0, show_default=True,
              help="Seconds after which a run is ended.")  # fmt: skip
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True,
              help="A setting of the server.")  # fmt: skip
@click.option(
    "--timescale",
    is_flag=True,
    help="Bars in a hypertable, compressed where stored; MDLOAD_PG_BIN has TimescaleDB.",
)
@click.option("--data", type=_DIRECTORY, help="Keep the files there, for the next time.")
@click.option("--home", type=_DIRECTORY, help="Where the server's data is while it runs.")
@click.option("--out", type=_DIRECTORY, default=Path("benchmarks/results"), show_default=True)
def run(
    rows: int, symbols: int, seed: int, cases: list[str], contenders: list[str], rounds: int,
    budget: float, patience: float, settings: tuple[str, ...], timescale: bool, data: Path | None,
    home: Path | None, out: Path,
) -> None:  # fmt: skip
    """Run the contenders in turns on a server of their own, and write the report."""
    chosen = dict(setting.split("=", 1) for setting in settings)
    with ExitStack() as stack:
        files = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mdload-")))
        server = stack.enter_context(running(home, chosen, timescale=timescale))
        options = Options(Universe(rows, symbols, seed), rounds, budget, patience, files.absolute())
        harness = Harness(server, options, lambda results: _keep(results, out))
        harness.run(cases, [everyone()[name] for name in contenders])
        _write(harness.results, out)


@main.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
def report(directory: Path) -> None:
    """Write the report and the picture of a run again, from its JSON."""
    _write(Results.read(directory / _RESULTS), directory)


@main.command("readme")
@click.argument("directories", nargs=-1, required=True,
                type=click.Path(exists=True, file_okay=False, path_type=Path))  # fmt: skip
def readme_(directories: tuple[Path, ...]) -> None:
    """Print README's table, from the JSON of runs (of this harness and of small_files)."""
    click.echo(readme.table(Results.read(each / _RESULTS) for each in directories))


@main.command("store")
@click.option("--sizes", type=_names(_SIZES), default=list(_SIZES),
              help=f"Bars in a batch: some of {', '.join(_SIZES)}; all by default.")  # fmt: skip
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--threshold", is_flag=True, help="Instead: where COPY begins to pay.")
@click.option("--home", type=_DIRECTORY, help="Where the server's data is while it runs.")
def store_(sizes: list[str], rounds: int, threshold: bool, home: Path | None) -> None:
    """Write objects with StoreClient and by hand, in turns; print a table."""
    with running(home) as server:
        if threshold:
            lines = store.threshold(server, rounds)
        else:
            lines = store.compare(server, rounds, [int(size) for size in sizes])
        for line in lines:
            click.echo(line)


@main.command("dialects")
@click.option("--rows", default=300_000, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
def dialects_(rows: int, rounds: int) -> None:
    """Read and check the same bars in each text dialect, beside plain CSV; print a table."""
    with tempfile.TemporaryDirectory(prefix="mdload-") as folder:
        for line in dialects.measured(rows, rounds, Path(folder)):
            click.echo(line)


@main.command("checking")
@_of_a_universe
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--data", type=_DIRECTORY, help="Keep the files there, for the next time.")
def checking_(rows: int, symbols: int, seed: int, rounds: int, data: Path | None) -> None:
    """Read the files alone, then read and check them, in turns; print a table."""
    with tempfile.TemporaryDirectory(prefix="mdload-") as folder:
        universe = Universe(rows, symbols, seed)
        for line in checking.measured(universe, rounds, data or Path(folder)):
            click.echo(line)


def _keep(results: Results, out: Path) -> None:
    results.write(out / _RESULTS)
    if not results.runs:
        return
    last = results.runs[-1]
    verdict = "" if last.outcome == "right" else f"  {last.outcome.upper()} {last.note}"
    click.echo(
        f"{last.case:12} {last.round:2}  {last.contender:14} {last.seconds:8.2f} s{verdict}",
        err=True,
    )


def _write(results: Results, out: Path) -> None:
    results.write(out / _RESULTS)
    text = markdown(results)
    (out / "report.md").write_text(text)
    drawn = plot.draw(results, out)
    click.echo(text)
    click.echo(f"written: {', '.join(map(str, [out / 'report.md', *drawn]))}", err=True)
