"""Databases to clone for each measurement, created on first use."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import psycopg

from benchmarks import checks, data_files
from benchmarks.cases import base
from benchmarks.checks import Checksum
from benchmarks.contenders.contender import Contender
from benchmarks.made_bars import Stretch, Universe
from benchmarks.server import Server


class Templates:
    """Empty and full databases; a contender with its own `prepare` gets separate ones.

    Full databases are vacuumed, frozen and analyzed, like a table of some age. Hypertables are
    also compressed.
    """

    def __init__(self, server: Server, universe: Universe, files: Path) -> None:
        self.server = server
        self.universe = universe
        self.files = files
        self._place = Path(tempfile.mkdtemp(prefix="work-", dir=server.home))
        self._directories: dict[str, Path] = {}
        self._checksums: dict[Stretch, Checksum] = {}
        server.make("empty")
        server.clone("empty", "oracle")

    def run(self, contender: Contender, *, full: bool) -> tuple[str, Path]:
        """Makes a database and directory for one run of a contender: URL and path."""
        template = self._template(contender, full=full)
        directory = self._place / "run"
        shutil.rmtree(directory, ignore_errors=True)
        if prepared := self._directories.get(template):
            shutil.copytree(prepared, directory)
        else:
            directory.mkdir()
        return self.server.clone(template, "run"), directory

    def expected(self, stretches: tuple[Stretch, ...]) -> Checksum:
        """The sums of a table with exactly these bars."""
        for stretch in stretches:
            if stretch not in self._checksums:
                with psycopg.connect(self.server.database("oracle"), autocommit=True) as oracle:
                    self._checksums[stretch] = checks.expected(oracle, [stretch])
        return sum((self._checksums[stretch] for stretch in stretches), Checksum(0, 0))

    def _template(self, contender: Contender, *, full: bool) -> str:
        state = "full" if full else "empty"
        name = f"{contender.name}_{state}" if contender.prepare else state
        if name in self._directories or name == "empty":
            return name
        url = self.server.clone("empty", name)
        directory = self._place / name
        directory.mkdir()
        if contender.prepare:
            format = contender.formats[0]
            file = data_files.made(base(self.universe), format, self.files) if full else None
            contender.prepare(url, file, directory)
        else:
            self._fill(url)
        with psycopg.connect(url, autocommit=True) as connection:
            if self.server.timescale and contender.table == "bars_ohlcv":
                connection.execute("SELECT compress_chunk(c) FROM show_chunks('bars_ohlcv') AS c")
            connection.execute("VACUUM (FREEZE, ANALYZE)")
            # The first reader of new statistics marks their pages, which logs them whole: 115 kB.
            connection.execute("SELECT count(*) FROM pg_statistic")
        self._directories[name] = directory
        return name

    def _fill(self, url: str) -> None:
        with psycopg.connect(url) as connection:
            for frame in base(self.universe).frames():
                checks.copy_text(connection, "bars_ohlcv", frame)
