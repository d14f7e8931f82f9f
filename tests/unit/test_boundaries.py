"""Each service, imported in a fresh interpreter, brings in none of the others."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

OTHERS = {
    "headrace_apiserver": {
        "headrace_scheduler",
        "headrace_persistence",
        "headrace_cache",
        "headrace_embedded",
        "psycopg",
    },
    "headrace_scheduler": {
        "headrace_apiserver",
        "headrace_persistence",
        "headrace_cache",
        "headrace_embedded",
        "psycopg",
    },
    "headrace_persistence": {
        "headrace_apiserver",
        "headrace_scheduler",
        "headrace_cache",
        "headrace_embedded",
        "aiohttp",
    },
    "headrace_cache": {
        "headrace_apiserver",
        "headrace_scheduler",
        "headrace_persistence",
        "headrace_embedded",
        "aiohttp",
    },
}


@pytest.mark.parametrize("service", sorted(OTHERS))
def test_a_service_brings_in_no_other(service):
    code = (
        f"import json, sys, {service}.server; print(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    )
    out = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(json.loads(out)) & OTHERS[service] == set()


def test_the_sdk_brings_in_no_service_and_no_wire():
    code = "import json, sys, headrace; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    names = {name.partition(".")[0] for name in json.loads(out)}
    assert not names & (set(OTHERS) | {"grpc", "google", "headrace_servicekit", "psycopg", "aiohttp"})


def test_nothing_that_fetches_is_loaded_before_something_is_fetched():
    modules = "headrace_scheduler.server, headrace_scheduler.executors.process.executor"
    code = f"import json, sys, {modules}; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {name.partition(".")[0] for name in json.loads(out)} & {"urllib3", "minio", "Crypto", "argon2"}
