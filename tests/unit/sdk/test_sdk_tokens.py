"""Where a client's token comes from, that a file is read again, and where it may go."""

from __future__ import annotations

import os

import pytest

from headrace.errors import BadInput
from headrace.finding import may_travel_to
from headrace.tokens import Token


def test_what_is_given_comes_before_the_settings(tmp_path):
    file = tmp_path / "token"
    file.write_text("from-a-file\n")
    environ = {"HEADRACE_TOKEN": "said", "HEADRACE_TOKEN_FILE": str(file)}
    assert Token("given", environ).read() == "given"
    assert Token(file, environ).read() == "from-a-file"
    assert Token(None, environ).read() == "said"
    assert Token(None, {"HEADRACE_TOKEN_FILE": str(file)}).read() == "from-a-file"
    assert Token("", environ).read() == ""
    assert not Token(None, {})
    assert Token(None, {}).headers("far.example:1", secure=False) == {}


def test_a_file_is_read_again_when_it_changes(tmp_path):
    file, fresh = tmp_path / "token", tmp_path / "fresh"
    file.write_text("first")
    token = Token(file, {})
    assert token.headers("127.0.0.1:1", secure=False) == {"authorization": "Bearer first"}
    fresh.write_text("second")
    os.replace(fresh, file)
    assert token.headers("127.0.0.1:1", secure=False) == {"authorization": "Bearer second"}
    file.write_bytes(b"\xff")
    with pytest.raises(BadInput, match=r"the token's file .* cannot be read: it is no text"):
        token.read()
    file.unlink()
    with pytest.raises(BadInput, match=r"the token's file .* cannot be read: No such file"):
        token.read()


def test_a_file_with_more_than_a_token(tmp_path):
    (tmp_path / "token").write_text("two words")
    with pytest.raises(BadInput, match="a character that no token has"):
        Token(tmp_path / "token", {}).read()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:8887",
        "localhost:8887",
        "unix:/run/headrace.sock",
        "https://far.example",
        "headrace-apiserver.headrace.svc:8887",
        "http://headrace-apiserver.headrace.svc.cluster.local:8888",
    ],
)
def test_places_that_a_token_may_go_to(address):
    assert may_travel_to(address)


@pytest.mark.parametrize(
    "address",
    [
        "far.example:8887",
        "http://far.example",
        "10.0.0.1:8887",
        "evil.svc.example:1",
        "http://x.svc@far.example",
        "svc:1",
    ],
)
def test_places_that_it_may_not(address):
    assert not may_travel_to(address)
    assert Token("t", {}).headers(address, secure=True), "unless the connection is encrypted"
