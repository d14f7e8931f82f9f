"""Finding a platform: who is shown the token, and what is said where none is found.

- the token goes with the health question to this machine, never over plain HTTP to another, never to where an answer redirects
- endpoints that are no address, servers that are no platform, and nobody at all
"""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator

import pytest

from headrace import errors, finding
from headrace.client import Client


class Server(http.server.ThreadingHTTPServer):
    """Answers from `status`, `told` and `redirect`; `shown` are the Authorization headers that came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.shown: list[str | None] = []
        self.status, self.told, self.redirect = 200, json.dumps({"grpc_endpoint": "127.0.0.1:1"}), ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.shown.append(self.headers.get("Authorization"))
        self.send_response(302 if self.server.redirect else self.server.status)
        if self.server.redirect:
            self.send_header("Location", self.server.redirect + self.path)
        self.end_headers()
        self.wfile.write(self.server.told.encode())

    def log_message(self, *_) -> None:
        """Tests' output stays clean."""


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    made = Server(), Server()
    threads = [threading.Thread(target=one.serve_forever) for one in made]
    for one in threads:
        one.start()
    yield made
    for server, thread in zip(made, threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_token_is_shown_to_this_machine(servers):
    first, _ = servers
    assert finding.find(first.url, {}, token="s3cret").grpc == "127.0.0.1:1"
    assert finding.find(first.url, {}).grpc == "127.0.0.1:1"
    assert first.shown == ["Bearer s3cret", None]


def test_the_token_goes_nowhere_that_an_answer_names(servers):
    first, second = servers
    first.redirect = second.url
    finding.find(first.url, {}, token="s3cret")
    assert (first.shown, second.shown) == (["Bearer s3cret"], [None])


def test_the_token_is_not_shown_over_plain_http(servers, monkeypatch):
    first, _ = servers
    monkeypatch.setattr(finding, "is_local", lambda netloc: False)  # as if the server were another machine's
    monkeypatch.setenv("no_proxy", "*")
    finding.find(first.url, {}, token="s3cret")
    assert first.shown == [None]


@pytest.mark.parametrize(
    "endpoint",
    ["http://", "ftp://host", "http://host:port", "http://host:0", "https://", "http://[::1", "a b", "http://a\x00b"],
)
def test_an_endpoint_that_is_no_address(endpoint):
    with pytest.raises(errors.BadInput) as caught:
        finding.find(endpoint, {})
    assert str(caught.value) == (
        f"endpoint {endpoint!r} is no address; give the REST address, such as http://127.0.0.1:8888"
    )


def test_a_server_that_is_no_platform(servers):
    first, _ = servers
    first.told = "{}"
    with pytest.raises(errors.PlatformUnreachable) as caught:
        finding.find(first.url, {})
    assert str(caught.value) == (
        f"{first.url} is no Headrace platform, or hides its gRPC address; set HEADRACE_GRPC_ENDPOINT=host:port"
    )
    first.status, first.told = 401, json.dumps({"message": "who are you"})
    with pytest.raises(errors.PlatformUnreachable) as caught:
        finding.find(first.url, {})
    assert str(caught.value) == f"{first.url} answers 401 to /apis/v2beta1/healthz: who are you"


def test_a_line_end_after_an_endpoint_is_none_of_it(servers):
    first, _ = servers
    assert finding.find(f" {first.url}\n", {}).http == first.url


def test_a_server_that_does_not_speak_http():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def answer() -> None:
            told, _ = server.accept()
            with told:
                told.sendall(b"\0\0\x18\4\0\0\0\0\0")  # as gRPC begins
                told.recv(1 << 16)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(errors.PlatformUnreachable) as caught:
            finding.find(url, {})
        thread.join()
    assert str(caught.value) == (
        f"what answers at {url} does not speak HTTP: give the platform's REST address, not its gRPC address"
    )


def test_no_platform_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path))
    monkeypatch.delenv("HEADRACE_ENDPOINT", raising=False)
    with Client() as client, pytest.raises(errors.NoPlatform) as caught:
        client.runs.list()
    assert str(caught.value) == (
        "no platform is up on this machine; start one with `headrace up`, or name one with --endpoint or HEADRACE_ENDPOINT "
        "(http://host:8888)"
    )
