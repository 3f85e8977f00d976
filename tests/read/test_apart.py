"""HDF5 is read in a process of its own. A stand-in for h5py does what damaged files made the
library do: end the process, compute for ever, ask for other files and for memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from loader.errors import UnreadableFile
from loader.read.apart import process
from loader.read.formats import read
from loader.read.sources import find

KIND = [(name, "<f8") for name in ("datetime", "open", "high", "low", "close")]
Stand = Callable[[str], None]


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data/X"] = np.ones(3, dtype=KIND)
    return path


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """Puts a module in the place of h5py, for the process only."""

    def put(body: str) -> None:
        folder = tmp_path / "modules"
        folder.mkdir()
        (folder / "h5py.py").write_text(body)
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])

    return put


def refusal(path: Path) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught, find([str(path)]) as [source], read(source) as r:
        list(r)
    assert str(path) in str(caught.value)
    return caught.value


OPENING = "class File:\n    def __init__(self, file, *args, **options):\n        {}\n"


@pytest.mark.parametrize(
    ("does", "fault", "hint"),
    [
        ("import os; os.abort()", "is damaged: the library that reads it crashes (SIGABRT)",
         "get the file again"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
         "is damaged: the library that reads it crashes (SIGSEGV)", "get the file again"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
         "cannot be read: the process that reads it was killed", "free some"),
        ("import os; os._exit(7)",
         "cannot be read: the process that reads it ended with exit code 7", "install mdload"),
        ("open('/etc/passwd').read(1)", "is damaged or cut short: [Errno 24] Too many open files",
         "get the file again"),
        ("bytearray(2 << 30)", "is damaged or cut short: MemoryError", "get the file again"),
        ("raise ZeroDivisionError('no chunks')", "is damaged or cut short: no chunks",
         "get the file again"),
        ("raise AssertionError('no')", "cannot be read: AssertionError: no", "report it"),
        ("raise BaseException", "cannot be read: the process that reads it ended with exit code 1",
         "install mdload again"),
    ],
)  # fmt: skip
def test_what_a_library_does(bars: Path, stand_in: Stand, does: str, fault: str, hint: str) -> None:
    stand_in(OPENING.format(does))
    error = refusal(bars)
    assert error.fault.startswith(fault)
    assert hint in (error.hint or "")


def test_a_library_that_computes_for_ever(
    bars: Path, stand_in: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is counted is processor time, so that a busy machine or a slow disk is no sign."""
    stand_in(OPENING.format("while True: pass"))
    soon = "from loader.read.apart import child; child.PATIENCE = 0.2; "
    monkeypatch.setattr(process, "_CODE", process._CODE.replace("from", f"{soon}from", 1))
    assert (
        refusal(bars).fault == "is damaged: the library that reads it computes and gets no further"
    )


def test_a_library_that_hangs(bars: Path, stand_in: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for ever, and takes no processor time that would end it."""
    monkeypatch.setattr(process, "_IDLE", 0.2)
    stand_in(OPENING.format("import time; time.sleep(9_999)"))
    error = refusal(bars)
    assert "is damaged: the library that reads it hangs" in str(error)
    assert "get the file again" in str(error.hint)


def test_a_library_that_cannot_be_imported(bars: Path, stand_in: Stand) -> None:
    stand_in("raise ImportError('libhdf5.so: wrong version')")
    assert refusal(bars).fault == (
        "is an HDF5 file, and the library for it cannot be imported: libhdf5.so: wrong version"
    )


def test_the_process_is_given_no_secrets(
    bars: Path, stand_in: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MDLOAD_DATABASE_URL", "postgresql://me:secret@db/x")
    monkeypatch.setenv("PGPASSWORD", "secret")
    stand_in(OPENING.format("import os; raise ValueError(sorted(os.environ))"))
    told = refusal(bars).fault
    assert "OPENBLAS_NUM_THREADS" in told
    assert "MDLOAD" not in told
    assert "PG" not in told


def test_what_the_library_prints_is_not_taken_for_the_answer(bars: Path, stand_in: Stand) -> None:
    stand_in(OPENING.format("import os; os.write(1, b'x' * 100_000); raise ValueError('so')"))
    assert refusal(bars).fault == "is damaged or cut short: so"


def test_no_process_is_left_when_the_reading_ends_early(bars: Path) -> None:
    with find([str(bars)]) as [source], read(source) as reading:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        assert reading.rows == 3
    left = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert len(children) == len(left) + 1


def test_no_process_can_be_started(bars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert refusal(bars).fault == (
        "cannot be read: the process that would read it cannot start: No such file or directory"
    )


def test_a_program_whose_modules_come_from_its_own_folder(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file called json.py beside the data is not imported."""
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    with find([str(bars)]) as [source], read(source) as reading:
        assert sum(batch.frame.height for batch in reading) == 3
