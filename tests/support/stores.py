"""Servers of objects that run here: one that speaks as Amazon S3 does, and one of plain files."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer

REGION = "us-east-1"


@dataclass(frozen=True)
class S3:
    """A server with one bucket, `bars`."""

    endpoint: str
    client: Any = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """For a process that is to read from it, with credentials."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hunter2",
            **NO_CREDENTIALS,
        }  # fmt: skip

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket="bars", Key=key, Body=body)


#: Keeps Amazon's library from looking for credentials in files and at the machine's own address.
NO_CREDENTIALS = {
    "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip


@contextmanager
def s3_server() -> Iterator[S3]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        reset = Request(f"http://{host}:{port}/moto-api/reset", method="POST")
        urlopen(reset).close()  # what it holds belongs to the process: other tests left some
        client = boto3.client(
            "s3", endpoint_url=f"http://{host}:{port}", region_name=REGION,
            aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="hunter2",
        )  # fmt: skip
        client.create_bucket(Bucket="bars")
        yield S3(f"http://{host}:{port}", client)
        client.close()
    finally:
        server.stop()


@dataclass
class Web:
    """A server of files, by their paths, and how it behaves.

    Attributes:
        ranges: whether it gives parts.
        faults: how many of the next requests it answers with 503.
        breaks: how many of the next bodies it breaks off in the middle.
        moved: where else files are.
        asked: what was asked for: path with query, Range, Authorization.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    ranges: bool = True
    faults: int = 0
    breaks: int = 0
    moved: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)


@contextmanager
def web_server() -> Iterator[Web]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            span = self.headers.get("Range")
            web.asked.append((self.path, span, self.headers.get("Authorization")))
            path = self.path.partition("?")[0]
            if web.faults:
                web.faults -= 1
                self.send_error(503)
            elif path in web.moved:
                self.send_response(302)
                self.send_header("Location", web.moved[path])
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif path in web.statuses:
                self.send_error(web.statuses[path])
            elif path not in web.files:
                self.send_error(404)
            else:
                self.send_body(web.files[path], span if web.ranges else None)

        def send_body(self, data: bytes, span: str | None) -> None:
            body = data
            if span:
                first, last = map(int, span.removeprefix("bytes=").split("-"))
                body = data[first : last + 1]
                if not body:
                    self.send_error(416)
                    return
                self.send_response(206)
                end = first + len(body) - 1
                self.send_header("Content-Range", f"bytes {first}-{end}/{len(data)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hash(data)}"')
            self.end_headers()
            if web.breaks and len(body) > 1:
                web.breaks -= 1
                body = body[: len(body) // 2]
                self.close_connection = True
            try:
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True  # the client has seen what it wanted to know

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        web.address = f"127.0.0.1:{server.server_port}"
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()
