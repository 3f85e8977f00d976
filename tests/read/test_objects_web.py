"""Files on the web, on a server of the test's own."""

from __future__ import annotations

import hashlib
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from loader.errors import MdloadError, NotThere, SettingsError, SourceLost, Unfinished
from loader.read.objects import web as room
from loader.read.sources import Source, content_hash, find
from tests.support.stores import Web, web_server

CSV = b"ts,open,high,low,close\n2024-01-02,1,2,0.5,1.5\n"
BIG = random.Random(1).randbytes(20 << 20)


@pytest.fixture(scope="module")
def server() -> Iterator[Web]:
    with web_server() as web:
        yield web


@pytest.fixture
def web(server: Web, monkeypatch: pytest.MonkeyPatch) -> Web:
    monkeypatch.setattr(room, "_pause", lambda _: None)
    server.files, server.statuses, server.asked = {"/d/a.csv": CSV, "/big.csv": BIG}, {}, []
    server.moved = {}
    server.ranges, server.faults, server.breaks = True, 0, 0
    return server


def only(found: list[Source]) -> Source:
    (source,) = found
    return source


def hashed(url: str) -> str:
    with find([url]) as found:
        return content_hash(only(found))


def refusal(url: str) -> MdloadError:
    with pytest.raises(MdloadError) as caught:
        hashed(url)
    return caught.value


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_a_file_is_asked_for_in_parts(web: Web) -> None:
    assert hashed(f"http://{web.address}/big.csv") == sha256(BIG)
    spans = [span for _, span, _ in web.asked]
    assert spans == ["bytes=0-0", "bytes=0-8388607", "bytes=8388608-16777215",
                     "bytes=16777216-20971519"]  # fmt: skip


def test_what_a_url_says_and_what_is_told_of_it(web: Web) -> None:
    url = f"http://me:p%40ss@{web.address}/d/a.csv?symbol=A%20B&apikey=hunter2&sig=hunter3"
    with find([url]) as found:
        source = only(found)
        assert source.name == f"http://{web.address}/d/a.csv?symbol=A%20B&apikey=***&sig=***"
        assert source.file_name == "a.csv"
        assert source.path.as_posix() == "/127.0.0.1/d/a.csv"
        assert source.size_bytes == len(CSV)
        assert "hunter" not in repr(source)
    assert web.asked == [
        ("/d/a.csv?symbol=A%20B&apikey=hunter2&sig=hunter3", "bytes=0-0", "Basic bWU6cEBzcw==")
    ]


def test_a_server_that_gives_no_parts(web: Web) -> None:
    """The file is kept, like what comes by a pipe, and asked for once."""
    web.ranges = False
    with find([f"http://{web.address}/big.csv?x=1"]) as found:
        source = only(found)
        assert source.name == f"http://{web.address}/big.csv?x=1"
        assert source.file_name == "big.csv"
        assert (source.is_copy, source.full_path) == (True, "/127.0.0.1/big.csv")
        assert content_hash(source) == content_hash(source) == sha256(BIG)
        kept = source.path
    assert [span for _, span, _ in web.asked] == ["bytes=0-0", None]
    with pytest.raises(FileNotFoundError):
        kept.stat()


@pytest.mark.parametrize("ranges", [True, False])
def test_the_path_of_a_file_on_the_web(web: Web, tmp_path: Path, ranges: bool) -> None:
    """It does not depend on what the server can do, nor on where a copy is kept."""
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("in/a.csv", CSV)
    web.files["/d/z.zip"] = (tmp_path / "z.zip").read_bytes()
    web.ranges = ranges
    with find([f"http://{web.address}/d/{name}" for name in ("a.csv?x=1", "z.zip")]) as found:
        assert [(source.is_copy, source.full_path) for source in found] == [
            (not ranges, "/127.0.0.1/d/a.csv"), (not ranges, "/127.0.0.1/d/z.zip!in/a.csv"),
        ]  # fmt: skip


def test_a_file_that_is_elsewhere(web: Web) -> None:
    """A password is for the server that it was given for."""
    web.moved = {"/old.csv": f"http://{web.address}/d/a.csv"}
    assert hashed(f"http://me:hunter2@{web.address}/old.csv") == sha256(CSV)
    assert web.asked[:2] == [
        ("/old.csv", "bytes=0-0", "Basic bWU6aHVudGVyMg=="),
        ("/d/a.csv", "bytes=0-0", None),
    ]


def test_an_empty_file(web: Web) -> None:
    web.files["/none.csv"] = b""
    assert hashed(f"http://{web.address}/none.csv") == sha256(b"")


def test_what_fails_is_asked_again(web: Web) -> None:
    web.faults = 3
    assert hashed(f"http://{web.address}/d/a.csv") == sha256(CSV)
    web.breaks = 2
    assert hashed(f"http://{web.address}/big.csv") == sha256(BIG)


def test_a_server_that_stays_out_of_order(web: Web) -> None:
    web.faults = 100
    error = refusal(f"http://{web.address}/d/a.csv?token=hunter2")
    assert isinstance(error, SourceLost)
    assert error.retryable
    assert str(error) == (
        f"http://{web.address}/d/a.csv?token=*** cannot be reached: "
        "its server says 503 Service Unavailable"
    )


def test_how_often_is_in_the_environment(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.faults, url = 100, f"http://{web.address}/d/a.csv"
    for text, requests in (("", 6), ("0", 1), ("2", 3)):
        monkeypatch.setenv("MDLOAD_REMOTE_RETRIES", text)
        web.asked.clear()
        assert isinstance(refusal(url), SourceLost)
        assert len(web.asked) == requests
    for text in ("-1", "often", "21"):
        monkeypatch.setenv("MDLOAD_REMOTE_RETRIES", text)
        error = refusal(url)
        assert isinstance(error, SettingsError)
        assert str(error).endswith(f"must be a whole number from 0 to 20, not '{text}'")


def test_pauses_grow_to_a_limit(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    monkeypatch.setattr(room, "_pause", paused.append)
    monkeypatch.setenv("MDLOAD_REMOTE_RETRIES", "20")
    web.faults = 100
    assert isinstance(refusal(f"http://{web.address}/d/a.csv"), SourceLost)
    assert paused == [0.2, 0.4, 0.8, 1.6, *[3.2] * 16]
    assert sum(paused) < 60


def test_a_server_that_is_not_there(web: Web) -> None:
    error = refusal("https://me:hunter2@127.0.0.1:9/a.csv")
    assert isinstance(error, SourceLost)
    assert str(error).startswith("https://127.0.0.1:9/a.csv cannot be reached: ")


def test_an_absent_file(web: Web) -> None:
    error = refusal(f"http://{web.address}/absent.csv")
    assert isinstance(error, NotThere)
    assert str(error) == f"http://{web.address}/absent.csv does not exist"


@pytest.mark.parametrize("status", [401, 403])
def test_a_file_that_is_not_for_us(web: Web, status: int) -> None:
    web.statuses["/d/a.csv"] = status
    error = refusal(f"http://{web.address}/d/a.csv?X-Amz-Signature=hunter2")
    assert f"/d/a.csv?X-Amz-Signature=*** may not be read: its server says {status}" in str(error)
    assert "signed URL" in (error.hint or "")


def test_a_file_that_is_replaced_meanwhile(web: Web) -> None:
    with find([f"http://{web.address}/d/a.csv"]) as found:
        web.files["/d/a.csv"] = CSV[::-1]
        with pytest.raises(Unfinished, match=r"a\.csv was replaced while"):
            content_hash(only(found))
        web.files["/d/a.csv"] = CSV[:9]
        with pytest.raises(Unfinished, match=r"a\.csv was replaced while"):
            content_hash(only(found))
