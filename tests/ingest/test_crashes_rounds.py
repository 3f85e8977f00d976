"""Whatever is killed at any time: after another run everything is as if nothing had happened.

Each round starts the real executable on a file, kills something at a random moment (the client, the
server, both; or the disk is full for a while), runs the same command again, and compares all that
is stored with what an undisturbed load stored. There are a few rounds, one of each kind;
MDLOAD_CRASH_MINUTES=10 goes on for as long as that, with a file of a million rows now and then and
with a file system that is really full where this user may mount one, and MDLOAD_CRASH_FIGURES=FILE
writes down what was hit.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from loader.db.embedded import embedded
from loader.store import schema
from tests.conftest import database, hurried, temporary_home
from tests.support.crashing import (
    HUGE,
    LARGE,
    SMALL,
    Size,
    assert_like,
    assert_run_counts,
    contents,
    counted,
    prepare,
    write_file,
    write_shuffled,
)
from tests.support.sql import fetch, wait_for_others
from tests.support.victims import Backfill, Server, a_moment, enlarge, small_disk

MINUTES = float(os.environ.get("MDLOAD_CRASH_MINUTES", "0"))
SEED = os.environ.get("MDLOAD_CRASH_SEED", "a seed")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, sets limits")


@dataclass
class Figures:
    """The attempts, and their hits."""

    hits: Counter[tuple[str, str]] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)

    def table(self) -> str:
        victims = sorted({victim for victim, _ in self.hits})
        lines = [f"| last told | {' | '.join(victims)} |", "| --- |" + " ---: |" * len(victims)]
        for phase in sorted({phase for _, phase in self.hits}):
            cells = (str(self.hits[victim, phase]) for victim in victims)
            lines.append(f"| {phase} | {' | '.join(cells)} |")
        totals = (str(sum(n for (v, _), n in self.hits.items() if v == each)) for each in victims)
        lines += [f"| all | {' | '.join(totals)} |", ""]
        return "\n".join([*lines, *(f"- {what}: {n:,}" for what, n in sorted(self.seen.items()))])


@dataclass(frozen=True)
class Material:
    """Files of one size, the database in which the stored bars are stored, and an undisturbed
    load."""

    size: Size
    files: dict[str, Path]
    template: str
    undisturbed: dict[str, bytes]
    seconds: float


class Rounds:
    """A server of its own, and files to load."""

    def __init__(self, home: Path, url: str, folder: Path, stack: ExitStack) -> None:
        self.server = Server(home)
        self.url = hurried(url, "fsync")  # processes are killed here, not the machine
        self.figures = Figures()
        self.random = random.Random(SEED)
        self._folder = folder
        self._stack = stack
        self._material: dict[Size, Material] = {}

    def material(self, size: Size) -> Material:
        if size not in self._material:
            self._material[size] = self._made(size)
        return self._material[size]

    def _made(self, size: Size) -> Material:
        folder = self._folder / f"{size.rows}"
        folder.mkdir()
        ordered = write_file(size, folder / "ordered.parquet")
        files = {
            "ordered": ordered,
            "shuffled": write_shuffled(ordered, folder / "shuffled.parquet"),
        }
        prepared = self._stack.enter_context(database(self.url))
        schema.upgrade(prepared)
        prepare(size, prepared, folder / "stored.parquet")
        template = prepared.split("/")[-1].split("?")[0]
        with database(self.url, template) as url:
            began = time.monotonic()
            load = Backfill(size, url, ordered, in_parts=False)
            assert load.end()[0] == 0, load.said
            seconds = time.monotonic() - began
            assert counted(url) == size.expected
            return Material(size, files, template, contents(url), seconds)

    def round(self, victim: str, order: str, in_parts: bool, size: Size = SMALL) -> None:
        of = self.material(size)
        with database(self.url, of.template) as url:
            fetch(url, "CHECKPOINT")  # or a crash takes sequences of a copied database back
            load = Backfill(size, url, of.files[order], in_parts=in_parts)
            events, seconds = a_moment(self.random, size.rows // size.batch_rows + 6, of.seconds)
            load.wait_until_told(events)
            time.sleep(seconds)
            phase = getattr(self, f"_{victim}")(load)
            self.figures.hits[victim.replace("_", " "), phase] += 1
            self.figures.seen[f"rounds with {size.rows:,} rows"] += 1
            self.complete(of, url, order, in_parts)

    # Each tells what the load was about when it was hit.

    def _client(self, load: Backfill) -> str:
        load.process.kill()
        load.end()
        return load.phase

    def _server(self, load: Backfill) -> str:
        """The load is left alone: once it is at its file it waits for the server to come back."""
        before = load.phase
        how = self.random.choice([signal.SIGKILL, signal.SIGQUIT, signal.SIGINT])
        self.server.kill(how, children=how == signal.SIGKILL and self.random.random() < 0.5)
        self.server.start()
        code, _ = load.end()
        assert code == 0 or before in ("starting up", "run begun"), load.said
        self.figures.seen["loads that outlived their server"] += not code
        return before

    def _both(self, load: Backfill) -> str:
        self.server.kill(signal.SIGKILL, children=self.random.random() < 0.5)
        load.process.kill()
        load.end()
        self.server.start()
        return load.phase

    def _full_disk(self, load: Backfill) -> str:
        """Log or table, whichever meets the limit first; the server may go down over it."""
        before = load.phase
        with self.server.full(self.random.randint(1, 1 << 20)):
            time.sleep(self.random.uniform(0.2, 2.0))
        self.server.start()
        code, _ = load.end()
        assert code in (0, 5), load.said
        self._met_a_full_disk(load, code)
        return before

    def _met_a_full_disk(self, load: Backfill, code: int) -> None:
        """Some are through before they need more room, or wait until there is some."""
        met = code == 5 or "attempt 1 of" in str(load.said)
        self.figures.seen["loads that met a full disk"] += met
        self.figures.seen["loads that a full disk ended"] += code == 5

    def full_file_system(self, order: str, in_parts: bool) -> None:
        """The database is on a file system that has room for some of the load, or all of it."""
        of = self.material(LARGE)
        room = self.random.randint(1 << 16, 16 << 20)
        size = fetch(self.url, f"SELECT pg_database_size('{of.template}')")[0][0] + room
        owner = self.server.pid_file.stat()
        with small_disk(size, owner.st_uid, owner.st_gid) as folder:
            if folder is None:
                return
            fetch(self.url, f"CREATE TABLESPACE small LOCATION '{folder}'")
            with database(self.url, f"{of.template} TABLESPACE small") as url:
                load = Backfill(LARGE, url, of.files[order], in_parts=in_parts)
                code, _ = load.end()
                assert code in (0, 5), load.said
                assert not code or "could not extend file" in str(load.said), load.said
                self.figures.hits["full file system", "rows under way"] += 1
                self._met_a_full_disk(load, code)
                enlarge(folder)
                self.complete(of, url, order, in_parts)
            fetch(self.url, "DROP TABLESPACE small")

    def complete(self, of: Material, url: str, order: str, in_parts: bool) -> None:
        """The next run; then all is as it should be."""
        wait_for_others(url)
        again = Backfill(of.size, url, of.files[order], in_parts=in_parts)
        code, out = again.end()
        assert code == 0, again.said
        (file,) = json.loads(out)["files"]
        self.figures.seen["runs after it that went on inside the file"] += any(
            "resuming after row" in said for said in again.said
        )
        self.figures.seen["runs after it that found all done"] += file["state"] == "known"
        ordered = order == "ordered"
        self.figures.seen["rows compared"] += assert_like(
            contents(url), of.undisturbed, of.size, ordered=ordered
        )
        assert_run_counts(url)
        states = [state for (state,) in fetch(url, "SELECT state FROM job_run_files ORDER BY id")]
        assert states[-1] in {"loaded", "known"}
        found, expected = counted(url), of.size.expected
        if ordered or not in_parts:
            assert found == expected
        else:  # partitions mean nothing to another run: it finds their bars stored
            assert (found["inserted"], found["updated"]) == (
                expected["inserted"],
                expected["updated"],
            )


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    with temporary_home() as home, embedded(home) as url, ExitStack() as stack:
        folder = tmp_path_factory.mktemp("crashes")
        rounds = Rounds(home, url, folder, stack)
        yield rounds
        if path := os.environ.get("MDLOAD_CRASH_FIGURES"):
            Path(path).write_text(rounds.figures.table() + "\n")


@pytest.mark.parametrize(
    ("victim", "order", "in_parts"),
    [
        ("client", "ordered", True),
        ("server", "ordered", False),
        ("both", "shuffled", True),
        ("full_disk", "ordered", True),
    ],
)
def test_a_round(rounds: Rounds, victim: str, order: str, in_parts: bool) -> None:
    rounds.round(victim, order, in_parts)


def test_a_full_temporary_directory(rounds: Rounds) -> None:
    """What is set aside there does not fit: an error in one sentence, and nothing is loaded."""
    of = rounds.material(SMALL)
    with database(rounds.url, of.template) as url:
        before = contents(url)
        load = Backfill(SMALL, url, of.files["shuffled"], in_parts=False, most_bytes=1 << 16)
        assert load.end()[0] == 2
        assert "no room for what is set aside in" in str(load.said)
        assert "Traceback" not in str(load.said)
        assert contents(url) == before
        rounds.complete(of, url, "shuffled", in_parts=False)


if MINUTES:

    def test_rounds_for_as_long_as_told(rounds: Rounds) -> None:
        victims, ends = ("client", "server", "both", "full_disk"), time.monotonic() + MINUTES * 60
        while time.monotonic() < ends:
            order = rounds.random.choice(["ordered", "shuffled"])
            in_parts = rounds.random.choice([True, False])
            victim = rounds.random.choice(victims)
            match rounds.random.randrange(20):
                case 0:
                    rounds.round(victim, "ordered", True, HUGE)
                case 1 | 2:
                    rounds.full_file_system(order, in_parts)
                case dice:
                    rounds.round(victim, order, in_parts, SMALL if dice % 2 else LARGE)
