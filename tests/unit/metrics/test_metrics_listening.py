"""The port of metrics: where it is, what it costs where nobody wants it, and what is told of collected things."""

from __future__ import annotations

import re
import urllib.request

import pytest

from headrace_metrics.collecting import OTHER, Pools, bounded
from headrace_metrics.listening import VARIABLE, listening, wanted
from headrace_servicekit import telemetry
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.settings import SettingsError


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", None),
        ("9464", ("127.0.0.1", 9464)),
        (":9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:9464", ("0.0.0.0", 9464)),  # what is parsed, nothing listens
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_where_it_listens(text, place):
    assert wanted({VARIABLE: text}) == place


@pytest.mark.parametrize("text", ["metrics", "host:", "127.0.0.1:x", "127.0.0.1:70000"])
def test_what_is_no_address_is_a_sentence(text):
    with pytest.raises(SettingsError, match=f"{VARIABLE} is '{text}'; expected host:port"):
        wanted({VARIABLE: text})


def test_nothing_listens_or_counts_where_nobody_asks():
    before = list(telemetry.on_call)
    with listening({}) as place:
        assert place == ""
        assert telemetry.on_call == before


def test_it_tells_calls_and_ends_with_the_block():
    with listening({VARIABLE: "0"}) as place:
        (tell,) = telemetry.on_call
        tell("persistence", "/headrace.v1.RunQuery/GetRun", "OK", 0.25, stream=False)
        tell("persistence", "/headrace.v1.RunQuery/Watch", "CANCELLED", 99.0, stream=True)
        with urllib.request.urlopen(f"http://{place}/metrics", timeout=10) as answer:
            told = answer.read().decode()
        taken = pytest.raises(ServiceError, match="the port is in use; set HEADRACE_METRICS_ADDRESS")
        with taken as refused, listening({VARIABLE: place}):
            pass
        assert refused.value.reason == Reason.UNAVAILABLE
    call = 'method="headrace.v1.RunQuery/GetRun",service="persistence"'
    assert f'headrace_grpc_requests_total{{code="OK",{call}}} 1.0' in told
    assert f"headrace_grpc_request_seconds_sum{{{call}}} 0.25" in told
    assert 'code="CANCELLED",method="headrace.v1.RunQuery/Watch"' in told
    assert 'seconds_count{method="headrace.v1.RunQuery/Watch"' not in told  # a stream lasts as long as its reader
    assert "process_cpu_seconds_total" in told
    assert re.search(r"^\w+_created\b", told, re.MULTILINE) is None
    assert telemetry.on_call == []


def test_pools_tell_what_they_have():
    stats = {"pool_size": 3, "pool_available": 1, "pool_max": 6, "requests_waiting": 2, "requests_wait_ms": 1500}
    found = {
        (sample.name, sample.labels.get("state", "")): sample.value
        for metric in Pools({"cache": lambda: stats}).collect()
        for sample in metric.samples
    }
    assert found[("headrace_postgres_connections", "busy")] == 2
    assert found[("headrace_postgres_connections", "idle")] == 1
    assert found[("headrace_postgres_waiting_requests", "")] == 2
    assert found[("headrace_postgres_waited_seconds_total", "")] == 1.5


def test_accounts_of_many_products_are_bounded():
    few = [("b", "H200", 5, 1), ("a", "H200", 7, 2)]
    assert bounded(few) == sorted(few)
    many = [("n", f"p{index}", index, 1) for index in range(10)]
    kept = bounded(many, 3)
    assert kept == [("n", "p7", 7, 1), ("n", "p8", 8, 1), ("n", "p9", 9, 1), (OTHER, OTHER, 21, 7)]
    assert sum(one[2] for one in kept) == sum(one[2] for one in many)
