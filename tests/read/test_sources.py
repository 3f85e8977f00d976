"""Paths, globs, folders, stdin and pipes, as a person may name them."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from loader.errors import UnreadableFile
from loader.read import tables
from loader.read.sources import Source, content_hash, find


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*names: str, text: str = "a,b\n1,2\n") -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def archive(name: str, members: dict[str, str]) -> None:
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as zipped:
        for member, text in members.items():
            zipped.writestr(member, text)


def names(*patterns: str) -> list[str]:
    with find(patterns) as found:
        return [source.name for source in found]


def refusal(*patterns: str) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught, find(patterns):
        pass
    return caught.value


@pytest.mark.usefixtures("here")
class TestFiles:
    def test_a_path_is_one_source_whatever_its_name(self) -> None:
        write("prices", text="a,b\n")
        with find(["prices"]) as found:
            assert found == [Source(Path("prices"), "prices", None, 4)]

    def test_the_patterns_keep_their_order_and_each_is_sorted_naturally(self) -> None:
        write("b/f10.csv", "b/f2.csv", "b/f1.csv", "a.csv")
        assert names("b/*.csv", "a.csv") == ["b/f1.csv", "b/f2.csv", "b/f10.csv", "a.csv"]

    def test_a_file_that_was_downloaded_again_comes_later(self) -> None:
        write("d/f (2).csv", "d/f (10).csv", "d/f.csv", "d/e.csv", "d/g.csv")
        assert names("d") == ["d/e.csv", "d/f.csv", "d/f (2).csv", "d/f (10).csv", "d/g.csv"]

    def test_a_file_named_in_several_ways_is_taken_once(self, here: Path) -> None:
        write("d/a.csv")
        os.symlink("d/a.csv", "link.csv")
        assert names("d/a.csv", "d", "d/*", "./d/../d/a.csv", str(here / "d"), "link.csv") == [
            "d/a.csv"
        ]

    def test_a_name_with_glob_characters_is_itself_first(self) -> None:
        write("a[1].csv", "a1.csv")
        assert names("a[1].csv") == ["a[1].csv"]
        assert names("a[0-9].csv") == ["a1.csv"]

    def test_a_home_directory(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(here))
        write("a.csv")
        assert names("~/a.csv") == names("~/*.csv") == [f"{here}/a.csv"]

    def test_a_name_that_would_move_the_cursor_is_made_harmless(self) -> None:
        write("a\x1b[2J.csv")
        assert names("*.csv") == ["a?[2J.csv"]
        Path(os.fsdecode(b"b\xff.csv")).write_text("a,b\n")
        assert names("b*.csv") == ["b?.csv"]


@pytest.mark.usefixtures("here")
class TestFoldersAndGlobs:
    def test_a_folder_is_searched_to_the_bottom_for_what_a_reader_knows(self) -> None:
        data = ["d/a.csv", "d/x/b.parquet", "d/x/y/c.CSV.gz", "d/x/y/d.feather", "d/x/z.gz"]
        data += ["d/e.json.gz", "d/f.ndjson", "d/g.jsonl"]
        write(*data, "d/README.txt", "d/LICENSE.txt", "d/notes.md", "d/notes.md.gz", "d/p.py")
        assert sorted(names("d")) == sorted(data)

    def test_hidden_and_temporary_files_are_left_out(self) -> None:
        write("d/a.csv", "d/.b.csv", "d/.git/c.csv", "d/~$e.csv", "d/f.csv~", "d/g.csv.part")
        write("d/__MACOSX/h.csv", "d/_temporary/0/j.parquet")
        assert names("d") == names("d/**") == ["d/a.csv"]

    def test_a_leading_underscore_is_no_sign_of_a_temporary_file(self) -> None:
        write("d/_prn.us.txt")  # Stooq's name for PRN, which Windows reserves
        assert names("d") == ["d/_prn.us.txt"]

    def test_two_stars_reach_any_depth(self) -> None:
        write("d/a.csv", "d/x/b.csv", "d/x/y/c.csv", "d/x/y/c.parquet")
        assert names("d/**/*.csv") == ["d/a.csv", "d/x/b.csv", "d/x/y/c.csv"]

    def test_a_star_means_the_data_and_a_suffix_means_what_it_says(self) -> None:
        write("d/a.csv", "d/notes.md", "d/b.xyz", "d/x/c.csv")
        assert names("d/*") == ["d/a.csv", "d/x/c.csv"]
        assert names("d/*.xyz") == ["d/b.xyz"]

    def test_links_are_followed_but_not_in_circles(self) -> None:
        write("elsewhere/b.csv", "d/a.csv")
        os.symlink("../elsewhere", "d/more")
        os.symlink("../d", "d/again")
        os.symlink("../d", "elsewhere/back")
        assert names("d") == ["d/a.csv", "d/more/b.csv"]


@pytest.mark.usefixtures("here")
class TestNothingFound:
    def test_a_missing_file(self, here: Path) -> None:
        error = refusal("absent.csv")
        assert str(error) == "absent.csv does not exist"
        assert error.hint == f"relative paths start in {here}; check the spelling"

    def test_one_missing_file_among_others_stops_all(self) -> None:
        write("a.csv")
        assert "b.csv" in str(refusal("a.csv", "b.csv"))

    def test_a_glob_without_a_match(self) -> None:
        error = refusal("*.csv")
        assert str(error) == "nothing matches *.csv"
        assert "quote it" in (error.hint or "")

    def test_a_folder_without_data(self) -> None:
        write("d/notes.md")
        error = refusal("d")
        assert str(error) == "the folder d holds no file that mdload reads"
        assert ".parquet" in (error.hint or "")

    def test_a_link_to_nowhere(self) -> None:
        os.symlink("gone.csv", "link.csv")
        assert str(refusal("link.csv")) == (
            "link.csv is a symbolic link to gone.csv, which does not exist"
        )

    def test_a_link_to_nowhere_in_a_folder_waits_for_its_turn(self) -> None:
        write("d/b.csv")
        os.symlink("gone.csv", "d/a.csv")
        with find(["d"]) as [link, file]:
            assert file.name == "d/b.csv"
            with pytest.raises(UnreadableFile, match="a symbolic link to gone"):
                content_hash(link)

    def test_a_home_of_nobody(self) -> None:
        assert str(refusal("~nobody-of-this-name/a.csv")) == (
            "~nobody-of-this-name/a.csv does not exist"
        )

    def test_what_is_no_file(self) -> None:
        assert str(refusal("/dev/null")) == "/dev/null is neither a file nor a folder nor a pipe"


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of another account's, and (for root may read anything) the rights of nobody."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    user = os.geteuid()
    try:
        yield folder
    finally:
        os.seteuid(user)
        shutil.rmtree(folder)


def give_up_rights() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


class TestPermission:
    def test_a_file_that_may_not_be_read(self, unprivileged: Path) -> None:
        path = unprivileged / "a.csv"
        path.write_text("a,b\n")
        path.chmod(0)
        give_up_rights()
        with find([str(path)]) as [source]:  # the other files of a load still get their turn
            assert source.name == str(path)
        with pytest.raises(UnreadableFile, match="may not be read: permission denied") as caught:
            content_hash(source)
        assert "ls -ld" in (caught.value.hint or "")

    def test_a_folder_that_may_not_be_searched(self, unprivileged: Path) -> None:
        folder = unprivileged / "d"
        folder.mkdir(mode=0)
        give_up_rights()
        assert str(refusal(str(folder))) == f"{folder} may not be read: permission denied"


@pytest.mark.usefixtures("here")
class TestContentHash:
    def test_of_the_bytes_on_disk(self) -> None:
        write("a.csv", text="abc")
        with find(["a.csv"]) as [source]:
            assert content_hash(source) == (
                "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            )

    def test_of_a_member_s_bytes(self) -> None:
        archive("d.zip", {"a.csv": "abc"})
        with find(["d.zip"]) as [source]:
            assert content_hash(source) == "sha256:" + hashlib.sha256(b"abc").hexdigest()

    def test_of_a_file_that_went_away(self) -> None:
        write("a.csv")
        with find(["a.csv"]) as [source]:
            os.remove("a.csv")
            with pytest.raises(UnreadableFile, match=r"a\.csv does not exist"):
                content_hash(source)


@pytest.mark.usefixtures("here")
class TestStreams:
    def test_stdin_is_kept_privately_and_removed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a,b\n1,2\n")))
        with find(["-"]) as [source]:
            assert (source.name, source.size_bytes) == ("stdin", 8)
            assert (source.is_copy, source.full_path) == (True, "/stdin")
            assert source.path.read_bytes() == b"a,b\n1,2\n"
            assert source.path.parent.stat().st_mode & 0o777 == 0o700
        assert not source.path.parent.exists()

    def test_stdin_may_be_an_archive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        archive("d.zip", {"a.csv": "abc", "b.csv": ""})
        with open("d.zip", "rb") as file:
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file))
            assert names("-") == ["stdin!a.csv", "stdin!b.csv"]

    def test_stdin_that_is_closed(self) -> None:
        code = "from loader.read.sources import find\nwith find(['-']): pass"
        run = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.stdin = None\n{code}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "UnreadableFile: standard input is closed" in run.stderr

    def test_a_folder_takes_regular_files_only(self) -> None:
        """Nothing waits for who may never write: not for a pipe, nor for the end of a device."""
        write("in/a.csv", "real.csv")
        os.mkfifo("in/b.csv")
        Path("in/c.csv").symlink_to("/dev/zero")
        Path("in/d.csv").symlink_to(Path("in/b.csv").absolute())
        Path("in/e.csv").symlink_to(Path("real.csv").absolute())
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("in/f.csv")
            for pattern in ("in", "in/*", "in/*.csv", "**"):
                assert names(pattern)[:2] == ["in/a.csv", "in/e.csv"]
                assert not {"in/b.csv", "in/c.csv", "in/d.csv", "in/f.csv"} & {*names(pattern)}

    def test_a_file_is_no_copy_however_it_was_named(self) -> None:
        """By a path from here, or with a character that is not shown."""
        write("a.csv", "b\x1b.csv")
        with find(["./a.csv", "b\x1b.csv"]) as found:
            assert [source.is_copy for source in found] == [False, False]
            assert found[1].full_path == f"{os.getcwd()}/b\x1b.csv"

    def test_a_folder_of_pipes_holds_no_file(self) -> None:
        Path("in").mkdir()
        os.mkfifo("in/a.csv")
        assert str(refusal("in")) == "the folder in holds no file that mdload reads"

    def test_a_pipe_is_read_once_and_kept(self) -> None:
        os.mkfifo("pipe")
        writer = threading.Thread(target=Path("pipe").write_bytes, args=(b"abc",))
        writer.start()
        with find(["pipe"]) as [source]:
            assert source.name == "pipe"
            assert (source.is_copy, source.full_path) == (True, f"{os.getcwd()}/pipe")
            assert content_hash(source) == content_hash(source)
            assert source.path.read_bytes() == b"abc"
        writer.join()
        assert not source.path.exists()

    def test_the_copy_is_removed_after_a_failure_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a,b\n")))
        monkeypatch.setattr(tempfile, "tempdir", os.getcwd())
        assert "absent" in str(refusal("-", "absent.csv"))
        assert os.listdir() == []


def test_a_panic_of_another_library_over_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each library has a class of its own for it, which only derives from `BaseException`."""
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})

    def fails(*_: object) -> None:
        raise panic("index out of bounds\nand a place in Rust")

    (tmp_path / "t/_delta_log").mkdir(parents=True)
    (tmp_path / "t/_delta_log/00000000000000000000.json").write_text("{}\n")
    monkeypatch.setattr(tables, "version_at", fails)
    with find([str(tmp_path / "t")]) as [source]:
        assert source.trouble is not None
        assert "the library for it fails over its content: index out of" in str(source.trouble)
        assert source.trouble.fault.endswith("out of bounds")
