"""Zip archives: each member is a source, and nothing of it is written to disk."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from loader.errors import UnreadableFile
from loader.read.formats import read
from loader.read.sources import Source, content_hash, find, open_source


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def archive(name: str, members: dict[str, str]) -> None:
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as zipped:
        for member, text in members.items():
            zipped.writestr(member, text)


def names(*patterns: str) -> list[str]:
    with find(patterns) as found:
        return [source.name for source in found]


@pytest.mark.usefixtures("here")
class TestArchives:
    def test_each_member_is_a_source(self) -> None:
        archive("dump.zip", {"x/MSFT.csv": "a,b\n1,2\n", "AAPL10.csv": "", "AAPL9.csv": "a,b\n"})
        with find(["dump.zip"]) as found:
            assert found == [
                Source(Path("dump.zip"), "dump.zip!AAPL9.csv", "AAPL9.csv", 4),
                Source(Path("dump.zip"), "dump.zip!AAPL10.csv", "AAPL10.csv", 0),
                Source(Path("dump.zip"), "dump.zip!x/MSFT.csv", "x/MSFT.csv", 8),
            ]

    def test_what_lies_beside_the_data_is_left_out(self) -> None:
        archive("d.zip", {"a.csv": "", "readme.txt": "", "__MACOSX/._a.csv": "", ".b.csv": ""})
        assert names("d.zip") == ["d.zip!a.csv"]

    def test_histdata_s_list_of_gaps_is_left_out(self) -> None:
        bars = "DAT_ASCII_EURUSD_M1_202201.csv"
        archive("d.zip", {bars: "", bars.replace(".csv", ".txt"): ""})
        assert names("d.zip") == [f"d.zip!{bars}"]

    def test_members_of_unknown_names_are_taken_where_no_other_is(self) -> None:
        archive("d.zip", {"AAPL": "", "MSFT": "", ".DS_Store": ""})
        assert names("d.zip") == ["d.zip!AAPL", "d.zip!MSFT"]

    def test_an_archive_is_known_by_its_content_not_its_name(self) -> None:
        archive("d.csv", {"a.csv": ""})
        Path("e.zip").write_text("a,b\n")
        assert names("d.csv", "e.zip") == ["d.csv!a.csv", "e.zip"]

    def test_a_member_s_path_leads_nowhere(self, here: Path) -> None:
        archive("d.zip", {"../../evil.csv": "a,b\n", "/etc/evil.csv": "c,d\n"})
        before = sorted(here.rglob("*"))
        with find(["d.zip"]) as found:
            read = {}
            for source in found:
                with open_source(source) as stream:
                    read[source.name] = stream.read()
        assert read == {"d.zip!../../evil.csv": b"a,b\n", "d.zip!/etc/evil.csv": b"c,d\n"}
        assert sorted(here.rglob("*")) == before

    def test_a_damaged_archive_waits_for_its_turn(self) -> None:
        archive("d.zip", {"a.csv": "a,b\n" * 100})
        Path("d.zip").write_bytes(Path("d.zip").read_bytes()[:60])
        assert names("d.zip") == ["d.zip"]

    def test_a_damaged_member_is_found_out_when_it_is_read(self) -> None:
        with zipfile.ZipFile("d.zip", "w", zipfile.ZIP_STORED) as zipped:
            zipped.writestr("a.csv", "a,b\n1,2\n")
        data = Path("d.zip").read_bytes()
        Path("d.zip").write_bytes(data.replace(b"a,b\n1,2\n", b"a,b\n1,3\n"))
        with find(["d.zip"]) as [source], pytest.raises(UnreadableFile, match=r"damaged.*CRC"):
            content_hash(source)

    def test_an_encrypted_member(self) -> None:
        archive("d.zip", {"a.csv": "a,b\n"})
        data = bytearray(Path("d.zip").read_bytes())
        for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(header) + flags] |= 1  # the bit that says "encrypted"
        Path("d.zip").write_bytes(data)
        with find(["d.zip"]) as [source], pytest.raises(UnreadableFile) as caught:
            content_hash(source)
        assert str(caught.value) == "d.zip!a.csv is encrypted"
        assert "password" in (caught.value.hint or "")

    def test_a_member_without_a_name(self) -> None:
        archive("d.zip", {"QQ.csv": "a,b\n1,2\n", "x/": ""})
        data = Path("d.zip").read_bytes()
        Path("d.zip").write_bytes(data.replace(b"QQ.csv", b"\0Q.csv"))  # a name ends at a NUL
        with find(["d.zip"]) as [source]:
            assert (source.name, source.member) == ("d.zip!", "")
            with open_source(source) as stream:
                assert stream.read() == b"a,b\n1,2\n"

    def test_a_member_of_which_the_name_is_not_utf8(self) -> None:
        archive("d.zip", {"é.csv": "a,b\n"})
        name = "é.csv".encode()
        data = Path("d.zip").read_bytes()
        assert data.find(name) < data.find(b"PK\x01\x02")  # of the member's own header
        Path("d.zip").write_bytes(data.replace(name, b"\xff\xfe.csv"[: len(name)], 1))
        member = pytest.raises(UnreadableFile, match=r"d\.zip!é\.csv is damaged: 'utf-8' codec")
        with find(["d.zip"]) as [source], member:
            content_hash(source)
        data = Path("d.zip").read_bytes()
        Path("d.zip").write_bytes(data.replace(name, b"\xff\xfe.csv"[: len(name)], 1))
        whole = pytest.raises(UnreadableFile, match=r"d\.zip is a damaged zip archive: 'utf-8'")
        with find(["d.zip"]) as [source], whole, read(source):
            pass

    @pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
    def test_archives_are_closed_at_the_end(self, here: Path) -> None:
        archive("d.zip", {"a.csv": "a,b\n"})
        with find([str(here / "d.zip")]) as [source]:
            content_hash(source)
            assert str(here / "d.zip") in open_files()
        assert str(here / "d.zip") not in open_files()


def open_files() -> list[str]:
    links = Path("/proc/self/fd").iterdir()
    return [os.readlink(link) for link in links if link.is_symlink() and link.exists()]


@pytest.mark.usefixtures("here")
class TestSeldom:
    @staticmethod
    def refusal(source: Source) -> UnreadableFile:
        with pytest.raises(UnreadableFile) as caught, open_source(source):
            pass
        return caught.value

    def test_a_member_that_is_gone(self) -> None:
        archive("d.zip", {"a.csv": "a,b\n"})
        gone = Source(Path("d.zip"), "d.zip!b.csv", "b.csv", 4)
        assert str(self.refusal(gone)) == "d.zip!b.csv is no longer in its archive"

    def test_a_way_of_packing_that_is_unknown(self) -> None:
        archive("d.zip", {"a.csv": "a,b\n" * 9})
        data = bytearray(Path("d.zip").read_bytes())
        at = data.index(b"PK\x01\x02")
        data[8] = data[at + 10] = 97  # WavPack, in the member's header and in the directory
        Path("d.zip").write_bytes(data)
        error = self.refusal(Source(Path("d.zip"), "d.zip!a.csv", "a.csv", 36))
        assert str(error).startswith("d.zip!a.csv cannot be unpacked: ")
        assert error.hint == "unpack it with 7z, and load the folder"

    def test_a_member_s_header_that_is_damaged(self) -> None:
        archive("d.zip", {"a.csv": "a,b\n" * 9})
        Path("d.zip").write_bytes(b"PK\x03\x05" + Path("d.zip").read_bytes()[4:])
        error = self.refusal(Source(Path("d.zip"), "d.zip!a.csv", "a.csv", 36))
        assert str(error).startswith("d.zip!a.csv is damaged: ")

    def test_an_archive_that_is_a_folder_by_now(self) -> None:
        Path("d.zip").mkdir()
        error = self.refusal(Source(Path("d.zip"), "d.zip!a.csv", "a.csv", 36))
        assert str(error) == "d.zip!a.csv cannot be read: Is a directory"
        assert str(self.refusal(Source(Path("d.zip"), "d.zip", None, 36))) == (
            "d.zip cannot be read: Is a directory"
        )
