"""HTTP and the Pushgateway, over real sockets; and that neither can spoil a run."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from loader.errors import SettingsError
from loader.listen.metrics import exporting, serve
from loader.results import Counts
from loader.results.events import Committed


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Pushed:
    """What a gateway was sent: method, path, authorization, body."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str | None, str]] = []
        self.answer = 200


@contextmanager
def gateway() -> Iterator[tuple[str, Pushed]]:
    pushed = Pushed()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            authorization = self.headers.get("Authorization")
            pushed.requests.append((self.command, self.path, authorization, body))
            self.send_response(pushed.answer)
            self.end_headers()

        do_PUT = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}", pushed
        finally:
            server.shutdown()


def test_a_push_at_the_start_and_one_at_the_end() -> None:
    with gateway() as (address, pushed):
        with exporting("nightly", "p", gateway=f"http://{address}/") as listeners:
            assert len(pushed.requests) == 1
            for told in listeners:
                told(Committed("a", Counts(read=5, inserted=5), {}))
        (_, _, _, first), (method, path, authorization, last) = pushed.requests
    # POST leaves what it has no value for: the last success outlives a failure.
    assert (method, path, authorization) == ("POST", "/metrics/job/mdload/job_name/nightly", None)
    row = 'store_rows_total{job_name="nightly",mode="backfill",outcome="inserted"}'
    assert f"{row} 0.0" in first
    assert f"{row} 5.0" in last
    assert "store_job_last_success_timestamp_seconds{" not in first
    assert "store_job_last_success_timestamp_seconds{" in last


def test_a_failed_run_pushes_no_success() -> None:
    with gateway() as (address, pushed):
        with pytest.raises(OSError, match="disk"), exporting("nightly", gateway=address):
            raise OSError("disk")
        body = pushed.requests[-1][3]
    assert "store_job_last_failure_timestamp_seconds{" in body
    assert "store_job_last_success_timestamp_seconds{" not in body


def test_user_and_password_become_basic_authentication() -> None:
    with gateway() as (address, pushed):
        with exporting("a/b", gateway=f"http://me:p%40ss%2F@{address}"):
            pass
        _, path, authorization, _ = pushed.requests[-1]
    assert authorization == "Basic " + base64.b64encode(b"me:p@ss/").decode()
    assert path.startswith("/metrics/job/mdload/job_name@base64/")


@pytest.mark.parametrize("url", ["http://me:sekret@127.0.0.1:{port}", "me:sekret@127.0.0.1:{port}"])
def test_a_gateway_that_is_away_costs_one_warning(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    with exporting("nightly", gateway=url.format(port=port)):
        pass
    (warning,) = (r for r in caplog.records if r.levelname == "WARNING")
    assert f"127.0.0.1:{port}" in warning.getMessage()
    assert "sekret" not in caplog.text


def test_a_gateway_that_says_no_costs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with gateway() as (address, pushed):
        pushed.answer = 400
        with exporting("nightly", gateway=address):
            pass
    assert "the metrics did not reach" in caplog.text


@pytest.mark.parametrize(
    "url", ["ftp://gateway", "http://", "http://me:se/kret@host", "http://host:port", "http://:9"]
)
def test_what_is_no_url_is_said_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError) as refused, exporting("nightly", gateway=url):
        pass
    assert "--push-gateway" in str(refused.value)
    assert "kret" not in str(refused.value)


def test_served_while_the_block_lasts() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    with serve(port, "feed", "kraken", address="127.0.0.1") as told:
        told(Committed("-", Counts(read=5, inserted=5), {}))
        with urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
    assert 'store_rows_total{job_name="feed",mode="live",outcome="inserted"} 5.0' in text
    assert 'mode="live",provider="kraken",status="started"} 1.0' in text
    with pytest.raises(URLError):
        urlopen(url, timeout=10)


def test_a_port_that_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(SettingsError, match=str(port)) as refused,
            serve(port, "feed", address="127.0.0.1"),
        ):
            pass
    assert refused.value.hint
