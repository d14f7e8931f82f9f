"""What the calls under the alias' `kfp.Client` send: against an HTTP server that answers what it was sent."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from headrace.kfp_alias.rest import Rest


class Echo(BaseHTTPRequestHandler):
    got: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        self.got.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address():
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_file_name_cannot_break_the_form(address):
    Rest(address, dict, None, None).upload("/pipelines/upload", b"data", 'my "best"\r\nX: 1.yaml')
    head, _, rest = Echo.got[-1].partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[1:] == [
        b'Content-Disposition: form-data; name="uploadfile"; filename="my %22best%22%0D%0AX: 1.yaml"',
        b"Content-Type: application/octet-stream",
    ]
    assert rest.startswith(b"data\r\n--")
