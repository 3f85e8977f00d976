"""Small files that are read and checked while the server commits those before them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loader.ingest.run import LoadRun
from loader.ingest.run.order import Order
from loader.ingest.run.small import checked
from loader.ingest.run.small.ahead import Ahead
from loader.ingest.run.turns import Turns
from loader.read.sources import Source
from loader.results import FileResult
from loader.settings.limit import RejectLimit
from tests.conftest import not_on_citus
from tests.support.both_ways import Way, at, frame, in_the_middle, symbol, written
from tests.support.sql import fetch

pytestmark = not_on_citus("files load one by one there")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, bool]]:
    """How often each file was read to be loaded together: by its name, and whether that was while
    others were committed."""
    found: Counter[tuple[str, bool]] = Counter()
    beside = threading.local()
    small, look = checked._small, Ahead._look

    def counted(run: LoadRun, file: Any) -> Any:
        found[file.source.name, getattr(beside, "is_on", False)] += 1
        return small(run, file)

    def looked(self: Ahead, run: LoadRun, sources: Sequence[Source]) -> None:
        beside.is_on = True
        try:
            look(self, run, sources)
        finally:
            beside.is_on = False

    monkeypatch.setattr(checked, "_small", counted)
    monkeypatch.setattr(Ahead, "_look", looked)
    return found


def test_each_file_is_read_once(
    database_url: str, tmp_path: Path, read: Counter[tuple[str, bool]]
) -> None:
    """The first by itself, two together, and then each group beside the one before it."""
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(100)]
    Way(database_url).load(files)
    assert read == {(file, number > 2): 1 for number, file in enumerate(files) if number}
    read.clear()
    Way(database_url).load(files, force=True)
    assert read == {(file, number > 2): 1 for number, file in enumerate(files) if number}
    read.clear()
    Way(database_url).load(files)
    assert read == {}


def test_known_files_among_new_ones_are_not_read_for_nothing(
    database_url: str, tmp_path: Path, read: Counter[tuple[str, bool]]
) -> None:
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(120)]
    known = [file for number, file in enumerate(files) if number % 12]
    Way(database_url).load(known)
    read.clear()
    states = Counter(file.state for file in Way(database_url).load(files).files)
    assert states == {"known": 110, "loaded": 10}
    assert sum(read[file, True] for file in known) <= 10


@pytest.mark.parametrize("what", ["other prices", "a reject", "nothing to read", "gone"])
def test_a_file_that_changes_after_it_was_read(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """What the file has when its turn comes is loaded, and none of what it had before."""
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(20)]
    seen, look = threading.Event(), Ahead._look

    def looked(self: Ahead, run: LoadRun, sources: Sequence[Source]) -> None:
        look(self, run, sources)
        if files[14] in [source.name for source in sources]:
            seen.set()

    table = frame(symbol(14))

    def change(_: psycopg.Connection) -> None:
        assert seen.wait(60)
        if what == "other prices":
            written(tmp_path, 14, table.with_columns(close=table["close"] + 0.01, volume=7.0))
        elif what == "a reject":
            written(tmp_path, 14, table.with_columns(at(4, high=table["low"] - 1)))
        elif what == "nothing to read":
            Path(files[14]).write_bytes(b"")
        else:
            Path(files[14]).unlink()

    monkeypatch.setattr(Ahead, "_look", looked)
    with in_the_middle(database_url, files[5], change):
        result = Way(database_url).load(files, max_rejects=RejectLimit.parse("10%"))
    states = [file.state for file in result.files]
    assert states[:14] + states[15:] == ["loaded"] * 19
    assert states[14] == ("failed" if what == "gone" else "loaded")
    rows = {"other prices": 12, "a reject": 12}
    assert result.files[14].counts.read == rows.get(what, 0)
    stored = fetch(
        database_url,
        f"SELECT count(*), min(volume) FROM bars_ohlcv WHERE symbol = '{symbol(14)}'",
    )
    if what == "other prices":
        assert stored == [(12, 7.0)]
    else:
        assert stored[0][0] == {"a reject": 11}.get(what, 0)


def test_a_group_that_ends_early(ways: Callable[..., int], tmp_path: Path) -> None:
    """What was read ahead waits behind the files that are left of the group before."""
    tables = [frame(symbol(n)) for n in range(60)]
    for n in (4, 6, 21, 22, 59):
        tables[n] = tables[n].with_columns(at(3, high=tables[n]["low"] - 1))
    assert ways([written(tmp_path, n, table) for n, table in enumerate(tables)]) >= 20


def test_reserved_sources_begin_later(tmp_path: Path) -> None:
    sources = [Source(tmp_path / str(n), str(n), None, 1) for n in range(6)]
    order = Order()
    turns = Turns(enumerate(sources), order=order)
    first = turns.take(2)
    reserved = turns.reserve(3)
    assert [number for number, _ in (*first, *reserved)] == [0, 1, 2, 3, 4]
    turns.done(dict.fromkeys((0, 1), FileResult("a", "loaded")))
    assert turns.begin(reserved) == reserved
    turns.done(dict.fromkeys((2, 3, 4), FileResult("b", "loaded")))
    assert order.late(range(5)) == []
    turns.give_back(reserved[1:])
    assert [number for number, _ in turns.take(9)] == [3, 4, 5]
    turns.end()
    assert turns.begin(reserved) == []
