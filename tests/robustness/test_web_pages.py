"""What a web page could send to the loopback port: refused, and nothing is created."""

from __future__ import annotations

import http.client
import json

import pytest

from fixtures.platforms import Platform

RUNS = "/apis/v2beta1/runs"
BODY = json.dumps({"display_name": "from a web page", "pipeline_spec": {}})


def post(platform: Platform, headers: dict[str, str], body: str = BODY) -> tuple[int, str]:
    host, _, port = platform.http_address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request("POST", RUNS, body=body, headers=headers)
        answer = connection.getresponse()
        assert answer.getheader("Access-Control-Allow-Origin") is None
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json", "Origin": "https://evil.example"},
        {"Content-Type": "application/json", "Origin": "null"},
        {"Content-Type": "application/json", "Host": "evil.example:8888"},
        {"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
    ids=["foreign origin", "null origin", "foreign host", "cross-site", "text/plain", "a form"],
)
def test_refused_and_nothing_created(platform: Platform, headers):
    before = platform.get(RUNS).get("total_size", 0)
    status, text = post(platform, headers)
    assert status == 403, text
    assert platform.get(RUNS).get("total_size", 0) == before


def test_an_own_client_is_let_in(platform: Platform):
    status, text = post(platform, {"Content-Type": "application/json"})
    assert status == 400, text  # let in, and told what is wrong with the empty spec
