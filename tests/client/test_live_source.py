"""Lines from pipes: cut at any place, read in time, and read up to a stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.client.live.source import Source
from loader.errors import UnreadableFile


class Pipe:
    """A source on a fifo, and its other end."""

    def __init__(self, folder: Path) -> None:
        path = folder / "fifo"
        os.mkfifo(path)
        self.source = Source(str(path))
        self._end = os.open(path, os.O_WRONLY)

    def write(self, data: bytes) -> None:
        os.write(self._end, data)

    def close(self) -> None:
        if self._end >= 0:
            os.close(self._end)
            self._end = -1


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    with closing(Pipe(tmp_path)) as pipe, closing(pipe.source):
        yield pipe


def test_lines_are_due_when_there_are_enough_or_the_first_is_old_or_no_more_come(
    pipe: Pipe,
) -> None:
    source = pipe.source
    assert not source.is_due(2, 0)
    assert source.due_in(60) is None
    pipe.write(b"one\nt")
    source.wait(None)
    assert (source.is_due(2, 60), source.is_due(1, 60), source.is_due(2, 0)) == (False, True, True)
    assert 0 < (source.due_in(60) or 0) <= 60
    pipe.write(b"wo\nthree")
    source.wait(None)
    assert source.is_due(2, 60)
    assert source.take(1) == [b"one"]
    assert not source.is_due(2, 60)
    pipe.close()
    source.wait(None)
    assert source.is_due(2, 60)
    assert source.take(9) == [b"two", b"three"]


def test_waiting_ends(pipe: Pipe) -> None:
    pipe.source.wait(0.01)
    threading.Timer(0.05, pipe.source.wake).start()
    pipe.source.wait(60)
    pipe.write(b"x\n")
    pipe.source.wait(0.01, reading=False)
    assert pipe.source.lines == []


def test_a_stop_reads_what_has_arrived(pipe: Pipe) -> None:
    source = pipe.source
    pipe.write(b"one\ntw")
    source.stop()
    assert not source.ended
    while not source.ended:
        source.wait(60)
    assert source.lines == [b"one", b"tw"]
    pipe.write(b"o\n")
    source.wait(0)
    assert source.lines == [b"one", b"tw"]


def test_a_stop_does_not_wait_for_somebody_to_write(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with closing(Source(str(tmp_path / "fifo"))) as source:
        source.wait(0.01)
        source.stop()
        while not source.ended:
            source.wait(60)
    source.stop()


def test_a_stop_ends_though_the_other_end_never_pauses(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe.source, "_late", 10)
    pipe.source.stop()
    for _ in range(3):
        assert not pipe.source.ended
        pipe.write(b"abc\n")
        pipe.source.wait(60)
    assert pipe.source.ended
    assert pipe.source.lines == [b"abc"] * 3


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        Source(str(tmp_path / "absent"))
    with pytest.raises(UnreadableFile, match="is a folder"):
        Source(str(tmp_path))


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=12))
def test_lines_of_a_stream_however_it_is_cut(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    read, write = os.pipe()
    with closing(Source(f"/dev/fd/{read}")) as source:
        os.close(read)
        for chunk in chunks:
            os.write(write, chunk)
            source.wait(60)
        os.close(write)
        source.wait(60)
        assert source.ended
    assert b"\n".join(source.lines) == (whole[:-1] if whole.endswith(b"\n") else whole)


def test_a_line_without_end_is_cut(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loader.client.live.source._LONGEST", 10)
    pipe.write(b"x" * 25)
    pipe.source.wait(60)
    pipe.write(b"y\nz")
    pipe.close()
    pipe.source.wait(60)
    pipe.source.wait(60)
    assert pipe.source.lines == [b"x" * 10, b"x" * 10, b"x" * 5 + b"y", b"z"]
