"""Rejected rows through the whole path again, as their files were read, after a fix.

The rows of each file go into a file of their own, under its name, so that folders and names say
what they said. What gets in is marked in the transaction that brings it in; the others stay as they
are.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from loader.check.file import Checking, rules_for
from loader.check.rawrows import is_text, tables
from loader.check.recall import Recalled, meaning_of, recalled
from loader.check.validate import CheckedBatch
from loader.db.arrow import Connection
from loader.db.executor import Executor
from loader.dialects.own import from_tables
from loader.errors import NothingStored
from loader.ingest.mergers import Frames, Keeper
from loader.lazy import dataclass
from loader.read.formats import Reading
from loader.read.scratch import room
from loader.read.sources import Source
from loader.read.spool import Spool
from loader.settings import Settings
from loader.store.quarantine import found as rejects
from loader.store.quarantine.found import RejectFilter

_IDS: Final[dict[str, pl.DataType]] = {"row_number": pl.Int64(), "id": pl.Int64()}
#: Bytes of a name in a file system.
_LONGEST: Final = 200
#: Sets of columns that the rejects of one file may have; mostly they have one.
_MOST: Final = 64


@dataclass(slots=True)
class RejectedTable:
    """Rejects of one file (or of programs) that have the same columns, as a source.

    `ids` are those of the rejects, by their row in the source; `passed` the rows that broke no
    rule; `reading` says how their file was read, or is None.
    """

    source: Source
    path: str
    run_id: int | None
    reading: Mapping[str, Any] | None
    ids: Spool
    rows: int = 0
    passed: list[pl.Series] = field(default_factory=list)


class Replay:
    """What a load needs to know of its sources, if they are rejected rows.

    Attributes:
        tables: the rejects by their source.
        lines: rejects that cannot be read by cells: lines of text, and rows of columns like no
            others.
        marked: rejects that got in, once the load has ended.

    Args:
        changed: fields of `Meaning` that the person sets, which precede those of the file.
        allowed: rules that are not applied.
    """

    def __init__(self, changed: Mapping[str, Any], allowed: frozenset[str] = frozenset()) -> None:
        self.tables: list[RejectedTable] = []
        self.lines = 0
        self.marked = 0
        self._changed = changed
        self._allowed = allowed

    @property
    def sources(self) -> list[Source]:
        return [table.source for table in self.tables]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def runs(self) -> list[int]:
        """The runs that rejected the rows."""
        return sorted({table.run_id for table in self.tables if table.run_id is not None})

    def checking(self, reading: Reading, source: Source, settings: Settings) -> Checking:
        """
        Raises:
            SettingsError: the file's format is not what it was, or it needs a symbol map.
        """
        table = self._table(source)
        own = from_tables(settings.own_dialects)
        known, again = None, settings
        if table.reading is not None:
            meaning = meaning_of(table.reading, self._changed, settings.meaning)
            again = replace(settings, **{name: getattr(meaning, name) for name in _names(meaning)})
            reading = replace(reading, container=str(table.reading["container"]))
            if "dialect" not in self._changed:
                taken = recalled(table.reading, own, table.path)
                known = Recalled(table.reading, taken, self._changed, table.path)
        return _Watched(reading, source, again, table, known, self._allowed)

    def keeper(self, source: Source) -> Keeper:
        table = self._table(source)

        def mark(
            session: Executor, frames: Frames, run_id: int | None, file_id: int | None, /
        ) -> int:
            """Marks what passed. The rejects of the replay itself are the old ones, still there."""
            assert isinstance(session, Connection)
            session.run("rejects_marked_create")
            session.ingest("mdload_replayed", {"id": _IDS["id"]}, _ids(table), temporary=True)
            (marked,) = session.one("rejects_mark", run_id)
            self.marked += int(marked)
            return sum(frame.height for frame in frames)

        return mark

    def _table(self, source: Source) -> RejectedTable:
        return next(table for table in self.tables if table.source.key == source.key)


class _Watched(Checking):
    """Checks that remember which rows broke no rule and were not left out."""

    def __init__(
        self,
        reading: Reading,
        source: Source,
        settings: Settings,
        table: RejectedTable,
        known: Recalled | None,
        allowed: frozenset[str],
    ) -> None:
        super().__init__(reading, source, settings, recalled=known)
        self._rules = replace(rules_for(settings.meaning), allowed=allowed)
        self._rejected = table

    def pieces(self) -> Generator[CheckedBatch, None, None]:
        self._rejected.passed.clear()
        for piece in super().pieces():
            self._rejected.passed.append(piece.good["row_number"])
            yield piece


def _ids(table: RejectedTable) -> Iterator[pl.DataFrame]:
    passed = pl.concat(table.passed) if table.passed else pl.Series(dtype=pl.Int64)
    for frame in table.ids:
        found = frame.filter(pl.col("row_number").is_in(passed.implode())).select("id")
        if found.height:
            yield found


@contextmanager
def rejected(
    connection: Connection,
    asked: RejectFilter,
    changed: Mapping[str, Any],
    allowed: frozenset[str] = frozenset(),
) -> Iterator[Replay]:
    """The rejects that are asked for, as sources of a load until the block ends. Memory is flat.

    Raises:
        NothingStored: there are none.
        NoRoom: the temporary directory is too small for them.
    """
    replay = Replay(changed, allowed)
    place = Path(tempfile.mkdtemp(prefix="mdload-"))  # mode 0700
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        writing = _Tables(place, replay, stack)
        for frame in rejects.rows(connection, asked):
            writing.add(frame)
        writing.close()
        if not replay.tables and not replay.lines:
            raise NothingStored(
                "no rejected rows wait for a replay there", hint="see them: mdload rejects list"
            )
        ids = [table.file_id for table in writing.written.values() if table.file_id is not None]
        known = rejects.readings(connection, ids)
        for written in writing.written.values():
            about = known.get(written.file_id or 0)
            written.table.reading = about["reading"] if about else None
        yield replay


@dataclass(slots=True)
class _Written:
    table: RejectedTable
    file_id: int | None
    names: tuple[str, ...]
    path: Path
    writer: pq.ParquetWriter


_About = tuple[int | None, int | None, str | None]
_Key = tuple[int | None, int | None, frozenset[str]]


class _Tables:
    """Writes rejects, which come file by file, into a table for each file and set of columns."""

    def __init__(self, place: Path, replay: Replay, stack: ExitStack) -> None:
        self.written: dict[_Key, _Written] = {}
        self._open: list[_Written] = []
        self._place = place
        self._replay = replay
        self._stack = stack

    def add(self, frame: pl.DataFrame) -> None:
        for (run_id, file_id, path), part in frame.group_by(
            "run_id", "file_id", "path", maintain_order=True
        ):
            for places, cells in tables(part["raw"]):
                if is_text(cells.columns):
                    self._replay.lines += cells.height
                    continue
                key = (run_id, file_id, frozenset(cells.columns))
                self._append(key, path, cells, part["id"].gather(places))

    def close(self) -> None:
        for each in self._open:
            with room():
                each.writer.close()
                size = os.path.getsize(each.path)
            each.table.source = replace(each.table.source, size_bytes=size)
        self._open.clear()

    def _append(self, key: _Key, path: str | None, cells: pl.DataFrame, ids: pl.Series) -> None:
        each = self.written.get(key)
        if each is None:
            if self._open and self._open[0].file_id != key[1]:
                self.close()
            if len(self._open) >= _MOST:
                self._replay.lines += cells.height
                return
            each = self._begin(key, path, tuple(cells.columns))
        with room():
            frame = cells.select(each.names)
            each.writer.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        first = each.table.rows + 1
        each.table.rows += cells.height
        numbers = pl.int_range(first, first + cells.height, dtype=pl.Int64, eager=True)
        each.table.ids.append(pl.DataFrame([numbers.alias("row_number"), ids.alias("id")]))

    def _begin(self, key: _Key, path: str | None, names: tuple[str, ...]) -> _Written:
        run_id, file_id, _ = key
        at = self._place / str(len(self.written)) / _mirrored(path)
        known = path or "rows of a program"
        whose = f"rejects of run {run_id}" if run_id is not None else "rejects of no run"
        source = Source(at, f"{known} ({whose})", None, 0)
        table = RejectedTable(source, known, run_id, None, self._stack.enter_context(Spool(_IDS)))
        schema = pa.schema([(name, pa.large_string()) for name in names])
        with room():
            at.parent.mkdir(parents=True, exist_ok=True)
            made = _Written(table, file_id, names, at, pq.ParquetWriter(at, schema))
        self._open.append(made)
        self._replay.tables.append(table)
        self.written[key] = made
        return made


def _mirrored(path: str | None) -> Path:
    """A relative path that ends as `path` does."""
    parts = [part for part in re.split(r"[/\\]", path or "rows") if part not in ("", ".", "..")]
    return Path(*(part.encode()[-_LONGEST:].decode(errors="ignore") for part in parts or ["rows"]))


def _names(meaning: Any) -> Iterable[str]:
    return [each for each in type(meaning).__slots__ if hasattr(meaning, each)]
