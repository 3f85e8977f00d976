"""Lines on disk: their order, leftovers, and the feed that takes them over."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.client.live.spill import Spill


def numbered(start: int, stop: int) -> list[bytes]:
    return [f"line {n}".encode() for n in range(start, stop)]


def adopted(folder: Path) -> Spill:
    spill = Spill(folder, "feed", "abcdef0123456789")
    spill.adopt()
    return spill


@pytest.fixture
def spill(tmp_path: Path) -> Iterator[Spill]:
    spill = Spill(tmp_path / "live", "feed", "abcdef0123456789")
    yield spill
    spill.close()


def test_the_file_is_private_and_goes_with_its_last_line(spill: Spill) -> None:
    assert not spill.path.parent.exists()
    spill.append(numbered(0, 5))
    assert spill.path.name == "feed-abcdef01.ndjson"
    assert stat.S_IMODE(spill.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(spill.path.parent.stat().st_mode) == 0o700
    assert spill.take(3) == numbered(0, 3)
    spill.done()
    spill.append(numbered(5, 7))
    assert (spill.lines, spill.take(99)) == (4, numbered(3, 7))
    assert spill.take(99) == []
    spill.done()
    assert (spill.in_use, spill.path.exists()) == (False, False)
    spill.append(numbered(7, 8))
    assert spill.take(1) == numbered(7, 8)


def test_what_was_not_done_is_adopted(spill: Spill) -> None:
    spill.append(numbered(0, 30))
    spill.take(10)
    spill.done()
    spill.take(10)
    spill.close()
    later = adopted(spill.path.parent)
    assert later.in_use
    lines = [line for line in later.take(99) if line.strip()]
    assert lines == numbered(10, 30)
    later.append(numbered(30, 31))
    assert later.take(99) == numbered(30, 31)
    later.done()
    assert list(spill.path.parent.iterdir()) == []


def test_a_file_that_ends_in_the_middle_of_a_line(spill: Spill) -> None:
    spill.path.parent.mkdir()
    spill.path.write_bytes(b"one\ntw")
    spill.adopt()
    spill.append([b"three"])
    assert spill.take(9) == [b"one", b"tw", b"three"]


def test_nothing_to_adopt(spill: Spill) -> None:
    spill.adopt()
    assert not spill.in_use
    spill.path.parent.mkdir()
    spill.path.touch()
    spill.adopt()
    assert not spill.in_use
    assert not spill.path.exists()


def test_a_file_that_somebody_has(spill: Spill) -> None:
    """Two feeds of a job never share a file, and a later feed names both files."""
    spill.append([b"first"])
    folder = spill.path.parent
    second = adopted(folder)
    assert not second.in_use
    second.append([b"second"])
    assert second.path.name == f"feed-abcdef01-{os.getpid()}.ndjson"
    assert list(Spill(folder, "feed", "0000").others()) == []
    spill.close()
    second.close()
    with closing(adopted(folder)) as first:
        assert list(first.others()) == [second.path]
        assert list(Spill(folder, "feed", "0000").others()) == [second.path]
    assert list(Spill(folder, "fee", "0000").others()) == []


def test_a_job_name_is_no_path(tmp_path: Path) -> None:
    spill = Spill(tmp_path, "../a b/ü", "abcdef0123456789")
    assert spill.path == tmp_path / ".._a_b__-abcdef01.ndjson"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "live").write_text("a file, where a folder should be")
    spill = Spill(tmp_path / "live", "feed", "abcdef0123456789")
    with pytest.raises(FileExistsError):
        spill.append([b"x"])
    assert not spill.in_use


def test_a_disk_that_is_full(spill: Spill, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that did not fit leaves nothing in the file; writing resumes when there is room."""
    real = os.pwrite

    def full(file: int, data: bytes, at: int) -> int:
        real(file, data[:3], at)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        spill.append(numbered(0, 2))
    assert not spill.path.exists()
    monkeypatch.setattr(os, "pwrite", real)
    spill.append(numbered(0, 2))
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        spill.append(numbered(2, 4))
    assert spill.path.read_bytes().splitlines() == numbered(0, 2)
    monkeypatch.setattr(os, "pwrite", real)
    spill.append(numbered(2, 4))
    assert spill.take(9) == numbered(0, 4)


@given(
    st.lists(st.sampled_from(["append", "take", "done", "killed"]), max_size=40),
    st.integers(1, 4),
    st.integers(1, 5),
)
def test_every_line_once_and_in_order(steps: list[str], many: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spill = adopted(Path(folder))
        put = 0
        got: list[bytes] = []
        held: list[bytes] = []
        for step in steps:
            if step == "append":
                spill.append(numbered(put, put + many))
                put += many
            elif step == "take" and spill.in_use and not held:
                held = spill.take(count)
            elif step == "done" and held:
                spill.done()
                got += held
                held = []
            elif step == "killed":
                spill.close()
                spill, held = adopted(Path(folder)), []
        spill.close()
        rest = adopted(Path(folder))
        got += rest.take(1_000) if rest.in_use else []
        assert [line for line in got if line.strip()] == numbered(0, put)
        rest.close()
