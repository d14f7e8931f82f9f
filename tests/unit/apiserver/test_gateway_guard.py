"""Who may call the loopback port: everything a web page could send is refused, every honest client is not."""

from __future__ import annotations

import pytest

from headrace_apiserver.gateway.guard import UPLOAD_PATHS, Caller, refusal

RUNS = "/apis/v2beta1/runs"

METADATA = "/ml_metadata.MetadataStoreService/GetContexts"


def caller(**changes):
    usual = {
        "path": RUNS,
        "host": "127.0.0.1:8888",
        "origin": None,
        "fetch_site": None,
        "content_type": "application/json",
        "has_body": True,
    }
    return Caller(**{**usual, **changes})


@pytest.mark.parametrize(
    "honest",
    [
        caller(),
        caller(content_type="application/json; charset=utf-8"),
        caller(host="localhost:8888"),
        caller(host="[::1]:8888"),
        caller(host="localhost:9000"),  # through an SSH tunnel
        caller(has_body=False, content_type=""),
        caller(origin="http://127.0.0.1:8888", fetch_site="same-origin"),
        caller(fetch_site="none", has_body=False),
        caller(path=METADATA, content_type="application/grpc-web+proto"),
        caller(path=METADATA, content_type="application/grpc-web-text"),
        *(caller(path=path, content_type="multipart/form-data; boundary=x") for path in sorted(UPLOAD_PATHS)),
    ],
)
def test_honest_callers_pass(honest):
    assert refusal(honest, None) is None


@pytest.mark.parametrize(
    ("foreign", "text"),
    [
        (caller(origin="https://evil.example"), "https://evil.example"),
        (caller(origin="null"), "null"),
        (caller(origin="http://localhost:3000"), "localhost:3000"),
        (caller(origin="https://127.0.0.1:8888"), "origin is not this server's"),
        (caller(fetch_site="cross-site", has_body=False), "Sec-Fetch-Site"),
        (caller(host="evil.example:8888"), "Host header 'evil.example:8888'"),
        (caller(host="127.0.0.1.evil.example"), "Host header"),
        (caller(host="user@127.0.0.1"), "Host header"),
        (caller(host="127.0.0.1:port"), "Host header"),
        (caller(host=""), "Host header"),
        (caller(content_type="text/plain"), "send application/json"),
        (caller(content_type="application/x-www-form-urlencoded"), "send application/json"),
        (caller(content_type=""), "send application/json"),
        (caller(content_type="multipart/form-data; boundary=x"), "send application/json"),
        (caller(path=sorted(UPLOAD_PATHS)[0], content_type="text/plain"), "send application/json"),
        (caller(content_type="application/grpc-web+proto"), "send application/json"),
        (caller(path=METADATA), "send application/grpc-web+proto"),
        (caller(path=METADATA, content_type="text/plain"), "send application/grpc-web+proto"),
    ],
)
def test_foreign_callers_are_refused_with_the_reason(foreign, text):
    why = refusal(foreign, None)
    assert why is not None
    assert text in why


def test_the_endpoint_that_clients_were_told_is_ours():
    endpoint = "https://headrace.example"
    assert refusal(caller(host="headrace.example", origin=endpoint), endpoint) is None
    assert refusal(caller(host="headrace.example.evil", origin=endpoint), endpoint) is not None


def test_who_is_known_by_a_token_may_name_any_host():
    inside = caller(host="headrace-apiserver.ml.svc:8888")
    assert refusal(inside, None) is not None
    assert refusal(inside, None, any_host=True) is None
    page = caller(host="headrace.example", origin="https://headrace.example", fetch_site="same-origin")
    assert refusal(page, None, any_host=True) is None


def test_pages_of_others_are_refused_also_behind_a_gateway():
    for foreign in (
        caller(host="headrace.example", origin="https://evil.example"),
        caller(host="headrace.example", fetch_site="cross-site"),
        caller(host="headrace.example", content_type="text/plain"),
        caller(host="user@headrace.example"),
    ):
        assert refusal(foreign, None, any_host=True) is not None
